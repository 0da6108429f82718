package egress_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/reelkeeper/reelkeeper/egress"
)

// resultOf is an EgressInfo as LiveKit sends it.
func resultOf(t *testing.T, body string) egress.Info {
	t.Helper()
	m := &livekit.EgressInfo{}
	require.NoError(t, protojson.Unmarshal([]byte(body), m))
	i, err := egress.NewInfo(m)
	require.NoError(t, err)
	return i
}

// everyOutput is what the recorded StartEgress with all kinds of outputs ended with.
const everyOutput = `{"egressId":"EG_x","roomName":"standup","status":"EGRESS_COMPLETE",
	"egress":{"outputs":[{"file":{"filepath":"out/{room_name}-{time}.mp4"}},
		{"segments":{"filenamePrefix":"out/seg","playlistName":"out/seg.m3u8","livePlaylistName":"out/live.m3u8","segmentDuration":2}},
		{"images":{"filenamePrefix":"out/img"}}],"storage":{"s3":{"bucket":"b"}}},
	"fileResults":[{"filename":"out/standup-1.mp4","startedAt":"1000000000","endedAt":"8000000000","duration":"7020000001","size":"271114","location":"https://b/out/standup-1.mp4?sig=1"}],
	"segmentResults":[{"playlistName":"out/seg.m3u8","livePlaylistName":"out/live.m3u8","duration":"7000000000","size":"360772","playlistLocation":"out/seg.m3u8","segmentCount":"4"}],
	"imageResults":[{"filenamePrefix":"out/img","imageCount":"5"}],
	"manifestLocation":"https://b/out/EG_x.json"}`

func TestEachThingOfAResultIsWanted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want []string
	}{
		"every output": {everyOutput, []string{
			"file out/standup-1.mp4 at https://b/out/standup-1.mp4 271114 bytes 0 many 7s storage.s3",
			"playlist out/seg.m3u8 at out/seg.m3u8 0 bytes 0 many 0s storage.s3",
			"playlist out/live.m3u8 at  0 bytes 0 many 0s storage.s3",
			"segments out/seg at  360772 bytes 4 many 7s storage.s3",
			"images out/img at  0 bytes 5 many 0s storage.s3",
			"manifest out/EG_x.json at https://b/out/EG_x.json 0 bytes 0 many 0s storage.s3",
		}},
		"a file of old": {`{"roomComposite":{"file":{"filepath":"a.mp4"}},"file":{"filename":"a.mp4","size":"5"}}`, []string{"file a.mp4 at  5 bytes 0 many 0s file"}},
		"segments of old": {`{"roomComposite":{"segments":{"playlistName":"d/p.m3u8"}},"segments":{"playlistName":"d/p.m3u8","segmentCount":"2"}}`,
			[]string{"playlist d/p.m3u8 at  0 bytes 0 many 0s segments", "segments d/p at  0 bytes 2 many 0s segments"}},
		"the list goes before the one of old": {`{"roomComposite":{"file":{}},"file":{"filename":"a"},"fileResults":[{"filename":"a"}]}`, []string{"file a at  0 bytes 0 many 0s file"}},
		"a manifest elsewhere":                {`{"roomComposite":{"file":{}},"fileResults":[{"filename":"d/a"}],"manifestLocation":"https://b/other.json"}`, []string{"file d/a at  0 bytes 0 many 0s file"}},
		"an end before the start":             {`{"roomComposite":{"file":{}},"fileResults":[{"filename":"a","startedAt":"9","endedAt":"8","duration":"-1"}]}`, []string{"file a at  0 bytes 0 many 0s file"}},
		"streams":                             {`{"roomComposite":{"stream":{"urls":["rtmp://a/b"]}},"streamResults":[{"url":"rtmp://a/b"}]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := resultOf(t, tc.body)
			var got []string
			for _, w := range egress.Wants(info, info.Destinations()) {
				got = append(got, fmt.Sprintf("%s %s at %s %d bytes %d many %s %s", w.File.Kind, w.File.Path, w.File.Location, w.File.Want, w.File.Count, w.Length, w.To.Field))
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestWhatIsFoundIsHeldAgainstWhatIsWanted(t *testing.T) {
	t.Parallel()
	file := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputFile, Path: "a", Want: 100}, Length: egress.Duration(200 * time.Second)}
	set := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputSegments, Path: "s", Want: 100, Count: 4}, Playlist: "s.m3u8"}
	images := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputImages, Path: "i", Count: 2}}
	some := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputSegments, Path: "s"}, Playlist: "s.m3u8"}
	none := egress.Wanted{File: egress.MediaFile{Kind: egress.OutputImages, Path: "i"}}
	seconds := func(n float64) egress.Duration { return egress.Duration(n * float64(time.Second)) }
	for name, tc := range map[string]struct {
		w    egress.Wanted
		f    egress.Found
		want egress.Media
		why  string
	}{
		"as LiveKit says":            {file, egress.Found{There: true, Size: 100, Length: seconds(200)}, egress.MediaPresent, ""},
		"larger":                     {file, egress.Found{There: true, Size: 101}, egress.MediaPresent, ""},
		"nobody could look":          {file, egress.Found{Unseen: "is locked"}, egress.MediaUnchecked, "file a is locked"},
		"not there":                  {file, egress.Found{}, egress.MediaMissing, "file a is not there"},
		"nothing in it":              {file, egress.Found{There: true}, egress.MediaEmpty, "file a holds nothing"},
		"a byte short":               {file, egress.Found{There: true, Size: 99}, egress.MediaTruncated, "file a has 99 of 100 bytes"},
		"not playable":               {file, egress.Found{There: true, Size: 100, Unplayable: "no index"}, egress.MediaTruncated, "file a cannot be played: no index"},
		"a little short":             {file, egress.Found{There: true, Size: 100, Length: seconds(185)}, egress.MediaPresent, ""},
		"too short":                  {file, egress.Found{There: true, Size: 100, Length: seconds(184.9)}, egress.MediaTruncated, "file a plays for 3m4.9s of 3m20s"},
		"all segments":               {set, egress.Found{There: true, Size: 100, Count: 4}, egress.MediaPresent, ""},
		"one segment missing":        {set, egress.Found{There: true, Size: 100, Count: 3}, egress.MediaMissing, "segments s are 3 of 4"},
		"missing before empty":       {set, egress.Found{There: true, Size: 100, Count: 3, Hollow: 1}, egress.MediaMissing, "segments s are 3 of 4"},
		"an empty segment":           {set, egress.Found{There: true, Size: 99, Count: 4, Hollow: 1}, egress.MediaEmpty, "segments s are 4 of which 1 hold nothing"},
		"segments short of bytes":    {set, egress.Found{There: true, Size: 99, Count: 4}, egress.MediaTruncated, "segments s has 99 of 100 bytes"},
		"segments without a count":   {some, egress.Found{}, egress.MediaMissing, "segments s are 0 of 0"},
		"one segment without one":    {some, egress.Found{There: true, Count: 1}, egress.MediaPresent, ""},
		"images":                     {images, egress.Found{There: true, Count: 2, Size: 9}, egress.MediaPresent, ""},
		"an image missing":           {images, egress.Found{There: true, Count: 1, Size: 9}, egress.MediaMissing, "images i are 1 of 2"},
		"no images, and none wanted": {none, egress.Found{}, egress.MediaPresent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, why := tc.w.Judge(tc.f)
			require.Equal(t, tc.want, got.Media)
			require.Equal(t, tc.why, why)
			require.Equal(t, tc.f.Size, got.Size)
		})
	}
}

func TestAReportIsAsBadAsItsWorstFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		files []egress.Media
		want  egress.Media
	}{
		{[]egress.Media{egress.MediaPresent, egress.MediaPresent}, egress.MediaPresent},
		{[]egress.Media{egress.MediaPresent, egress.MediaUnchecked}, egress.MediaUnchecked},
		{[]egress.Media{egress.MediaUnchecked, egress.MediaTruncated}, egress.MediaTruncated},
		{[]egress.Media{egress.MediaEmpty, egress.MediaTruncated}, egress.MediaEmpty},
		{[]egress.Media{egress.MediaEmpty, egress.MediaMissing, egress.MediaPresent}, egress.MediaMissing},
	} {
		var r egress.MediaReport
		for _, m := range tc.files {
			r.Add(egress.MediaFile{Media: m}, "")
		}
		require.Equal(t, tc.want, r.Media)
		require.Len(t, r.Files, len(tc.files))
	}
	var long egress.MediaReport
	for range 200 {
		long.Add(egress.MediaFile{Media: egress.MediaMissing}, "file "+strings.Repeat("x", 500))
	}
	require.Len(t, long.Files, 50)
	require.Less(t, len(long.Because), 1500)
}

func TestOnlyWhatIsThereButWrongAlarms(t *testing.T) {
	t.Parallel()
	for _, m := range egress.Medias() {
		want := m == egress.MediaMissing || m == egress.MediaEmpty || m == egress.MediaTruncated
		require.Equal(t, want, m.Alarming(), m)
	}
}
