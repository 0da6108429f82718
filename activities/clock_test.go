package activities_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// lead is how far a worker's clock is ahead of Temporal's.
const lead = 40 * time.Second

// roundAhead makes a round by a worker whose clock is ahead, and returns when the round began by
// Temporal's.
func roundAhead(t *testing.T, act *activities.Reconciler, deep bool) (r egress.Round, began time.Time) {
	t.Helper()
	once := newAttempts(&api{})
	once.options.HeartbeatTimeout = time.Hour
	require.NoError(t, once.run(func(ctx context.Context, in activities.RoundRequest) (egress.Round, error) {
		began = time.Now()
		pass(lead)
		return act.Reconcile(ctx, in)
	}, activities.RoundRequest{At: time.Now(), Deep: deep}, &r))
	return r, began
}

// endedBefore returns an egress of ours that ended that long before now.
func endedBefore(d time.Duration) *both {
	m := over("EG_1")
	m.EndedAt = time.Now().Add(-d).UnixNano()
	return &both{items: []*lk.EgressInfo{m}, running: []egress.Ours{workflowOf("r-1", "EG_1")}}
}

// LiveKit may still be telling of the end, and the room is new.
func TestARoundJudgesByTemporalsClock(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		slow string
		took time.Duration
		acts bool
	}{
		"which is behind this worker's":     {"", 0, false},
		"which goes on during a long round": {"list", itsTime, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				b := slowly{what: tc.slow, both: endedBefore(30 * time.Second)}
				b.rooms = []*lk.Room{{Name: "daily", Sid: "RM_2", NumParticipants: 1, CreationTime: time.Now().Add(-30 * time.Second).Unix()}}
				r, began := roundAhead(t, activities.NewReconciler(activities.ReconcilerConfig{
					Grace: egress.Duration(time.Minute), Expect: egress.Expectation{Rooms: []string{"*"}, After: egress.Duration(time.Minute)},
				}, b, b, keys(t)), true)
				require.Equal(t, tc.took, r.Took.D())
				require.Equal(t, [2]bool{tc.acts, tc.acts}, [2]bool{r.Nudged == 1, len(r.Unrecorded) == 1})
				require.Equal(t, began.Add(tc.took-4*time.Minute).UTC(), b.strandedSince.UTC())
			})
		})
	}
}

func TestARoundHearsOfAnEndByTemporalsClock(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		var span time.Duration
		began, b := time.Now(), endedBefore(65*time.Second)
		r, _ := roundAhead(t, activities.NewReconciler(activities.ReconcilerConfig{
			Grace: egress.Duration(time.Minute),
			Endpoint: endpoint(func(_ context.Context, _, to time.Time) (egress.Reported, error) {
				span = to.Sub(began.Add(-65 * time.Second))
				return egress.Reported{}, nil
			}),
		}, b, b, keys(t)), true)
		require.Equal(t, 1, r.Nudged)
		require.Equal(t, 65*time.Second, span, "from its end until we heard of it")
	})
}

func TestARoundReadsWhatChangedByTemporalsClock(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := &both{items: []*lk.EgressInfo{running("EG_1")}, running: []egress.Ours{workflowOf("r-1", "EG_1")}}
		act := reconciler(t, b, egress.Expectation{})
		_, first := roundAhead(t, act, true)
		_, second := roundAhead(t, act, false)
		require.Equal(t, first.Add(-time.Minute).UTC(), b.since.UTC(), "visibility may lag by a minute")
		roundAhead(t, act, false)
		require.Equal(t, second.Add(-time.Minute).UTC(), b.since.UTC())
		roundAhead(t, act, true)
		require.Equal(t, first.Add(-time.Minute).UTC(), b.doneSince.UTC())
	})
}
