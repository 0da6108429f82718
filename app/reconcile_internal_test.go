package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheReconcilersHealthIsAskedForOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var since []time.Duration
		ok, err := true, error(nil)
		h := &health{every: time.Minute, since: func(_ context.Context, at time.Time) (bool, error) {
			since = append(since, time.Since(at))
			return ok, err
		}}
		for range 3 {
			require.True(t, h.Healthy(t.Context()))
		}
		require.Equal(t, []time.Duration{3 * time.Minute}, since)

		ok = false
		<-time.After(time.Minute) // of the bubble's own clock
		require.False(t, h.Healthy(t.Context()))

		ok, err = true, errors.New("Temporal is away")
		<-time.After(time.Minute)
		require.False(t, h.Healthy(t.Context()), "what cannot be asked is not healthy")
		require.Len(t, since, 3)
	})
}

// A worker runs for weeks: what Temporal did not answer as it began must not be missing so long.
func TestAScheduleThatTemporalDoesNotAnswerForIsMadeLater(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		first error
		want  int64
	}{
		"not answered": {&egress.Error{Reason: egress.Unavailable}, 2},
		"in doubt":     {&egress.Error{Reason: egress.Ambiguous}, 2},
		"not allowed":  {&egress.Error{Reason: egress.Denied}, 1},
		"made":         {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &App{log: slog.New(slog.DiscardHandler)}
				var tries atomic.Int64
				a.schedule(t.Context(), func(context.Context) error {
					if tries.Add(1) > 1 {
						return nil
					}
					return tc.first
				}, "nothing is done")
				<-time.After(time.Hour) // of the bubble's own clock
				require.Equal(t, tc.want, tries.Load())
			})
		})
	}
}

func TestACallerThatIsGoneDoesNotMakeTheReconcilerUnhealthy(t *testing.T) {
	t.Parallel()
	h := &health{every: time.Minute, since: func(ctx context.Context, _ time.Time) (bool, error) {
		by, bounded := ctx.Deadline()
		require.True(t, bounded)
		require.LessOrEqual(t, time.Until(by), healthLimit)
		return true, ctx.Err()
	}}
	gone, leave := context.WithCancel(t.Context())
	leave()
	require.True(t, h.Healthy(gone))
}
