package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// Our own poll settles a recording and its workflow closes, and only then does LiveKit report the
// end. The report knows that the webhook came.
func TestAWebhookThatComesAfterItsWorkflowHasClosedIsLateInTheReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) {
		fake.Timings.WebhookLate = 30 * time.Second
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.RoomWebhookLost: 1}
	})
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := w.start("room").Info.Proto().GetEgressId()
	w.want("ACTIVE is known", func() bool { return w.state("room").Status == "EGRESS_ACTIVE" })
	require.NoError(t, w.fake.SetFault(fakelivekit.WebhookLate, 1))
	require.NoError(t, w.fake.EndCall("room"))

	v := w.verdict("room")
	require.Equal(t, egress.FromPoll, v.EndedBy)
	require.NotEqual(t, egress.MissedLate, v.Missed, "it came before the workflow closed")
	require.Zero(t, w.fake.Deliveries()[webhook.EventEgressEnded].Sent)
	w.want("both webhooks of the end come", func() bool { return w.fake.Deliveries()[webhook.EventEgressEnded].Sent == 2 })

	var report recordings.Report
	w.want("the report knows", func() bool {
		report = recordings.Report{}
		err := json.Unmarshal([]byte(w.starter("", "report", "--json").out), &report)
		return err == nil && report.Classes[egress.MissedLate] == 1
	})
	require.Len(t, report.Misses, 1)
	require.Equal(t, id, report.Misses[0].EgressID)
	require.Equal(t, egress.MissedLate, report.Misses[0].Class)
	require.Contains(t, w.starter("", "list", "--missed", "--json").out, `"missed": "late"`)
	require.Contains(t, w.starter("", "export").out, `"missed":"late"`)
	shown := w.state("room")
	require.Equal(t, egress.MissedLate, shown.Verdict.Missed)
	require.Regexp(t, `^it came .*s after we had learned the end$`, shown.Verdict.MissedBecause)
	require.Len(t, w.consumer.told(id), 1, "the end is announced once")
	require.EqualValues(t, 1, w.workflows(egress.LateType), "of both webhooks, and of each repeat")
}
