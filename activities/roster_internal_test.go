package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// finished is a Registry that answers only Completed.
type finished struct {
	Registry
	list  []egress.Ours
	since time.Time // that was asked for
}

func (f *finished) Completed(_ context.Context, since time.Time) ([]egress.Ours, error) {
	f.since = since
	return f.list, nil
}

func TestWhatCompletedBeforeLiveKitForgotIsForgotten(t *testing.T) {
	t.Parallel()
	var r roster
	var f finished
	read := func(since time.Time, requestIDs ...string) (known []string) {
		f.list = nil
		for _, id := range requestIDs {
			f.list = append(f.list, egress.Ours{RequestID: id, EgressID: "EG_" + id})
		}
		ours, err := r.completed(t.Context(), &f, since, time.Now())
		require.NoError(t, err)
		for _, o := range ours {
			known = append(known, o.RequestID)
		}
		return known
	}
	long := time.Now().Add(-egress.Remembered)
	require.ElementsMatch(t, []string{"r-1", "r-2"}, read(long, "r-1", "r-2"))
	require.ElementsMatch(t, []string{"r-1", "r-2", "r-3"}, read(long, "r-3", "r-2"))
	require.Equal(t, []string{"r-4"}, read(time.Now(), "r-4"), "the others were read before that moment")
	require.ElementsMatch(t, []string{"r-1", "r-4"}, read(long, "r-1"), "who asks for longer ago is told of that, too")
	require.Equal(t, long, f.since)
}
