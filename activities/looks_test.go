package activities_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// prompt is a store that answers nobody who has no time left. It counts how often it is closed.
type prompt struct {
	*objects
	closed int
}

func (p *prompt) Stat(ctx context.Context, path string) (egress.Object, error) {
	if ctx.Err() != nil {
		return egress.Object{}, &egress.Error{Reason: egress.Unreachable, Message: "the store does not answer"}
	}
	return p.objects.Stat(ctx, path)
}

func (p *prompt) Close() error {
	p.closed++
	return nil
}

// It waited for a slot until its time was up.
func TestALookHasSomeTimeHoweverLateItBegins(t *testing.T) {
	t.Parallel()
	got, err := verify(t, &prompt{objects: &objects{at: whole()}}, nil, verifying(t, wellDone, 0))
	require.NoError(t, err)
	require.Equal(t, egress.MediaPresent, got.Media, got.Because)
	require.False(t, got.Again)
}

func TestALookClosesEachStoreThatItOpened(t *testing.T) {
	t.Parallel()
	store := &prompt{objects: &objects{at: whole()}}
	_, err := verify(t, store, nil, verifying(t, wellDone, 0))
	require.NoError(t, err)
	require.Equal(t, 2, store.closed, "that of the file, and that of the segments")
}

// Each of its segments has the path of the directory, so that a short line takes a kilobyte.
func TestAPlaylistOfLongNamesIsReadToALimit(t *testing.T) {
	t.Parallel()
	dir := strings.Repeat("d", 1000)
	in := verifying(t, wellDone, 0)
	result := proto.CloneOf(in.Info.Proto())
	result.SegmentResults[0].PlaylistName = dir + "/p.m3u8"
	var err error
	in.Info, err = egress.NewInfo(result)
	require.NoError(t, err)
	for segments, why := range map[int]string{
		8000:   "segments s/seg are 0 of 2",
		50_000: "segments s/seg could not be looked at: the names in the playlist are longer than a look reads",
	} {
		store := &objects{at: map[string][]byte{"a.mp4": []byte("media"), dir + "/p.m3u8": []byte(strings.Repeat("a\n", segments))}}
		got, err := verify(t, store, nil, in)
		require.NoError(t, err)
		require.Contains(t, got.Because, why)
	}
}

func TestSegmentsOfALaterPartAreLookedForWhereThatPartWrites(t *testing.T) {
	t.Parallel()
	ofPart2 := []*livekit.SegmentedFileOutput{{FilenamePrefix: "s/seg-part2", PlaylistName: "s/p-part2.m3u8"}}
	for name, tc := range map[string]struct {
		part  int
		shown []*livekit.SegmentedFileOutput
	}{
		"LiveKit shows what it was asked for": {2, ofPart2},
		"LiveKit does not":                    {2, nil},
		"the part has another number by now":  {1, ofPart2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := verifying(t, egress.Lost, 0)
			result := proto.CloneOf(in.Info.Proto())
			result.Request = &livekit.EgressInfo_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{SegmentOutputs: tc.shown}}
			var err error
			in.Part = tc.part
			in.Info, err = egress.NewInfo(result)
			require.NoError(t, err)
			store := &objects{at: map[string][]byte{"s/seg-part2_00000.ts": []byte("ab")}}
			got, err := verify(t, store, nil, in)
			require.NoError(t, err)
			require.Contains(t, got.Because, "left behind at s/seg-part2")
		})
	}
}

// behind returns the request for a look that nobody waits for, at a recording in a bucket.
func behind(t *testing.T, bucket string) activities.VerifyRequest {
	t.Helper()
	in, to := verifying(t, wellDone, time.Minute), &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Bucket: bucket}}
	in.Behind = true
	in.Input.Plain = &livekit.RoomCompositeEgressRequest{RoomName: "room", FileOutputs: []*livekit.EncodedFileOutput{
		{Filepath: "a.mp4", Output: to}, {Filepath: "b.mp4", Output: to},
	}}
	return in
}

func lookBy(v *activities.Verification, in activities.VerifyRequest) error {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(v)
	_, err := env.ExecuteActivity(v.Verify, in)
	return err
}

func TestAStoreThatHangsLeavesLooksBehindAnnouncementsToOtherStores(t *testing.T) {
	t.Parallel()
	const most = 4 // of 8
	opened, goOn := make(chan struct{}, 2*most), make(chan struct{})
	v := activities.NewVerification(activities.VerificationConfig{
		Opener: keys(t), Open: func(_ context.Context, d egress.Destination) (activities.Bucket, error) {
			if d.Upload.S3.GetBucket() == "hangs" {
				opened <- struct{}{}
				<-goOn
			}
			return &objects{at: whole()}, nil
		},
	})
	release := sync.OnceFunc(func() { close(goOn) })
	defer release()
	results, hangs := make(chan error, most+1), behind(t, "hangs")
	for range most {
		go func() { results <- lookBy(v, hangs) }()
		<-opened
	}
	go func() { results <- lookBy(v, hangs) }()
	select {
	case err := <-results:
		a, e := failed(t, err)
		require.Equal(t, egress.HeldBack, e.Reason)
		require.InEpsilon(t, time.Second, a.NextRetryDelay(), 0.51)
	case <-opened:
		t.Fatal("it takes the places of other stores")
	}
	require.NoError(t, lookBy(v, behind(t, "well")))
	release()
	for range most {
		require.NoError(t, <-results)
	}
	require.NoError(t, lookBy(v, hangs), "there is a place again")
}
