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

// LiveKit's rooms are rows in a store, which may lose one: no reason to end a good recording.
func TestARecorderThatItsRoomDoesNotShowIsAskedAndNotStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_LOOK_ENDING"], environ["REELKEEPER_LOST_AFTER"] = "200ms", "1s"
	})
	w.startWorker()
	w.room("shown", fakelivekit.RoomScript{})
	w.room("room", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.RecorderUnlisted}})
	w.start("shown")
	id := w.start("room").Info.Proto().GetEgressId()

	w.want("its worker has been asked, again and again", func() bool {
		calls := w.fake.Calls()
		return calls["UpdateStream"] > 2 || calls["StopEgress"] > 0
	})

	require.Zero(t, w.fake.Calls()["StopEgress"])
	require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, w.statusOf(id))
	require.NoError(t, w.fake.EndCall("room"))
	v := w.verdict("room")
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Len(t, w.consumer.told(id), 1)
	require.Zero(t, w.fake.Calls()["StopEgress"])
}
