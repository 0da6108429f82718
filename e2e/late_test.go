package e2e

import (
	"encoding/json"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// Our own poll settles a recording and its workflow closes, and only then does LiveKit report the
// end. The report knows that the webhook came.
func TestAWebhookThatComesAfterItsWorkflowHasClosedIsLateInTheReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.RoomWebhookLost: 1}
	})
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := w.start("room").Info.Proto().GetEgressId()
	w.want("ACTIVE is known", func() bool { return w.state("room").Status == "EGRESS_ACTIVE" })
	require.NoError(t, w.fake.SetFault(fakelivekit.WebhookLost, 1))
	require.NoError(t, w.fake.EndCall("room"))

	v := w.verdict("room")
	require.Equal(t, egress.FromPoll, v.EndedBy)
	require.NotEqual(t, egress.MissedLate, v.Missed, "it came before the workflow closed")
	w.want("its workflow has closed", func() bool { return w.state("room").Workflow == "completed" })
	late, err := protojson.Marshal(&livekit.WebhookEvent{Event: egress.EventEnded, Id: "EV_late", EgressInfo: w.fake.Egresses()[0].Info})
	require.NoError(t, err)
	own := w.requestWebhook("r-room")
	for _, path := range []string{egress.WebhookPath, own, own} {
		w.post(path, string(late))
	}

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
