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

// A worker runs for weeks: what Temporal did not answer at its start must not be missing that long.
func TestAScheduleThatTemporalDoesNotAnswerForIsMadeLater(t *testing.T) {
	t.Parallel()
	another := egress.Invalidf("LIVEKIT_API_SECRET", "is another project's")
	for name, tc := range map[string]struct {
		answers []error // when used up: the schedule is made
		want    int64
		refused error // at once
		ended   error // later
	}{
		"not answered":                     {[]error{&egress.Error{Reason: egress.Unavailable}}, 2, nil, nil},
		"in doubt":                         {[]error{&egress.Error{Reason: egress.Ambiguous}}, 2, nil, nil},
		"not allowed":                      {[]error{&egress.Error{Reason: egress.Denied}}, 1, nil, nil},
		"made":                             {nil, 1, nil, nil},
		"another project's":                {[]error{another}, 1, another, nil},
		"another project's, as said later": {[]error{&egress.Error{Reason: egress.Unavailable}, another}, 2, nil, another},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &App{log: slog.New(slog.DiscardHandler), fatal: make(chan error, 1)}
				var tries atomic.Int64
				err := a.schedule(t.Context(), func(context.Context) error {
					if n := int(tries.Add(1)); n <= len(tc.answers) {
						return tc.answers[n-1]
					}
					return nil
				}, "nothing is done")
				require.Equal(t, tc.refused, err)
				<-time.After(time.Hour) // of the bubble's own clock
				require.Equal(t, tc.want, tries.Load())
				select {
				case err := <-a.fatal:
					require.Equal(t, tc.ended, err)
				default:
					require.NoError(t, tc.ended)
				}
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
