package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/internal/sender"
	"github.com/reelkeeper/reelkeeper/recordings"
)

func TestLiveKitIsDownWhileAnEgressEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1, fakelivekit.RoomWebhookLost: 1}
	})
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := w.start("room").Info.Proto().GetEgressId()
	w.fake.SetDown(true)
	require.NoError(t, w.fake.EndCall("room"))
	w.want("a poll that failed is seen among the pending activities", func() bool {
		for _, a := range w.state("room").Pending {
			if a.Attempt > 2 && strings.Contains(a.LastFailure, "LiveKit could not be asked") {
				return true
			}
		}
		return false
	})
	w.fake.SetDown(false)

	v := w.verdict("room")

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.FromPoll, v.EndedBy)
	require.Len(t, w.consumer.told(id), 1)
}

func TestAConsumerThatIsDownIsToldOnceItIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.consumer.answerWith(func(*livekit.WebhookEvent) int { return http.StatusNotFound })
	w.room("room", fakelivekit.RoomScript{Call: time.Second})
	id := w.start("room").Info.Proto().GetEgressId()
	w.want("two attempts", func() bool { return len(w.consumer.told(id)) >= 2 })
	w.consumer.answerWith(nil)

	w.verdict("room")

	told := w.consumer.told(id)
	for _, e := range told {
		require.Equal(t, told[0].GetId(), e.GetId(), "a repeat carries the same event ID")
	}
}

func TestWhoeverLooksIntoTheUIUnderstandsOneEgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leisurely)
	w.startWorker()
	w.room("daily", fakelivekit.RoomScript{})
	id := w.start("daily").Info.Proto().GetEgressId()
	w.want("ACTIVE in the search attributes", func() bool {
		for row, err := range w.client.List(w.ctx(), recordings.Filter{Status: "EGRESS_ACTIVE"}) {
			if err == nil && row.EgressID == id && row.Room == "daily" && row.Kind == egress.KindRoomComposite {
				return true
			}
		}
		return false
	})
	c := w.temporal()
	desc, err := c.DescribeWorkflow(w.ctx(), egress.WorkflowID("r-daily"), "")
	require.NoError(t, err)
	summary, err := desc.GetStaticSummary()
	require.NoError(t, err)
	require.Equal(t, "room_composite of room daily to daily-{time}.mp4", summary)
	meta, err := c.QueryWorkflow(w.ctx(), egress.WorkflowID("r-daily"), "", "__temporal_workflow_metadata")
	require.NoError(t, err)
	var details sdkpb.WorkflowMetadata
	require.NoError(t, meta.Get(&details))
	for _, want := range []string{id + " is EGRESS_ACTIVE", "| EGRESS_ACTIVE | webhook |", "LiveKit is asked at", "starter stop r-daily"} {
		require.Contains(t, details.GetCurrentDetails(), want)
	}

	_, err = w.client.Stop(w.ctx(), id)
	require.NoError(t, err)
	require.Equal(t, egress.StopRequested, w.verdict("daily").Stopped)
}

// A newer LiveKit adds fields, and statuses that our protocol package cannot name. Both reach the
// consumer.
func TestWhatANewerLiveKitAddsReachesTheConsumer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1}
	})
	bodies := make(chan string, 10)
	raw := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- string(b)
	})}
	w.consumer.Config.Handler = raw.Handler
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	started := w.start("room")
	id := started.Info.Proto().GetEgressId()

	w.post(w.requestWebhook(started.RequestID), fmt.Sprintf(`{"event":"egress_ended","id":"EV_newer","createdAt":"1","priority":"HIGH","egressInfo":{
		"egressId":%q,"status":"EGRESS_ARCHIVED","endedAt":"2","checksums":[{"sha256":"abc"}],
		"roomComposite":{"roomName":"room","fileOutputs":[{"filepath":"x.mp4","s3":{"secret":"hidden","vaultPin":"hidden"}}]}}}`, id))
	v := w.verdict("room")

	require.Equal(t, egress.Status("EGRESS_ARCHIVED"), v.Status)
	body := <-bodies
	for _, want := range []string{`"priority":"HIGH"`, `"status":"EGRESS_ARCHIVED"`, `"checksums":[{"sha256":"abc"}]`, `"id":"EV_newer"`} {
		require.Contains(t, body, want)
	}
	require.NotContains(t, body, "hidden")
}

// requestWebhook is the path of a request's own webhook.
func (w *world) requestWebhook(requestID string) string {
	w.t.Helper()
	keys, err := seal.New(seal.Config{Secret: apiSecret})
	require.NoError(w.t, err)
	return keys.Token(requestID, 1).Path()
}

// post sends a webhook body to a path of the door as LiveKit would, signed, until it is accepted.
func (w *world) post(path, body string) {
	w.t.Helper()
	var status int
	w.answered("Temporal takes the webhook in time", func() (err error) {
		if status, err = w.postOnce(path, body); status == http.StatusServiceUnavailable {
			return errNotYet
		}
		return err
	})
	require.Equal(w.t, http.StatusOK, status)
}

func (w *world) postOnce(path, body string) (status int, err error) {
	w.t.Helper()
	req, err := sender.Request(w.ctx(), w.door.URL+path, apiKey, apiSecret, []byte(body))
	require.NoError(w.t, err)
	res, err := w.door.Client().Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
