package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// The real endpoint answers 503 for as long as it cannot reach Temporal. LiveKit gives up
// meanwhile; once the endpoint has reported that time, it is given as the reason for the miss.
func TestAnEndpointThatAnswered503IsWhyAWebhookWasMissed(t *testing.T) {
	t.Parallel()
	way := newGate(t, server.Address)
	w := newWorldInAHurry(t, hurry, func(fake *fakelivekit.Config, environ map[string]string) {
		environ["TEMPORAL_ADDRESS"] = way.Address
		environ["REELKEEPER_LOOK_STARTING"], environ["REELKEEPER_LOOK_ACTIVE"] = "10m", "10m"
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.RoomWebhookLost: 1} // otherwise a look comes first
		environ["REELKEEPER_RECONCILE_GRACE"] = "1ms"
	})
	w.environ["TEMPORAL_ADDRESS"] = server.Address // only the endpoint goes through the gate
	w.startWorker()
	w.client = w.worker.Recordings()
	w.room("room", fakelivekit.RoomScript{})
	id := w.start("room").Info.Proto().GetEgressId()
	w.want("ACTIVE is known by a webhook", func() bool { return w.state("room").Status == "EGRESS_ACTIVE" })

	way.cut()
	require.NoError(t, w.fake.EndCall("room"))
	w.want("LiveKit gives both webhooks of the end up", func() bool {
		d := w.fake.Deliveries()[webhook.EventEgressEnded]
		return d.Failed+d.Dropped == 2
	})
	way.open()
	reopened := time.Now()
	w.want("the endpoint has reported", func() bool { return w.reported().After(reopened) })
	w.roundWith(1, false, func(r egress.Round) int { return r.Nudged })

	v := w.verdict("room")

	require.Equal(t, egress.FromReconcile, v.EndedBy)
	require.Equal(t, egress.MissedDown, v.Missed, v.MissedBecause)
	require.Contains(t, v.MissedBecause, "the endpoint could not take")
	require.Zero(t, w.fake.Deliveries()[webhook.EventEgressEnded].Sent)
	w.want("a report shows it", func() bool {
		r, err := w.client.Report(w.ctx(), reopened.Add(-time.Minute), time.Now())
		return err == nil && r.Classes[egress.MissedDown] == 1 && len(r.Misses) == 1 && r.Misses[0].EgressID == id
	})
}
