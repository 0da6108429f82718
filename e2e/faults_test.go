package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// Every fault of the fake that affects an accepted egress has the same result: one verdict, one
// announcement, no twin.
func TestEveryFaultEndsInOneVerdictAndOneAnnouncement(t *testing.T) {
	t.Parallel()
	faultsEndInOneVerdictAndOneAnnouncement(t, func(fakelivekit.Fault) bool { return true })
}

func faultsEndInOneVerdictAndOneAnnouncement(t *testing.T, wanted func(fakelivekit.Fault) bool) {
	t.Helper()
	const call = 2 * time.Second
	for _, tt := range []struct {
		fault      fakelivekit.Fault
		script     fakelivekit.RoomScript
		wantStatus egress.Status
		wantBy     []egress.Source
	}{
		{fakelivekit.WebhookLost, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromPoll)},
		{fakelivekit.WebhookRepeated, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromWebhook)},
		{fakelivekit.WebhookLate, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromWebhook, egress.FromPoll)},
		{fakelivekit.WebhookOutOfOrder, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromWebhook, egress.FromPoll)},
		{fakelivekit.WebhookHang, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromPoll)},
		{fakelivekit.RoomWebhookLost, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromWebhook)},
		{fakelivekit.ReplyLost, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromWebhook)},
		{fakelivekit.ReplyHang, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromWebhook)},
		{fakelivekit.Reply5xx, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromWebhook)},
		{fakelivekit.StartSlow, fakelivekit.RoomScript{Call: 5 * time.Second}, "EGRESS_COMPLETE", by(egress.FromWebhook)},
		{fakelivekit.Failed, fakelivekit.RoomScript{Call: call}, "EGRESS_FAILED", by(egress.FromWebhook)},
		{fakelivekit.UploadFailed, fakelivekit.RoomScript{Call: call}, "EGRESS_FAILED", by(egress.FromWebhook)},
		{fakelivekit.Aborted, fakelivekit.RoomScript{Call: call}, "EGRESS_ABORTED", by(egress.FromWebhook)},
		{fakelivekit.LimitReached, fakelivekit.RoomScript{Call: 5 * time.Second}, "EGRESS_LIMIT_REACHED", by(egress.FromWebhook)},
		{fakelivekit.Zombie, fakelivekit.RoomScript{Call: call}, egress.Lost, by(egress.FromTimeout)},
		{fakelivekit.RecorderUnlisted, fakelivekit.RoomScript{Call: 5 * time.Second}, "EGRESS_COMPLETE", by(egress.FromWebhook, egress.FromPoll)},
		{fakelivekit.Rerun, fakelivekit.RoomScript{Call: 5 * time.Second}, "EGRESS_COMPLETE", by(egress.FromWebhook)},
		{fakelivekit.Forgotten, fakelivekit.RoomScript{Call: call}, egress.Lost, by(egress.FromTimeout)},
		{fakelivekit.NoEcho, fakelivekit.RoomScript{Call: call}, "EGRESS_COMPLETE", by(egress.FromWebhook, egress.FromPoll)},
	} {
		if !wanted(tt.fault) {
			continue
		}
		t.Run(string(tt.fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
				if !slices.Contains(tt.wantBy, egress.FromPoll) && tt.wantStatus != egress.Lost {
					environ["REELKEEPER_LOOK_STARTING"], environ["REELKEEPER_LOOK_ACTIVE"], environ["REELKEEPER_LOOK_ENDING"] = "1m", "1m", "1m"
				}
				if tt.fault == fakelivekit.ReplyHang || tt.fault == fakelivekit.StartSlow { // the call gives up before LiveKit answers
					environ["REELKEEPER_START_CALL_TIMEOUT"], environ["REELKEEPER_TOKEN_SEARCH"] = "500ms", "8s"
				}
			})
			w.startWorker()
			script := tt.script
			script.Faults = []fakelivekit.Fault{tt.fault}
			w.room("room", script)

			s := w.start("room")
			v := w.verdict("room")

			require.Equal(t, tt.wantStatus, v.Status, v.Because)
			require.Contains(t, tt.wantBy, v.EndedBy)
			require.Equal(t, s.Info.Proto().GetEgressId(), v.EgressID)
			require.Len(t, w.consumer.told(v.EgressID), 1)
			require.Zero(t, w.twins())
		})
	}
}

func by(s ...egress.Source) []egress.Source { return s }
