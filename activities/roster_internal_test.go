package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// finished is a Registry of which nothing but Completed is asked.
type finished struct {
	Registry
	list []egress.Ours
}

func (f finished) Completed(context.Context, time.Time) ([]egress.Ours, error) { return f.list, nil }

func TestWhatCompletedBeforeLiveKitForgotIsForgotten(t *testing.T) {
	t.Parallel()
	var r roster
	read := func(since time.Time, requestIDs ...string) (known []string) {
		var f finished
		for _, id := range requestIDs {
			f.list = append(f.list, egress.Ours{RequestID: id, EgressID: "EG_" + id})
		}
		ours, err := r.completed(t.Context(), f, since)
		require.NoError(t, err)
		for _, o := range ours {
			known = append(known, o.RequestID)
		}
		return known
	}
	long := time.Now().Add(-remembered)
	require.ElementsMatch(t, []string{"r-1", "r-2"}, read(long, "r-1", "r-2"))
	require.ElementsMatch(t, []string{"r-1", "r-2", "r-3"}, read(long, "r-3", "r-2"))
	require.Equal(t, []string{"r-4"}, read(time.Now(), "r-4"), "the others were read before that moment")
}
