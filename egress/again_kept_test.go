package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheLooksThatWereLeftUnansweredAreThoseOfOneHold(t *testing.T) {
	t.Parallel()
	s := heldAt(t)
	for n := range 4 {
		s.Looked(egress.Look{}, noon.Add(10*minute+time.Duration(n)*time.Second))
	}
	require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, failed, 30, 1), 20*minute)))
	for n := 21; n < 25; n++ {
		at := noon.Add(time.Duration(n) * minute)
		s.Looked(egress.Look{}, at)
		require.Equal(t, egress.ActNothing, s.Due(at), "look %d", n-20)
	}
	s.Looked(egress.Look{}, noon.Add(25*minute))
	require.Equal(t, egress.ActSettle, s.Due(noon.Add(25*minute)), "the fifth is the last")
}

// LiveKit's list proves nothing about a lost egress, but it does about a failed one.
func TestThatLiveKitListsWhatFailedAsRunningLaterOnIsASignOfLife(t *testing.T) {
	t.Parallel()
	s := heldAt(t)
	o := observed(infoAt(t, active, 21, 0), 2*minute)
	o.Source = egress.FromReconcile
	require.Equal(t, egress.Moved, s.Observe(o))
	require.Equal(t, egress.Watching, s.Phase)
}

// The stop is of no use to a second run, since whoever told LiveKit to stop the first wants none.
func TestAStopAfterTheEndOfWhatWasStoppedPastUsHoldsItNot(t *testing.T) {
	t.Parallel()
	s := &egress.State{Phase: egress.Requested}
	s.Observe(observed(infoWith(t, aborted, func(m *livekit.EgressInfo) { m.SetEndReason(livekit.EndReasonAPI) }), minute))
	s.WantStop(egress.StopCancelled, noon.Add(2*minute))
	require.False(t, s.Early())
	s.Started, s.Policy = true, egress.DefaultPolicy()
	s.HoldEarly()
	require.Equal(t, egress.Settled, s.Phase)
}
