package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestEachThingThatIsWantedWasBegunWithItsOutput(t *testing.T) {
	t.Parallel()
	info := resultOf(t, `{"egressId":"EG_x","status":"EGRESS_COMPLETE","fileResults":[{"filename":"out/a.mp4","startedAt":"1000000000"}],
		"segmentResults":[{"playlistName":"out/p.m3u8","livePlaylistName":"out/l.m3u8","startedAt":"2000000000"}],
		"imageResults":[{"filenamePrefix":"out/i","startedAt":"3000000000"}],"manifestLocation":"https://b/out/EG_x.json"}`)
	want := map[string]int64{"file out/a.mp4": 1, "playlist out/p.m3u8": 2, "playlist out/l.m3u8": 2, "segments ": 2, "images out/i": 3, "manifest out/EG_x.json": 1}
	got := map[string]int64{}
	for _, w := range egress.Wants(info, nil) {
		got[w.File.Kind+" "+w.File.Path] = w.Since.Unix()
		old := egress.Object{Path: w.File.Path, Modified: w.Since.Add(-day)}
		fresh := egress.Object{Path: w.File.Path, Modified: w.Since.Add(time.Second)}
		require.Equal(t, []egress.Object{fresh}, w.Fresh([]egress.Object{old, fresh}), w.File.Kind)
	}
	require.Equal(t, want, got)
}

func TestWhatMayStandBeforeAPathIsReadFromItsLocation(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file, location string
		want           []string
	}{
		"the path alone":                {"out/a.mp4", "https://s3/out/a.mp4", nil},
		"bucket and prefix":             {"out/a.mp4", "https://s3/bucket/pre/out/a.mp4", []string{"bucket/pre/", "pre/"}},
		"a presigned one is escaped":    {"out/a b.mp4", "https://s3/bucket/pre/out/a%20b.mp4?sig=1", []string{"bucket/pre/", "pre/"}},
		"a question mark in its name":   {"out/a?.mp4", "https://s3/bucket/pre/out/a?.mp4", []string{"bucket/pre/", "pre/"}},
		"… what stands before, too":     {"out/a b.mp4", "https://s3/bucket/the%20pre/out/a%20b.mp4?sig=1", []string{"bucket/the pre/", "the pre/"}},
		"another one is as it is":       {"out/a.mp4", "https://s3/bucket/50%25/out/a.mp4", []string{"bucket/50%25/", "50%25/"}},
		"a path that looks escaped":     {"out/a%20b.mp4", "https://s3/bucket/out/a%20b.mp4", []string{"bucket/"}},
		"what cannot be read, as it is": {"out/a.mp4", "https://s3/bucket/50%/out/a.mp4", []string{"bucket/50%/", "50%/"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := resultOf(t, `{"fileResults":[{"filename":"`+tc.file+`","location":"`+tc.location+`"}]}`)
			require.Equal(t, tc.want, egress.Wants(info, nil)[0].Under)
		})
	}
}

func TestOnlyFilesAndImagesWrittenSinceALostEgressBeganAreItsOwn(t *testing.T) {
	t.Parallel()
	info := resultOf(t, `{"egressId":"EG_x","status":"EGRESS_ACTIVE","startedAt":"5000000000","fileResults":[{"filename":"a.mp4","startedAt":"4000000000"},{"filename":"b.mp4","startedAt":"6000000000"}],
		"segmentResults":[{"playlistName":"p.m3u8"}],"imageResults":[{"filenamePrefix":"i"}]}`)
	since := map[string]int64{}
	for _, w := range egress.Left(info, nil) {
		for second := range int64(10) {
			if at := time.Unix(second, 0); len(w.Fresh([]egress.Object{{Modified: at}})) > 0 {
				since[w.File.Kind+" "+w.File.Path] = second
				break
			}
		}
	}
	require.Equal(t, map[string]int64{"file a.mp4": 5, "file b.mp4": 6, "images i": 5}, since)
}
