package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
