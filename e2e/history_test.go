package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// The history of a life is bounded, and where LiveKit is only asked, as long for a long recording as
// for a short one.
func TestALifeCostsFewEvents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		loss  float64
		calls []time.Duration // lengths of calls, with one look and with many
		most  int
	}{
		{"with all four webhooks", 0, []time.Duration{2 * time.Second, 6 * time.Second}, 60},
		{"with none", 1, []time.Duration{2 * time.Second, 6 * time.Second}, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
				fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: tt.loss, fakelivekit.RoomWebhookLost: 1}
				if environ["REELKEEPER_LOOK_STARTING"], environ["REELKEEPER_LOOK_ENDING"] = "1m", "5s"; tt.loss > 0 {
					environ["REELKEEPER_LOOK_STARTING"], environ["REELKEEPER_LOOK_ENDING"] = "900ms", "500ms,500ms,1s" // after ACTIVE, so that a first look finds it
				}
				environ["REELKEEPER_LOOK_ACTIVE"] = "500ms"
			})
			w.startWorker()
			var events []int
			for _, call := range tt.calls {
				room := "room-" + call.String()
				w.room(room, fakelivekit.RoomScript{})
				w.start(room)
				w.want("it is known to be active", func() bool { return w.state(room).Info.StatusName() == "EGRESS_ACTIVE" })
				time.AfterFunc(call, func() { _ = w.fake.EndCall(room) })
				require.Equal(t, egress.Status("EGRESS_COMPLETE"), w.verdict(room).Status)
				events = append(events, eventsIn(w.history("r-"+room)))
			}
			t.Logf("for calls of %v: %v events", tt.calls, events)
			require.LessOrEqual(t, slices.Max(events), tt.most)
			if tt.loss > 0 { // no signals, whose events depend on when they come
				require.Equal(t, events[0], events[1])
			}
		})
	}
}

// eventsIn counts the events of a history as if its worker had never been slow: a workflow task that
// it does not take for 5 s is scheduled once more.
func eventsIn(history []*historypb.HistoryEvent) int {
	n := len(history)
	for _, e := range history {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT {
			n -= 2
		}
	}
	return n
}

// history returns the history of the last run of a request's workflow.
func (w *world) history(requestID string) []*historypb.HistoryEvent {
	w.t.Helper()
	return w.historyOf(requestID, "")
}

func (w *world) historyOf(requestID, runID string) []*historypb.HistoryEvent {
	w.t.Helper()
	return w.historyAt(egress.WorkflowID(requestID), runID)
}

func (w *world) historyAt(workflowID, runID string) []*historypb.HistoryEvent {
	w.t.Helper()
	c := w.temporal()
	var events []*historypb.HistoryEvent
	it := c.GetWorkflowHistory(w.ctx(), workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		e, err := it.Next()
		require.NoError(w.t, err)
		events = append(events, e)
	}
	return events
}

// TestRecordHistories writes the histories that the replay test of workflows reads, and that
// deploy/recorded_test.go lists:
//
//	go test ./e2e -count=1 -run '^TestRecordHistories$' -record ../workflows/testdata/histories/DIR
func TestRecordHistories(t *testing.T) { //nolint:paralleltest // it writes files, and runs alone
	if *record == "" {
		t.Skip("run with -record DIR to write histories")
	}
	require.NoError(t, os.MkdirAll(*record, 0o755))
	write := func(name string, events []*historypb.HistoryEvent) {
		b, err := protojson.MarshalOptions{Indent: " "}.Marshal(&historypb.History{Events: events})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(*record, name+".json"), b, 0o644))
	}
	save := func(w *world, room, name string) {
		w.verdict(room)
		write(name, w.history("r-"+room))
	}
	w := newWorld(t, nil)
	w.startWorker()
	for name, script := range map[string]fakelivekit.RoomScript{
		"webhook-end":     {Call: 3 * time.Second},
		"poll-end":        {Call: 3 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}},
		"lost":            {Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.Zombie}},
		"reply-lost":      {Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.ReplyLost}},
		"rerun":           {Call: 5 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.Rerun}},
		"webhook-reorder": {Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookOutOfOrder}},
	} {
		w.room(name, script)
		w.start(name)
		save(w, name, name)
	}
	recordLate(w, "r-poll-end", write)
	for name, stop := range map[string]func(id string) error{
		"stopped":   func(id string) error { _, err := w.client.Stop(w.ctx(), id); return err },
		"cancelled": func(id string) error { return w.temporal().CancelWorkflow(w.ctx(), egress.WorkflowID(id), "") },
	} {
		w.room(name, fakelivekit.RoomScript{})
		w.start(name)
		require.NoError(t, stop("r-"+name))
		save(w, name, name)
	}
	again, err := w.client.Redeliver(w.ctx(), "r-webhook-end", recordings.RedeliverOptions{})
	require.NoError(t, err)
	w.verdictOf(again.WorkflowID)
	write("redelivery", w.historyAt(again.WorkflowID, ""))
	noticed := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_NOTIFY_URL"] = newChat(t, 0).URL
	})
	noticed.startWorker()
	noticed.room("noticed", fakelivekit.RoomScript{Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}})
	noticed.start("noticed")
	save(noticed, "noticed", "noticed")
	write("notice", noticed.historyAt(egress.NoticeID("r-noticed", string(egress.ConcernMissed)), ""))
	parts := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		reconciled(fake, environ)
		fake.Timings.MidRecording = 300 * time.Millisecond
		environ["REELKEEPER_RECOVER"], environ["REELKEEPER_HOLD_FOR"], environ["REELKEEPER_CORRECT_FOR"] = "1", "off", "2s"
	})
	parts.startWorker()
	parts.room("parts", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Failed}})
	parts.start("parts")
	parts.want("both parts are told of, and no sign of life has come", func() bool { return parts.state("parts").Workflow == "completed" })
	save(parts, "parts", "parts-and-no-sign-of-life")
	round := parts.begin(true)
	require.NoError(t, round.Get(parts.ctx(), nil))
	write("reconcile", parts.historyAt(round.GetID(), ""))
	parts.want("the endpoint has reported", func() bool {
		_, err := parts.temporal().DescribeWorkflow(parts.ctx(), egress.EndpointID, "")
		return err == nil
	})
	write("endpoint", parts.historyAt(egress.EndpointID, ""))
	whole, stepAgain := wholeDelivery(t)
	write("whole-delivery", whole.history("r-whole"))
	write("step-again", whole.historyAt(stepAgain, ""))
	long := shortHistories(t, time.Second)
	long.room("long", fakelivekit.RoomScript{Call: 3 * time.Second})
	long.start("long")
	save(long, "long", "continued-second-run")
	first := long.history("r-long")[0].GetWorkflowExecutionStartedEventAttributes().GetFirstExecutionRunId()
	write("continued-first-run", long.historyOf("r-long", first))
	recordEndpoint(long, write)
	recordHandedBack(t, write)
	recordRelayed(t, write)
	recordRefused(t, write)
	recordStrays(t, write)
	recordElsewhere(t, write)
	recordCanary(t, write)
	recordWords(t, write)
	recordNextParts(t, write)
	recordCorrected(t, write)
	recordLooks(t, write)
}

// recordLate writes the history of the workflow that records a webhook for a closed recording.
func recordLate(w *world, requestID string, write func(name string, events []*historypb.HistoryEvent)) {
	w.t.Helper()
	v, err := w.client.Wait(w.ctx(), requestID)
	require.NoError(w.t, err)
	w.post(w.requestWebhook(requestID), fmt.Sprintf(`{"event":"egress_ended","id":"EV_late","egressInfo":{"egressId":%q,"status":%q}}`, v.EgressID, v.Status))
	require.NoError(w.t, w.temporal().GetWorkflow(w.ctx(), egress.LateID(requestID), "").Get(w.ctx(), nil))
	write("late", w.historyAt(egress.LateID(requestID), ""))
}

// recordCanary writes the histories of the first two probes that fail: people are told with the
// second, which knows of the first.
func recordCanary(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	hook := newChat(t, 0)
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_PUBLIC_URL"] = newProxy(t).URL // leads nowhere
		environ["REELKEEPER_NOTIFY_URL"], environ["REELKEEPER_CANARY_EVERY"] = hook.URL, "1s"
	})
	w.startWorker()
	w.want("people are told that the way is broken", func() bool { return len(hook.said()) > 0 })
	var probes []string // sorted by time, with which their IDs end
	w.want("two probes are listed as over", func() bool {
		page, err := w.temporal().ListWorkflow(w.ctx(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Completed'", egress.CanaryType),
		})
		require.NoError(t, err)
		probes = nil
		for _, e := range page.GetExecutions() {
			probes = append(probes, e.GetExecution().GetWorkflowId())
		}
		slices.Sort(probes)
		return len(probes) >= 2
	})
	write("canary", w.historyAt(probes[0], ""))
	write("canary-tells", w.historyAt(probes[1], ""))
}

// recordHandedBack writes the history of a recording whose start reached its worker too late, and
// that its door then began.
func recordHandedBack(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_FAIL_OPEN_AFTER"] = "1ms"
	})
	w.startWorker()
	w.room("handed-back", fakelivekit.RoomScript{})
	_, err := w.ask(w.ctx(), "handed-back", "handed-back")
	require.NoError(t, err)
	_, err = w.client.Stop(w.ctx(), "handed-back")
	require.NoError(t, err)
	_, err = w.client.Wait(w.ctx(), "handed-back")
	require.NoError(t, err)
	write("handed-back", w.history("handed-back"))
}

// recordRelayed writes the history of a recording whose request names a webhook itself.
func recordRelayed(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("relayed", fakelivekit.RoomScript{Call: 2 * time.Second})
	req := composite("relayed").(*livekit.RoomCompositeEgressRequest)
	req.Webhooks = []*livekit.WebhookConfig{{Url: newConsumer(t).URL, SigningKey: apiKey}}
	_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-relayed", Request: req})
	require.NoError(t, err)
	time.AfterFunc(2*time.Second, func() { _ = w.fake.EndCall("relayed") })
	require.Contains(t, w.verdict("relayed").Delivered, "webhook-1")
	write("relayed", w.history("r-relayed"))
}

// recordRefused writes the history of a recording whose consumer refuses it twice.
func recordRefused(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	w := newWorld(t, nil)
	w.startWorker()
	var tries atomic.Int64
	w.consumer.answerWith(func(*livekit.WebhookEvent) int {
		if tries.Add(1) <= 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	w.room("refused", fakelivekit.RoomScript{Call: 2 * time.Second})
	w.start("refused")
	require.Len(t, w.verdict("refused").Delivered, 1)
	write("refused", w.history("r-refused"))
}

// recordStrays writes the histories of egresses that nobody asked us for: one that a round adopts,
// and another one of a request, which is stopped.
func recordStrays(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	w := newWorld(t, reconciled)
	w.startWorker()
	ends := func(room, egressID string) {
		require.NoError(t, w.fake.EndCall(room))
		w.becomes(egressID, livekit.EgressStatus_EGRESS_COMPLETE)
		w.roundWith(1, false, func(r egress.Round) int { return r.Nudged })
	}

	w.room("adopted", fakelivekit.RoomScript{})
	id := w.stray("adopted", "")
	w.roundWith(1, false, func(r egress.Round) int { return r.Adopted })
	w.becomes(id, livekit.EgressStatus_EGRESS_ACTIVE)
	w.known(id)
	ends("adopted", id)
	w.verdictOf(egress.WorkflowID(id))
	write("adopted", w.historyAt(egress.WorkflowID(id), ""))

	w.room("twin", fakelivekit.RoomScript{})
	id = w.start("twin").Info.Proto().GetEgressId()
	w.known(id)
	twin := w.stray("twin", "r-twin")
	w.becomes(twin, livekit.EgressStatus_EGRESS_ACTIVE)
	w.roundWith(1, false, func(r egress.Round) int { return r.Twins })
	w.becomes(twin, livekit.EgressStatus_EGRESS_COMPLETE)
	ends("twin", id)
	require.Equal(t, []string{twin}, w.verdict("twin").Twins)
	write("twin", w.history("r-twin"))
}

// recordElsewhere writes the history of a recording whose request has another egress, which records
// another room.
func recordElsewhere(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("here", fakelivekit.RoomScript{})
	w.room("elsewhere", fakelivekit.RoomScript{})
	w.known(w.start("here").Info.Proto().GetEgressId())
	other := w.stray("elsewhere", "r-here")
	w.becomes(other, livekit.EgressStatus_EGRESS_ACTIVE)
	require.NoError(t, w.fake.EndCall("elsewhere"))
	w.want("it is told as a part", func() bool { return len(w.consumer.told(other)) > 0 })
	require.NoError(t, w.fake.EndCall("here"))
	require.Equal(t, other, w.verdict("here").Parts[0].EgressID)
	write("elsewhere", w.history("r-here"))
}

// wholeDelivery makes a recording whose media is looked for, and which is delivered to two
// consumers and a step; the step is then run again, by the workflow whose ID is returned.
func wholeDelivery(t *testing.T) (w *world, again string) {
	t.Helper()
	store := newS3Store(t)
	billing, archive := newWitness(t, billingKey, billingSecret), newWitness(t, apiKey, apiSecret)
	pipeline := withPipeline(t, twoConsumers(billing.URL, archive.URL), "LIVEKIT_KEYS", billingKey+": "+billingSecret)
	w = newMediaWorld(t, store, func(environ map[string]string) { pipeline(nil, environ) })
	w.startWorker()
	w.theirWorker("media", "Index")
	w.room("whole", fakelivekit.RoomScript{Call: time.Second})
	store.record(w, "whole")
	w.verdict("whole")
	r, err := w.client.Redeliver(w.ctx(), "r-whole", recordings.RedeliverOptions{Step: "index"})
	require.NoError(t, err)
	w.verdictOf(r.WorkflowID)
	return w, r.WorkflowID
}
