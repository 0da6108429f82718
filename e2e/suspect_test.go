package e2e

import (
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// Its absent participant is evidence with a LiveKit that shows the other egress's participant.
func TestADeadRecorderThatNobodyHeardOfIsFoundByTheReconciler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		reconciled(fake, environ)
		environ["REELKEEPER_LOOK_ENDING"] = "200ms"
	})
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	w.room("dies", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Zombie}})
	alive, dead := w.start("room").Info.Proto().GetEgressId(), w.start("dies").Info.Proto().GetEgressId()
	w.known(alive)
	w.known(dead)
	w.want("its participant has left", func() bool { return w.round(false).Suspected == 1 })

	v := w.verdict("dies")
	require.Equal(t, egress.Lost, v.Status)
	require.Contains(t, v.Because, "participant")
	require.Len(t, w.consumer.told(dead), 1)
	require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, w.statusOf(alive))
}
