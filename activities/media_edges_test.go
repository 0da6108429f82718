package activities_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// readingPlayer plays what it can read.
type readingPlayer struct{ player }

func (readingPlayer) Length(ctx context.Context, _ int64, read activities.Reading) (egress.Duration, error) {
	r, err := read(ctx, 0)
	if err != nil {
		return 0, err
	}
	return egress.Duration(time.Minute), r.Close()
}

// slashed returns the request for a room composite that wrote to a path with a leading slash.
func slashed(t *testing.T) activities.VerifyRequest {
	t.Helper()
	in := verifying(t, wellDone, 0)
	result := proto.CloneOf(in.Info.Proto())
	result.FileResults[0].Filename = "/a.mp4"
	result.SegmentResults = nil
	info, err := egress.NewInfo(result)
	require.NoError(t, err)
	in.Info = info
	in.Input.Plain = &livekit.RoomCompositeEgressRequest{RoomName: "room", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "/a.mp4"}}}
	return in
}

func TestWhatIsFoundWithoutItsSlashIsPlayedThere(t *testing.T) {
	t.Parallel()
	got, err := verify(t, &objects{at: map[string][]byte{"a.mp4": []byte("media")}}, readingPlayer{}, slashed(t))
	require.NoError(t, err)
	require.Equal(t, egress.MediaPresent, got.Media, got.Because)
	require.Equal(t, egress.Duration(time.Minute), got.Files[0].Length)
}

// busyBelow does not answer for paths without a slash.
type busyBelow struct{ *objects }

func (b busyBelow) Stat(ctx context.Context, path string) (egress.Object, error) {
	if !strings.HasPrefix(path, "/") {
		return egress.Object{}, &egress.Error{Reason: egress.Unreachable, Message: "the store answers 503"}
	}
	return b.objects.Stat(ctx, path)
}

func TestAStoreThatDoesNotAnswerForOneOfTwoNamesHasNotSaidThatItIsMissing(t *testing.T) {
	t.Parallel()
	got, err := verify(t, busyBelow{&objects{}}, nil, slashed(t))
	require.NoError(t, err)
	require.True(t, got.Again, "%+v", got)
	require.NotEqual(t, egress.MediaMissing, got.Media)
}

// slowPlayer takes its time for each file, and stops when it is told to.
type slowPlayer struct{ player }

func (slowPlayer) Length(ctx context.Context, _ int64, _ activities.Reading) (egress.Duration, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// punctual is a store that writes nothing once the time is up.
type punctual struct{ *objects }

func (p punctual) Create(ctx context.Context, path, contentType string, media []byte) error {
	if ctx.Err() != nil {
		return &egress.Error{Reason: egress.Unreachable, Message: "cannot write: the store does not answer"}
	}
	return p.objects.Create(ctx, path, contentType, media)
}

func TestSegmentsAreListedAlsoWhereTheyTakeTooLongToPlay(t *testing.T) {
	t.Parallel()
	at := map[string][]byte{}
	for n := range 120 {
		at[fmt.Sprintf("s/seg_%05d.ts", n)] = []byte("x")
	}
	got, err := verify(t, punctual{&objects{at: at}}, slowPlayer{}, verifying(t, "EGRESS_FAILED", time.Second))
	require.NoError(t, err)
	require.False(t, got.Again, got.Because)
	require.Contains(t, got.Because, "by the request's segment_duration; a playlist of them is ")
}

// A path without a time in it is the same as that of yesterday's call.
func TestAnOlderObjectAtThePathIsAnotherRecordings(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		began time.Duration // after the object was written
		size  int64         // as LiveKit reports it
		want  egress.Media
		why   string
	}{
		"an hour before":             {time.Hour, 4, egress.MediaMissing, "file /a.mp4 is not there, but an older one of 1970-01-01T00:01:40Z"},
		"where no size is told":      {time.Hour, 0, egress.MediaMissing, "file /a.mp4 is not there, but an older one of 1970-01-01T00:01:40Z"},
		"by a clock that is far off": {time.Hour, 5, egress.MediaPresent, ""},
		"by clocks that differ":      {time.Minute, 4, egress.MediaPresent, ""},
		"while it was recording":     {-time.Minute, 4, egress.MediaPresent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := slashed(t)
			m := proto.CloneOf(in.Info.Proto())
			m.FileResults[0].StartedAt, m.FileResults[0].Size = written.Add(tc.began).UnixNano(), tc.size
			var err error
			in.Info, err = egress.NewInfo(m)
			require.NoError(t, err)
			got, err := verify(t, &objects{at: map[string][]byte{"a.mp4": []byte("media")}}, readingPlayer{}, in)
			require.NoError(t, err)
			require.Equal(t, tc.want, got.Media, got.Because)
			require.Equal(t, tc.why, got.Because)
		})
	}
}

// LiveKit's egress service writes below a prefix of its own, and says where in a presigned URL.
func TestWhatLiesBelowAPrefixIsFoundByAnEscapedLocation(t *testing.T) {
	t.Parallel()
	in := slashed(t)
	m := proto.CloneOf(in.Info.Proto())
	m.FileResults[0].Filename = "rec/Team Ä.mp4"
	m.FileResults[0].Location = "https://bucket.example.com/prod/rec/Team%20%C3%84.mp4?X-Amz-Signature=x"
	var err error
	in.Info, err = egress.NewInfo(m)
	require.NoError(t, err)
	got, err := verify(t, &objects{at: map[string][]byte{"prod/rec/Team Ä.mp4": []byte("media")}}, readingPlayer{}, in)
	require.NoError(t, err)
	require.Equal(t, egress.MediaPresent, got.Media, got.Because)
}

// LiveKit's uploader cleans a path, and its result does not. A room may be named like a path.
func TestWhatLiesUnderItsCleanedPathIsFoundThere(t *testing.T) {
	t.Parallel()
	for at, location := range map[string]string{
		"rec/board/42.mp4":      "https://bucket.example.com/rec/board/42.mp4",
		"prod/rec/board/42.mp4": "https://bucket.example.com/prod/rec/board/42.mp4",
	} {
		in := slashed(t)
		m := proto.CloneOf(in.Info.Proto())
		m.FileResults[0].Filename, m.FileResults[0].Location = "rec//board/42.mp4", location
		var err error
		in.Info, err = egress.NewInfo(m)
		require.NoError(t, err)
		got, err := verify(t, &objects{at: map[string][]byte{at: []byte("media")}}, readingPlayer{}, in)
		require.NoError(t, err)
		require.Equal(t, egress.MediaPresent, got.Media, got.Because)
		require.Equal(t, egress.Duration(time.Minute), got.Files[0].Length)
	}
}

func TestWhatNoPlayerKnowsIsNotPlayed(t *testing.T) {
	t.Parallel()
	in := slashed(t)
	m := proto.CloneOf(in.Info.Proto())
	m.FileResults[0].Filename = "a.mcap"
	var err error
	in.Info, err = egress.NewInfo(m)
	require.NoError(t, err)
	got, err := verify(t, &objects{at: map[string][]byte{"a.mcap": []byte("media")}}, player{err: &egress.Error{Reason: egress.Invalid, Message: "no media"}}, in)
	require.NoError(t, err)
	require.Equal(t, egress.MediaPresent, got.Media, got.Because)
}

// older is a store in which one object was written long before the others.
type older struct {
	*objects
	path string
}

func (o older) List(ctx context.Context, prefix string, most int) ([]egress.Object, error) {
	listed, err := o.objects.List(ctx, prefix, most)
	for i := range listed {
		if listed[i].Path == o.path {
			listed[i].Modified = listed[i].Modified.Add(-time.Hour)
		}
	}
	return listed, err
}

func TestASegmentOfAnEarlierRecordingFillsNoGap(t *testing.T) {
	t.Parallel()
	in := verifying(t, wellDone, 0)
	m := proto.CloneOf(in.Info.Proto())
	m.SegmentResults[0].StartedAt, m.SegmentResults[0].Size = 90*int64(time.Second), 5
	var err error
	in.Info, err = egress.NewInfo(m)
	require.NoError(t, err)
	got, err := verify(t, older{&objects{at: whole()}, "s/seg_00001.ts"}, nil, in)
	require.NoError(t, err)
	require.Equal(t, egress.MediaMissing, got.Media)
	require.Contains(t, got.Because, "are 1 of 2")
}

// The clock of the egress worker may be ahead of the store's, which takes what differs by 15 min.
func TestSegmentsThatSeemOlderAreTheRecordingsIfTheirNumberAndSizeAre(t *testing.T) {
	t.Parallel()
	playlist := int64(len(whole()["s/p.m3u8"]))
	const older = "playlist s/p.m3u8 is not there, but an older one of 1970-01-01T00:01:40Z; " +
		"playlist s/live.m3u8 is not there, but an older one of 1970-01-01T00:01:40Z; segments s/seg are 0 of "
	for name, tc := range map[string]struct {
		count, size int64 // as LiveKit reports them
		want        egress.Media
		why         string
	}{
		"as large":                  {2, 4, egress.MediaPresent, ""},
		"… with the playlist":       {2, 4 + playlist, egress.MediaPresent, ""},
		"larger":                    {2, 3, egress.MediaMissing, older + "2"},
		"more than were recorded":   {1, 4, egress.MediaMissing, older + "1"},
		"fewer than were recorded":  {3, 4, egress.MediaMissing, older + "3"},
		"of a size that nobody has": {2, 0, egress.MediaMissing, older + "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := verifying(t, wellDone, 0)
			m := proto.CloneOf(in.Info.Proto())
			of := m.SegmentResults[0]
			of.StartedAt, of.SegmentCount, of.Size, of.LivePlaylistName = written.Add(5*time.Minute).UnixNano(), tc.count, tc.size, "s/live.m3u8"
			var err error
			in.Info, err = egress.NewInfo(m)
			require.NoError(t, err)
			at := whole()
			at["s/live.m3u8"] = at["s/p.m3u8"]
			got, err := verify(t, &objects{at: at}, nil, in)
			require.NoError(t, err)
			require.Equal(t, tc.want, got.Media, got.Because)
			require.Equal(t, tc.why, got.Because)
		})
	}
}

func TestAStoreThatIsDownIsAskedMoreSeldomOnceNobodyWaits(t *testing.T) {
	t.Parallel()
	store := &objects{err: &egress.Error{Reason: egress.Unreachable, Message: "the store does not answer"}}
	for behind, want := range map[bool]time.Duration{false: 15 * time.Second, true: 256 * time.Second} {
		bubble(t, func(t *testing.T) {
			_, v := verifier(t, store, nil)
			var wait time.Duration
			in := verifying(t, wellDone, time.Hour)
			in.Behind = behind
			require.NoError(t, newAttempts(&api{}).run(func(ctx context.Context, in activities.VerifyRequest) (activities.Verified, error) {
				got, err := v.Verify(ctx, in)
				if activity.GetInfo(ctx).Attempt < 9 {
					return got, err
				}
				var failed *temporal.ApplicationError
				require.ErrorAs(t, err, &failed)
				wait = failed.NextRetryDelay()
				return got, nil
			}, in, nil))
			require.InDelta(t, want.Seconds(), wait.Seconds(), want.Seconds()/2)
		})
	}
}

func TestALookAtMediaJudgesByTemporalsClock(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		_, v := verifier(t, &objects{}, nil)
		var wait time.Duration
		once := newAttempts(&api{})
		once.options.HeartbeatTimeout = time.Hour
		require.NoError(t, once.run(func(ctx context.Context, in activities.VerifyRequest) (activities.Verified, error) {
			pass(3 * time.Minute) // the lead of this worker's clock over Temporal's
			got, err := v.Verify(ctx, in)
			wait = stillGoing(t, err)
			return got, nil
		}, verifying(t, wellDone, 2*time.Minute), nil))
		require.InDelta(t, 1, wait.Seconds(), 0.5)
	})
}
