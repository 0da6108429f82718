package activities_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// slowly is both sides, with one slow call.
type slowly struct {
	*both
	what string
}

const itsTime = 10 * time.Minute

func (s slowly) take(what string) {
	if s.what == what {
		pass(itsTime)
	}
}

func (s slowly) All(ctx context.Context, active bool) ([]*lk.EgressInfo, int, error) {
	s.take("list")
	return s.both.All(ctx, active)
}

func (s slowly) Running(ctx context.Context) ([]egress.Ours, error) {
	s.take("read")
	return s.both.Running(ctx)
}

func (s slowly) Get(ctx context.Context, id string) (*lk.EgressInfo, error) {
	s.take("ask")
	return s.both.Get(ctx, id)
}

func (s slowly) AdoptListed(ctx context.Context, requestID string, x egress.Extras, e egress.Event) (bool, error) {
	s.take("adopt")
	return s.both.AdoptListed(ctx, requestID, x, e)
}

func (s slowly) Present(ctx context.Context, room, identity string) (bool, error) {
	s.take("seek")
	return s.both.Present(ctx, room, identity)
}

func (s slowly) Rooms(ctx context.Context) ([]*lk.Room, error) {
	s.take("rooms")
	return s.both.Rooms(ctx)
}

func TestARoundSaysThatItIsAliveWhateverItWaitsFor(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"list", "read", "ask", "adopt", "seek", "rooms"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				b := slowly{what: what, both: &both{
					items:   []*lk.EgressInfo{running("EG_stray"), over("EG_over"), running("EG_runs")},
					running: []egress.Ours{workflowOf("r-1", "EG_over"), workflowOf("r-2", "EG_runs")},
					here:    map[string]bool{"EG_runs": true},
				}}
				act := activities.NewReconciler(activities.ReconcilerConfig{
					Grace: egress.Duration(time.Minute), Policy: egress.DefaultPolicy(), Expect: egress.Expectation{Rooms: []string{"*"}},
				}, b, b, keys(t))
				env := newAttempts(&api{})
				var beats atomic.Int32
				env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
				var r egress.Round
				require.NoError(t, env.run(act.Reconcile, activities.RoundRequest{At: time.Now()}, &r))
				synctest.Wait()
				require.GreaterOrEqual(t, r.Took.D(), itsTime)
				require.Equal(t, [2]int{1, 1}, [2]int{r.Adopted, r.Nudged})
				require.Greater(t, beats.Load(), int32(itsTime/env.options.HeartbeatTimeout))
			})
		})
	}
}

func TestALookSaysThatItIsAliveWhileLiveKitTakesItsTime(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onGet: func(int) (*lk.EgressInfo, error) {
			pass(itsTime)
			return status(complete), nil
		}}
		env := newAttempts(a)
		var beats atomic.Int32
		env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
		var look egress.Look
		require.NoError(t, env.run(activitiesOf(t, a).Poll, question(), &look))
		synctest.Wait()
		require.Equal(t, complete, look.Info.Proto().GetStatus())
		require.Greater(t, beats.Load(), int32(itsTime/env.options.HeartbeatTimeout))
	})
}

func TestALookAtMediaSaysThatItIsAliveWhileTheStoreTakesItsTime(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		v := activities.NewVerification(activities.VerificationConfig{
			Opener: keys(t), Open: func(context.Context, egress.Destination) (activities.Bucket, error) {
				pass(itsTime)
				return &objects{at: whole()}, nil
			},
		})
		env := newAttempts(&api{})
		var beats atomic.Int32
		env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
		var got activities.Verified
		require.NoError(t, env.run(v.Verify, verifying(t, wellDone, time.Minute), &got))
		synctest.Wait()
		require.Equal(t, egress.MediaPresent, got.Media)
		require.Greater(t, beats.Load(), int32(itsTime/env.options.HeartbeatTimeout))
	})
}
