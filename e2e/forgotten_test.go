package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// forget makes Temporal forget a workflow, as if its database had been lost.
func (w *world) forget(workflowID string) {
	w.t.Helper()
	of := &commonpb.WorkflowExecution{WorkflowId: workflowID}
	_, err := w.temporal().WorkflowService().DeleteWorkflowExecution(w.ctx(), &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: w.environ["TEMPORAL_NAMESPACE"], WorkflowExecution: of,
	})
	require.NoError(w.t, err)
	w.want("it is forgotten", func() bool {
		_, err := w.temporal().DescribeWorkflowExecution(w.ctx(), workflowID, "")
		n := w.counted("WorkflowId = '" + workflowID + "'")
		return err != nil && n == 0
	})
}

func TestARecordingThatTemporalForgotGoesOnAsItWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.startWorker()
	theirs := newConsumer(t)
	w.room("room", fakelivekit.RoomScript{})
	req := composite("room").(*livekit.RoomCompositeEgressRequest)
	hook := &livekit.WebhookConfig{Url: theirs.URL + "/hook?key=theirs", SigningKey: apiKey}
	req.Webhooks = []*livekit.WebhookConfig{hook}
	s, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-1", Request: req, MaxDuration: 20 * time.Second})
	require.NoError(t, err)
	id := s.Info.Proto().GetEgressId()
	w.becomes(id, livekit.EgressStatus_EGRESS_ACTIVE)
	w.forget(egress.WorkflowID("r-1"))

	w.roundWith(1, false, func(r egress.Round) int { return r.Adopted })

	w.becomes(id, livekit.EgressStatus_EGRESS_COMPLETE) // at the limit
	w.roundWith(1, false, func(r egress.Round) int { return r.Nudged })

	v := w.verdictOf(egress.WorkflowID("r-1"))
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.StopMaxDuration, v.Stopped)
	require.ElementsMatch(t, []string{egress.StepAnnounce, egress.WebhookStep(0)}, v.Delivered)
	require.Len(t, w.fake.Egresses(), 1)
	require.Len(t, theirs.under(id), 1, "the request's own webhook is told of the end, once")
	end := theirs.told(id)[0]
	require.Equal(t, egress.EventEnded, end.GetEvent())
	require.Equal(t, hook.GetUrl(), egress.Webhooks(end.GetEgressInfo())[0].GetUrl())
}

// As docs/backup.md has it: the database is lost, and its recordings end before anybody restores it.
func TestWhatEndedWhileThereWasNoDatabaseIsAnnouncedIfAPersonSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.room("room", fakelivekit.RoomScript{})
	id := w.stray("room", "r-1")
	w.becomes(id, livekit.EgressStatus_EGRESS_ACTIVE)
	require.NoError(t, w.fake.EndCall("room"))
	w.becomes(id, livekit.EgressStatus_EGRESS_COMPLETE)

	schedule := w.schedule("yesterday")
	stop := w.runWorker()
	w.roundWith(1, true, func(r egress.Round) int { return r.SeenBefore })
	require.Contains(t, w.log.String(), `reason="its memo announce_since is not a time such as`)
	stop()
	require.NoError(t, schedule.Delete(w.ctx()))

	w.schedule(time.Now().Add(-5 * time.Hour).Format(time.RFC3339))
	w.runWorker()
	w.roundWith(1, true, func(r egress.Round) int { return r.Adopted })

	v := w.verdictOf(egress.WorkflowID("r-1"))
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.FromReconcile, v.EndedBy)
	require.Len(t, w.consumer.told(id), 1)
	require.Equal(t, 1, strings.Count(w.log.String(), "announce_since"), "the second time counts")
}

// schedule creates the reconciler's schedule as the command in docs/backup.md does, with the given
// time. The tests start its rounds.
func (w *world) schedule(announceSince string) client.ScheduleHandle {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "backup.md"))
	require.NoError(w.t, err)
	_, command, found := strings.Cut(string(b), "\ntemporal schedule create ")
	require.True(w.t, found)
	command, _, _ = strings.Cut(command, "\n```")
	flags := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+) ('[^']*'|\S+)`).FindAllStringSubmatch(command, -1) {
		flags[m[1]] = strings.Trim(m[2], "'")
	}
	memo, _, _ := strings.Cut(flags["schedule-memo"], "=")
	var h client.ScheduleHandle
	w.answered("there is a schedule", func() (err error) { // a new namespace may take seconds
		h, err = w.temporal().ScheduleClient().Create(w.ctx(), client.ScheduleOptions{
			ID:     flags["schedule-id"],
			Spec:   client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: 240000 * time.Hour}}},
			Action: &client.ScheduleWorkflowAction{ID: flags["workflow-id"], Workflow: flags["type"], TaskQueue: flags["task-queue"]},
			Memo:   map[string]any{memo: announceSince},
		})
		return err
	})
	w.answered("it is known", func() error {
		_, err := w.client.ScheduleState(w.ctx(), flags["schedule-id"])
		return err
	})
	return h
}

// Its LiveKit knows none of this namespace's recordings, so the worker would take them for lost.
func TestAWorkerOfAnotherProjectDoesNotServeANamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.startWorker()
	w.answered("the schedule is known", func() error { // a new namespace may take seconds
		_, err := w.client.ScheduleState(w.ctx(), egress.ReconcileSchedule)
		return err
	})
	w.environ["LIVEKIT_API_SECRET"] = "another-project's-secret-of-32-characters"

	err := w.open().RunWorker(w.ctx(), func() { t.Error("it serves") })

	require.ErrorContains(t, err, "LIVEKIT_API_SECRET: is not that of the workers of namespace")
}

func TestTheQueryInTheDocsErasesARecording(t *testing.T) {
	t.Parallel()
	hook := newChat(t, 0)
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		leisurely(fake, environ)
		environ["REELKEEPER_NOTIFY_URL"] = hook.URL
	})
	w.startWorker()
	for _, room := range []string{"standup", "standup-2"} {
		w.room(room, fakelivekit.RoomScript{Call: time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}})
		w.start(room)
	}
	for _, room := range []string{"standup", "standup-2"} {
		w.verdict(room)
		w.want("it is told again", func() bool { return w.starter("", "redeliver", "r-"+room).status == 0 })
	}
	idle := func() bool { return w.counted("ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH 'egress'") <= 1 } // that of the endpoint
	w.want("the hook has taken both", func() bool { return len(hook.said()) == 2 && idle() })
	_, query, found := strings.Cut(documentedShell(t, "Erase one recording"), `--query "`)
	require.True(t, found)
	query, _, _ = strings.Cut(strings.ReplaceAll(query, "standup-1", "r-standup"), `"`)
	require.Contains(t, query, egress.LateID("r-standup"))

	const recorded = "WorkflowId != 'egress-endpoint'" // which begins whenever the endpoint has something to report
	before := w.ids(recorded)
	var kept []string
	for _, id := range w.ids(query) {
		require.Contains(t, id+"/", "/r-standup/")
		w.forget(id)
	}
	for _, id := range before {
		if !strings.Contains(id+"/", "/r-standup/") {
			kept = append(kept, id)
		}
	}

	require.Len(t, before, len(kept)+3, "its own, a redelivery's and a notice's")
	require.ElementsMatch(t, kept, w.ids(recorded))
}

// docs/operations.md says so, and what to do about it.
func TestALostRecordingThatIsErasedIsAdoptedAgainWhileLiveKitListsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		reconciled(fake, environ)
		environ["REELKEEPER_LOOK_ENDING"] = "200ms"
	})
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Zombie}})
	id := w.start("room").Info.Proto().GetEgressId()
	w.known(id)
	w.want("its participant has left", func() bool { return w.round(false).Suspected == 1 })
	require.Equal(t, egress.Lost, w.verdict("room").Status)
	w.roundWith(0, true, func(r egress.Round) int { return r.Adopted })

	w.forget(egress.WorkflowID("r-room"))
	w.roundWith(1, true, func(r egress.Round) int { return r.Adopted })

	w.known(id)
	require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, w.statusOf(id))
}

// ids returns the IDs of the workflows that a query finds.
func (w *world) ids(query string) (ids []string) {
	w.t.Helper()
	page, err := w.temporal().ListWorkflow(w.ctx(), &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: w.environ["TEMPORAL_NAMESPACE"], PageSize: 1000, Query: query,
	})
	require.NoError(w.t, err)
	for _, x := range page.GetExecutions() {
		ids = append(ids, x.GetExecution().GetWorkflowId())
	}
	return ids
}
