package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

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

func TestSegmentsOfALaterPartAreLookedForWhereThatPartWrites(t *testing.T) {
	t.Parallel()
	in := verifying(t, egress.Lost, 0)
	in.Part = 2
	store := &objects{at: map[string][]byte{"s/seg-part2_00000.ts": []byte("ab")}}
	got, err := verify(t, store, nil, in)
	require.NoError(t, err)
	require.Contains(t, got.Because, "left behind at s/seg-part2")
}
