package activities_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// written is when the objects of a store in memory were written.
var written = time.Unix(100, 0)

// objects is a store in memory whose calls can fail.
type objects struct {
	at    map[string][]byte
	err   error // from every call except Create
	noPut error // from Create
}

func (o *objects) Stat(_ context.Context, path string) (egress.Object, error) {
	media, there := o.at[path]
	if o.err == nil && !there {
		return egress.Object{}, &egress.Error{Reason: egress.NotFound}
	}
	return egress.Object{Path: path, Size: int64(len(media)), Modified: written}, o.err
}

func (o *objects) List(_ context.Context, prefix string, limit int) (list []egress.Object, err error) {
	for _, path := range slices.Sorted(maps.Keys(o.at)) {
		if strings.HasPrefix(path, prefix) && len(list) < limit {
			list = append(list, egress.Object{Path: path, Size: int64(len(o.at[path])), Modified: written})
		}
	}
	return list, o.err
}

func (o *objects) Read(_ context.Context, path string, offset int64) (io.ReadCloser, error) {
	media, there := o.at[path]
	if o.err == nil && !there {
		return nil, &egress.Error{Reason: egress.NotFound}
	}
	return io.NopCloser(bytes.NewReader(media[min(offset, int64(len(media))):])), o.err
}

func (o *objects) Create(_ context.Context, path, _ string, media []byte) error {
	if _, there := o.at[path]; there {
		return &egress.Error{Reason: egress.Conflict}
	}
	if o.noPut == nil {
		o.at[path] = media
	}
	return o.noPut
}

func (o *objects) Close() error { return nil }

// player says how long all media plays, or why it does not.
type player struct {
	length egress.Duration
	err    error
}

func (p player) Length(context.Context, int64, activities.Reading) (egress.Duration, error) {
	return p.length, p.err
}

func (player) Sound(context.Context, int64, egress.Duration, activities.Reading) (egress.Sound, error) {
	return "", nil
}

func verify(t *testing.T, store activities.Bucket, by activities.Player, in activities.VerifyRequest) (activities.Verified, error) {
	t.Helper()
	env, v := verifier(t, store, by)
	value, err := env.ExecuteActivity(v.Verify, in)
	var got activities.Verified
	if err == nil {
		require.NoError(t, value.Get(&got))
	}
	return got, err
}

// verifying returns the request to verify a room composite that wrote a file and segments.
func verifying(t *testing.T, status egress.Status, wait time.Duration) activities.VerifyRequest {
	t.Helper()
	request := &livekit.RoomCompositeEgressRequest{
		RoomName:       "room",
		FileOutputs:    []*livekit.EncodedFileOutput{{Filepath: "a.mp4"}},
		SegmentOutputs: []*livekit.SegmentedFileOutput{{FilenamePrefix: "s/seg", PlaylistName: "s/p.m3u8", SegmentDuration: 6}},
	}
	info, err := egress.NewInfo(&livekit.EgressInfo{
		EgressId: "EG_1", Request: &livekit.EgressInfo_RoomComposite{RoomComposite: request},
		FileResults:    []*livekit.FileInfo{{Filename: "a.mp4", Size: 5, Duration: int64(time.Minute)}},
		SegmentResults: []*livekit.SegmentsInfo{{PlaylistName: "s/p.m3u8", SegmentCount: 2, Size: 4}},
	})
	require.NoError(t, err)
	return activities.VerifyRequest{
		RequestID: "r-1", Input: egress.Input{Plain: request}, Part: 1, Info: info, Status: status, HeardAt: time.Unix(200, 0), For: egress.Duration(wait),
	}
}

func whole() map[string][]byte {
	return map[string][]byte{
		"a.mp4": []byte("media"), "s/p.m3u8": []byte("#EXTINF:4,\nseg_00000.ts\n#EXTINF:4,\nseg_00001.ts\n#EXT-X-ENDLIST\n"), "s/seg_00000.ts": []byte("ab"), "s/seg_00001.ts": []byte("cd"),
	}
}

const wellDone = egress.Status("EGRESS_COMPLETE")

func TestWhatIsInTheStoreIsHeldAgainstTheResult(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(map[string][]byte)
		player activities.Player
		want   egress.Media
		why    string
	}{
		"as it should be":      {func(map[string][]byte) {}, nil, egress.MediaPresent, ""},
		"it plays long enough": {func(map[string][]byte) {}, player{length: egress.Duration(59 * time.Second)}, egress.MediaPresent, ""},
		"it plays too short":   {func(map[string][]byte) {}, player{length: egress.Duration(9 * time.Second)}, egress.MediaTruncated, "file a.mp4 plays for 9s of 1m0s"},
		"it does not play":     {func(map[string][]byte) {}, player{err: &egress.Error{Reason: egress.Invalid, Message: "no index"}}, egress.MediaTruncated, "file a.mp4 cannot be played: no index"},
		"nobody can say":       {func(map[string][]byte) {}, player{err: errors.New("no ffprobe")}, egress.MediaPresent, ""},
		"no time to play it":   {func(map[string][]byte) {}, player{err: errOutOfTime}, egress.MediaPresent, "file a.mp4 is there, but whether it plays could not be checked in time"},
		"no memory to play it": {func(map[string][]byte) {}, player{err: fmt.Errorf("probe media: %w", syscall.ENOMEM)}, egress.MediaPresent, "file a.mp4 is there, but whether it plays could not be checked: that takes too much memory"},
		"no file":              {func(m map[string][]byte) { delete(m, "a.mp4") }, nil, egress.MediaMissing, "file a.mp4 is not there"},
		"an empty file":        {func(m map[string][]byte) { m["a.mp4"] = nil }, player{}, egress.MediaEmpty, "file a.mp4 holds nothing"},
		"a cut file":           {func(m map[string][]byte) { m["a.mp4"] = []byte("med") }, player{}, egress.MediaTruncated, "file a.mp4 has 3 of 5 bytes"},
		"a segment less":       {func(m map[string][]byte) { delete(m, "s/seg_00001.ts") }, nil, egress.MediaMissing, "segments s/seg are 1 of 2"},
		"no playlist":          {func(m map[string][]byte) { delete(m, "s/p.m3u8") }, nil, egress.MediaMissing, "playlist s/p.m3u8 is not there"},
		"all of it is empty": {func(m map[string][]byte) {
			for path := range m {
				m[path] = nil
			}
		}, nil, egress.MediaEmpty, "file a.mp4 holds nothing; playlist s/p.m3u8 holds nothing; segments s/seg are 2 of which 2 hold nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &objects{at: whole()}
			tc.change(store.at)
			got, err := verify(t, store, tc.player, verifying(t, wellDone, 0))
			require.NoError(t, err)
			require.Equal(t, tc.want, got.Media)
			require.Equal(t, tc.why, got.Because)
			require.Len(t, got.Files, 3)
			require.False(t, got.Again)
		})
	}
}

// LiveKit's egress service has a prefix configured, which only its locations show.
func TestWhatLiesUnderThePrefixOfTheEgressServiceIsFound(t *testing.T) {
	t.Parallel()
	in := verifying(t, wellDone, 0)
	m := in.Info.Proto()
	m.FileResults[0].Location = "https://minio:9000/bucket/prod/a.mp4"
	m.SegmentResults[0].PlaylistLocation = "https://minio:9000/bucket/prod/s/p.m3u8"
	var err error
	in.Info, err = egress.NewInfo(m)
	require.NoError(t, err)
	store := &objects{at: map[string][]byte{}}
	for path, media := range whole() {
		store.at["prod/"+path] = media
	}

	got, err := verify(t, store, player{length: egress.Duration(time.Minute)}, in)

	require.NoError(t, err)
	require.Equal(t, egress.MediaPresent, got.Media, got.Because)

	store.at["prod/s/p.m3u8"] = nil // it is only partly written
	got, err = verify(t, store, nil, in)
	require.NoError(t, err)
	require.Equal(t, egress.MediaEmpty, got.Media)
	require.Equal(t, "playlist s/p.m3u8 holds nothing", got.Because, "the segments are found by their names")

	delete(store.at, "prod/a.mp4")
	got, err = verify(t, store, nil, in)
	require.NoError(t, err)
	require.Contains(t, got.Because, "file a.mp4 is not there")
}

func TestImagesThatAreOverwrittenAreOneObject(t *testing.T) {
	t.Parallel()
	in := verifying(t, wellDone, 0)
	request := &livekit.RoomCompositeEgressRequest{RoomName: "room", ImageOutputs: []*livekit.ImageOutput{{FilenamePrefix: "live", FilenameSuffix: livekit.ImageFileSuffix_IMAGE_SUFFIX_NONE_OVERWRITE}}}
	in.Input.Plain = request
	var err error
	in.Info, err = egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", ImageResults: []*livekit.ImagesInfo{{FilenamePrefix: "live", ImageCount: 40}}})
	require.NoError(t, err)
	store := &objects{at: map[string][]byte{"live.jpeg": []byte("image")}}

	got, err := verify(t, store, nil, in)
	require.NoError(t, err)
	require.Equal(t, egress.MediaPresent, got.Media, got.Because)

	delete(store.at, "live.jpeg")
	got, err = verify(t, store, nil, in)
	require.NoError(t, err)
	require.Equal(t, egress.MediaMissing, got.Media)
}

func TestWhatIsFoundOfImages(t *testing.T) {
	t.Parallel()
	const many = 50_000 // as many as a look counts
	for name, tc := range map[string]struct {
		prefix string
		began  int64 // seconds; the objects in the store were written at 100
		count  int64
		there  int
		want   egress.Media
		why    string
	}{
		"all of them":                       {"shots/x", 90, 3, 3, egress.MediaPresent, ""},
		"one is missing":                    {"shots/x", 90, 4, 3, egress.MediaMissing, "are 3 of 4"},
		"another recording's":               {"shots/x", 300, 3, 3, egress.MediaMissing, "are 0 of 3"},
		"theirs, by a clock that is behind": {"shots/x", 200, 3, 3, egress.MediaPresent, ""},
		"under a slash that is not there":   {"/shots/x", 90, 3, 3, egress.MediaPresent, ""},
		"more than a look counts":           {"shots/x", 90, many + 1, many + 1, egress.MediaUnchecked, "are more than a look counts"},
		"others', more than a look counts":  {"shots/x", 300, 3, many + 1, egress.MediaUnchecked, "are more than a look counts"},
		"as many as a look counts":          {"shots/x", 90, many, many + 1, egress.MediaPresent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := verifying(t, wellDone, 0)
			in.Input.Plain = &livekit.RoomCompositeEgressRequest{RoomName: "room", ImageOutputs: []*livekit.ImageOutput{{FilenamePrefix: tc.prefix}}}
			var err error
			in.Info, err = egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", ImageResults: []*livekit.ImagesInfo{{
				FilenamePrefix: tc.prefix, ImageCount: tc.count, StartedAt: tc.began * int64(time.Second),
			}}})
			require.NoError(t, err)
			store := &objects{at: map[string][]byte{}}
			for n := range tc.there {
				store.at[fmt.Sprintf("shots/x_%05d.jpeg", n)] = []byte("image")
			}

			got, err := verify(t, store, nil, in)

			require.NoError(t, err)
			require.Equal(t, tc.want, got.Media, got.Because)
			require.Contains(t, got.Because, tc.why)
		})
	}
}

func TestWhatIsNotThereYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	_, err := verify(t, &objects{}, nil, verifying(t, wellDone, time.Minute))
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, string(egress.StillGoing), failed.Type())
	require.False(t, failed.NonRetryable())
	require.InDelta(t, 1, failed.NextRetryDelay().Seconds(), 0.5)
	require.Contains(t, failed.Message(), "file a.mp4 is not there")
}

func TestAStoreThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	store := &objects{err: &egress.Error{Reason: egress.Unreachable, Message: "the store does not answer"}}
	for _, status := range []egress.Status{wellDone, egress.Lost} {
		_, err := verify(t, store, nil, verifying(t, status, time.Minute))
		var failed *temporal.ApplicationError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, string(egress.Unreachable), failed.Type())

		got, err := verify(t, store, nil, verifying(t, status, 0))
		require.NoError(t, err, "the time is up")
		require.Equal(t, activities.Verified{MediaReport: egress.Unchecked("the store does not answer"), Again: true}, got)

		behind := verifying(t, status, 0)
		behind.Behind = true
		_, err = verify(t, store, nil, behind)
		require.ErrorAs(t, err, &failed, "nobody waits, so it is asked without an end")
	}
}

func TestAStoreThatSaysNoIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	store := &objects{err: &egress.Error{Reason: egress.Denied, Message: "the store answers 403"}}
	got, err := verify(t, store, nil, verifying(t, wellDone, time.Minute))
	require.NoError(t, err)
	require.Equal(t, egress.MediaUnchecked, got.Media)
	require.Contains(t, got.Because, "file a.mp4 could not be looked at: the store answers 403")
}

func TestSegmentsThatWereLeftBehindGetAPlaylist(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*objects)
		player activities.Player
		says   string
		length string // in the playlist
		files  int
	}{
		"LiveKit left its playlist": {func(*objects) {}, nil, "2 segments were left behind at s/seg, 8s in all by LiveKit's own playlist; a playlist of them is s/seg-salvaged.m3u8", "4.000", 2},
		"it left none":              {func(o *objects) { delete(o.at, "s/p.m3u8") }, nil, "12s in all by the request's segment_duration", "6.000", 2},
		"ffprobe measures":          {func(o *objects) { delete(o.at, "s/p.m3u8") }, player{length: egress.Duration(5 * time.Second)}, "10s in all by ffprobe", "5.000", 2},
		"nobody may write":          {func(o *objects) { o.noPut = &egress.Error{Reason: egress.Denied, Message: "no"} }, nil, "no playlist was made of them, since s/seg-salvaged.m3u8 could not be looked at: no", "", 1},
		"no segments":               {func(o *objects) { o.at = nil }, nil, "no segments of its time were left behind", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &objects{at: whole()}
			tc.change(store)
			got, err := verify(t, store, tc.player, verifying(t, "EGRESS_FAILED", time.Minute))
			require.NoError(t, err)
			require.Equal(t, egress.MediaUnchecked, got.Media)
			require.Contains(t, got.Because, "it ended as EGRESS_FAILED, so that no media is expected; ")
			require.Contains(t, got.Because, tc.says)
			require.Len(t, got.Files, tc.files)
			require.Contains(t, string(store.at["s/seg-salvaged.m3u8"]), tc.length)
		})
	}
}

func TestASalvagedPlaylistIsNeverWrittenOverAnother(t *testing.T) {
	t.Parallel()
	store := &objects{at: whole()}
	store.at["s/seg-salvaged.m3u8"] = []byte("mine")
	got, err := verify(t, store, nil, verifying(t, "EGRESS_FAILED", 0))
	require.NoError(t, err)
	require.Len(t, got.Files, 1, "that is none of these segments")
	require.Contains(t, got.Because, "a playlist of them is s/seg-salvaged.m3u8, which was there with 0 of them")
	require.Equal(t, "mine", string(store.at["s/seg-salvaged.m3u8"]))

	delete(store.at, "s/seg-salvaged.m3u8")
	for range 2 { // an earlier attempt wrote it
		got, err = verify(t, store, nil, verifying(t, "EGRESS_FAILED", 0))
		require.NoError(t, err)
		require.Len(t, got.Files, 2)
	}
	require.Contains(t, got.Because, "which was there with 2 of them")
}

// Each look holds what it has read of lists and playlists.
func TestOnlySomeLooksAtMediaAreUnderWayAtOnceAndTheOthersComeAgain(t *testing.T) {
	t.Parallel()
	const all, places = 40, 16
	opened, goOn := make(chan struct{}, all), make(chan struct{})
	v := activities.NewVerification(activities.VerificationConfig{
		Opener: keys(t), Open: func(context.Context, egress.Destination) (activities.Bucket, error) {
			opened <- struct{}{}
			<-goOn
			return &objects{at: whole()}, nil
		},
	})
	results := make(chan error, all)
	for n := range places / 2 {
		in := behind(t, fmt.Sprint(n))
		go func() { results <- lookBy(v, in) }()
		<-opened
	}
	_, e := failed(t, lookBy(v, behind(t, "another")))
	require.Equal(t, egress.HeldBack, e.Reason, "half of the places are for those for whom somebody waits")
	waited := verifying(t, wellDone, time.Minute)
	for range all - places/2 {
		go func() { results <- lookBy(v, waited) }()
	}
	for range all - places {
		select {
		case err := <-results:
			_, e := failed(t, err)
			require.Equal(t, egress.HeldBack, e.Reason)
		case <-time.After(time.Minute):
			t.Fatal("there are more places")
		}
	}
	for range places / 2 {
		<-opened
	}
	close(goOn)
	for range places {
		require.NoError(t, <-results)
	}
	require.NoError(t, lookBy(v, behind(t, "another")), "there is a place again")
}
