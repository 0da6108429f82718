package activities_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// readingPlayer plays what it can read.
type readingPlayer struct{}

func (readingPlayer) Length(ctx context.Context, _ int64, read func(context.Context, int64) (io.ReadCloser, error)) (egress.Duration, error) {
	r, err := read(ctx, 0)
	if err != nil {
		return 0, err
	}
	return egress.Duration(time.Minute), r.Close()
}

// slashed is what a composite writes to a path with a slash in front.
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

func (b busyBelow) Size(ctx context.Context, path string) (int64, error) {
	if !strings.HasPrefix(path, "/") {
		return 0, &egress.Error{Reason: egress.Unreachable, Message: "the store answers 503"}
	}
	return b.objects.Size(ctx, path)
}

func TestAStoreThatDoesNotAnswerForOneOfTwoNamesHasNotSaidThatItIsMissing(t *testing.T) {
	t.Parallel()
	got, err := verifyIn(t, busyBelow{&objects{}}, nil, slashed(t))
	require.NoError(t, err)
	require.True(t, got.Again, "%+v", got)
	require.NotEqual(t, egress.MediaMissing, got.Media)
}

// slowPlayer takes its time for each, and stops when it is told to.
type slowPlayer struct{}

func (slowPlayer) Length(ctx context.Context, _ int64, _ func(context.Context, int64) (io.ReadCloser, error)) (egress.Duration, error) {
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
	got, err := verifyIn(t, punctual{&objects{at: at}}, slowPlayer{}, verifying(t, "EGRESS_FAILED", time.Second))
	require.NoError(t, err)
	require.False(t, got.Again, got.Because)
	require.Contains(t, got.Because, "by the request's segment_duration; a playlist of them is ")
}
