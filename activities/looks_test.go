package activities_test

import (
	"context"
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

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
