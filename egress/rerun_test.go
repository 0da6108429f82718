package egress_test

import (
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// The first run's end was late, and somebody asked for a stop meanwhile: that was of the second run.
func TestTheSecondRunIsHeardOfOnceTheFirstIsSettledByAStop(t *testing.T) {
	t.Parallel()
	for status, want := range map[livekit.EgressStatus]egress.Phase{active: egress.Watching, complete: egress.Settled} {
		s := recording(t)
		s.WantStop(egress.StopRequested, noon)
		require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, failed, 20, 0), minute)))
		require.Equal(t, egress.Settled, s.Phase)
		require.Equal(t, egress.NoNews, s.Observe(observed(infoAt(t, complete, 30, 0), minute)), "no other run")
		require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, status, 30, 1), minute)))
		require.Equal(t, want, s.Phase)
		require.Equal(t, status, s.Latest.Proto().GetStatus())
	}
}
