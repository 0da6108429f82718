package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheStateSaysWhetherLiveKitIsBeingAsked(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.stillActive()
	l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(time.Hour, egress.EventEnded, message(egressID, complete))
	l.at(time.Minute, func() { require.Zero(t, l.state().AskedFrom, "a webhook is waited for") })
	l.at(30*time.Minute, func() {
		require.WithinDuration(t, l.began.Add(5*time.Minute), l.state().AskedFrom, 35*time.Second, "it is overdue")
	})
	l.at(time.Hour+time.Minute, func() { t.Error("it still runs") })

	l.mustRun(plainInput(t))

	s := l.state()
	require.Zero(t, s.AskedFrom)
	require.Equal(t, egress.Delivered, s.Phase)
	require.Len(t, s.Story, 3)
}

// Both egresses of one start run: the door's, and that of the worker whose answer comes last.
func TestThatAPartWasStoppedIsSaidOnlyOfTheOneThatIsBound(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.slowStart(10 * time.Second)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: infoOf(t, part(2, active, 2)), Terms: terms()}, nil
	}
	l.poll = l.nothingNew
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(2*time.Second, egress.EventUpdated, part(2, active, 2))
	l.webhook(time.Minute, egress.EventEnded, part(1, complete, 60))

	v := l.mustRun(plainInput(t))

	require.Equal(t, []string{"EG_2"}, l.stops)
	require.Equal(t, egressID, v.EgressID)
	for _, beat := range l.state().Story {
		require.NotContains(t, beat.What, "twin")
	}
}
