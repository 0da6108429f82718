package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// closed waits until the workflow of a room's recording has closed, and returns its history.
func (w *world) closed(room string) []*historypb.HistoryEvent {
	w.t.Helper()
	require.NoError(w.t, w.temporal().GetWorkflow(w.ctx(), egress.WorkflowID("r-"+room), "").Get(w.ctx(), nil))
	return w.history("r-" + room)
}

// runs counts how often an activity was scheduled.
func runs(events []*historypb.HistoryEvent, activity string) (n int) {
	for _, e := range events {
		if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activity {
			n++
		}
	}
	return n
}

// recordWords writes the history of a recording with two steps that wait for a person, who repeats
// one and skips the other.
func recordWords(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	w := newWorld(t, withPipeline(t, `
default: p
pipelines:
  p:
    steps:
      - {name: transcribe, activity: Transcribe, task_queue: media}
      - {name: index, activity: Index, task_queue: search}
`))
	w.startWorker()
	fails := func(egress.StepInput) (any, error) {
		return nil, temporal.NewNonRetryableApplicationError("no credit", "Credit", nil)
	}
	media, search := w.theirWorker("media", "Transcribe"), w.theirWorker("search", "Index")
	media.answerWith(fails)
	search.answerWith(fails)
	w.room("words", fakelivekit.RoomScript{Call: time.Second})
	w.start("words")
	waits := func(step string) {
		w.want(step+" waits for a person", func() bool { return slices.Contains(w.inside("words").AwaitsWord, step) })
	}
	waits("transcribe")
	media.answerWith(nil)
	require.NoError(t, w.client.Retry(w.ctx(), "r-words", "transcribe"))
	waits("index")
	require.NoError(t, w.client.Skip(w.ctx(), "r-words", "index"))
	write("retried-and-skipped", w.closed("words"))
}

// recordNextParts writes the histories of recordings whose next part does not begin: LiveKit refuses
// it, or a stop takes its start back.
func recordNextParts(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.RoomWebhookLost: 1}
		fake.Timings.MidRecording = 3 * time.Second // time to cut LiveKit off
		environ["REELKEEPER_RECOVER"], environ["REELKEEPER_HOLD_FOR"] = "1", "off"
	})
	w.startWorker()
	w.room("gone", fakelivekit.RoomScript{Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.UploadFailed}})
	w.start("gone")
	refused := w.closed("gone")
	require.Equal(t, 2, runs(refused, egress.ActivityStart))
	write("next-part-refused", refused)

	w.room("enough", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Failed}})
	w.known(w.start("enough").Info.Proto().GetEgressId())
	w.fake.SetDown(true) // it cannot be asked, but reports that the egress fails
	w.want("the next part is being started", func() bool { return runs(w.history("r-enough"), egress.ActivityStart) == 2 })
	stopped := make(chan error, 1)
	go func() {
		_, err := w.client.Stop(w.ctx(), "r-enough")
		stopped <- err
	}()
	w.want("that is taken back", func() bool {
		events := w.history("r-enough")
		return slices.ContainsFunc(events, func(e *historypb.HistoryEvent) bool {
			of := e.GetActivityTaskCancelRequestedEventAttributes().GetScheduledEventId()
			return of > 0 && runs(events[of-1:of], egress.ActivityStart) == 1
		})
	})
	w.fake.SetDown(false)
	require.NoError(t, <-stopped)
	write("next-part-withdrawn", w.closed("enough"))
}

// recordCorrected writes the histories of what was lost and lives all the same: of a recording that
// is still open, of the correction of one that has closed, and of one whose next part records.
func recordCorrected(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	lose := func(correctFor, room string) (w *world, egressID string) {
		w = newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) { environ["REELKEEPER_CORRECT_FOR"] = correctFor })
		w.startWorker()
		w.room(room, fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Forgotten}})
		egressID = w.start(room).Info.Proto().GetEgressId()
		require.Equal(t, egress.Lost, w.verdict(room).Status)
		return w, egressID
	}
	ends := func(w *world, room, egressID string) {
		w.post(w.requestWebhook("r-"+room), fmt.Sprintf(
			`{"event":"egress_ended","id":"EV_after_all","egressInfo":{"egressId":%q,"roomName":%q,"status":"EGRESS_COMPLETE","endedAt":"%d"}}`, egressID, room, time.Now().UnixNano()))
	}
	w, id := lose("1h", "open")
	ends(w, "open", id)
	corrected := w.closed("open")
	require.Equal(t, 2, runs(corrected, "Announce"))
	write("corrected", corrected)

	w, id = lose("off", "closed")
	w.closed("closed")
	ends(w, "closed", id)
	w.verdictOf(egress.CorrectionID("r-closed", id, 1))
	write("correction", w.historyAt(egress.CorrectionID("r-closed", id, 1), ""))

	w = newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) { environ["REELKEEPER_RECOVER"] = "1" })
	w.startWorker()
	w.room("part", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Zombie}})
	id = w.start("part").Info.Proto().GetEgressId()
	w.want("the next part is started", func() bool { return w.inside("part").Part == 2 })
	ends(w, "part", id)
	parts := w.closed("part")
	require.Equal(t, 3, runs(parts, "Announce"), "both parts are lost, and one is corrected")
	write("part-corrected", parts)
}

// recordLooks writes the histories of recordings whose media is looked for twice: beside the
// announcement, since the store was down, and a last time, since the egress was lost.
func recordLooks(t *testing.T, write func(name string, events []*historypb.HistoryEvent)) {
	t.Helper()
	store := newS3Store(t)
	w, _ := toldWhileAway(t, store)
	store.set(false)
	behind := w.closed("down")
	require.Equal(t, 2, runs(behind, "Verify"))
	write("media-behind", behind)

	w = newMediaWorld(t, store, func(environ map[string]string) {
		environ["REELKEEPER_LOST_AFTER"], environ["REELKEEPER_CORRECT_FOR"] = "5s", "2s"
	})
	w.startWorker()
	w.room("forgotten", fakelivekit.RoomScript{Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.Forgotten}})
	store.record(w, "forgotten")
	last := w.closed("forgotten")
	require.Equal(t, 2, runs(last, "Verify"))
	write("media-last-look", last)
}

// recordEndpoint writes the histories of the first two runs of the workflow that remembers how the
// endpoint was, on a server that wants short histories.
func recordEndpoint(w *world, write func(name string, events []*historypb.HistoryEvent)) {
	w.t.Helper()
	w.want("the endpoint has reported", func() bool {
		_, err := w.temporal().DescribeWorkflow(w.ctx(), egress.EndpointID, "")
		return err == nil
	})
	run := w.historyAt(egress.EndpointID, "")[0].GetWorkflowExecutionStartedEventAttributes().GetFirstExecutionRunId()
	for _, name := range []string{"endpoint-first-run", "endpoint-second-run"} {
		var events []*historypb.HistoryEvent
		next := ""
		w.want("it continues as a new run", func() bool {
			events = w.historyAt(egress.EndpointID, run)
			next = events[len(events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
			return next != ""
		})
		write(name, events)
		run = next
	}
}
