package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// suspected is the reconciler's signal that a workflow should look for itself.
func (l *life) suspected(after time.Duration, id string) {
	l.at(after, func() {
		e, err := egress.LookEvent(id, l.Now())
		require.NoError(l.t, err)
		l.SignalWorkflow(egress.SignalReconciled, e)
	})
}

// pollsBegun are when polls were begun, since the workflow was.
func (l *life) pollsBegun() *[]time.Duration {
	var at []time.Duration
	poll := l.poll
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if last := len(at) - 1; last < 0 || at[last] != l.took() {
			l.note(func() { at = append(at, l.took()) })
		}
		return poll(in)
	}
	return &at
}

func TestASuspectedEgressIsLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		id   string
		want []time.Duration
	}{
		"it is ours":        {egressID, []time.Duration{2 * time.Minute}},
		"it is another one": {"EG_another", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.stillActive()
			begun := l.pollsBegun()
			l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
			l.suspected(2*time.Minute, tc.id)
			l.suspected(3*time.Minute, tc.id) // by the next round
			l.webhook(4*time.Minute, egress.EventEnded, message(egressID, complete))

			v := l.mustRun(plainInput(t))

			require.Equal(t, egress.FromWebhook, v.EndedBy)
			require.Empty(t, v.Twins)
			require.Equal(t, tc.want, *begun)
		})
	}
}

// Its recorder may have left since, which is evidence only where it was there.
func TestThatARecorderWasSeenIsKnownToAllWhoLookLater(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		look, err := l.nothingNew(in)
		look.RecorderSeen = true
		return look, err
	}
	var seen []bool
	l.twin = func(in activities.TwinRequest) (activities.TwinAnswer, error) {
		seen = append(seen, in.Seen)
		return activities.TwinAnswer{}, nil
	}
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(2*time.Hour, egress.EventUpdated, part(2, active, 7200))
	l.webhook(3*time.Hour, egress.EventEnded, message(egressID, complete))

	l.mustRun(plainInput(t))

	require.False(t, l.polls[0].Seen)
	require.True(t, l.polls[1].Seen)
	require.Equal(t, []bool{true}, seen)
}

func TestWhatLiveKitForgotIsLostSoonAfterTheReconcilerSawIt(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.poll = func(activities.PollRequest) (egress.Look, error) {
		return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
	}
	l.suspected(2*time.Minute, egressID)

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Lost, v.Status)
	require.Less(t, l.took(), 3*time.Minute)
}
