package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// earlierRun is a run that was continued.
const earlierRun = "the run before"

// A roll-out is taken back, and an older worker gets the next run of a recording: its task fails,
// and not the run. A state that no run has left is a mistake, or worse: by it, what was never
// recorded would be announced.
func TestOnlyARunLeavesAStateToTheNextOne(t *testing.T) {
	t.Parallel()
	const asked, unknown, state = `{"web":{"url":"https://example.com"}`, `,"of_tomorrow":1`, `,"carried":{"phase":"watching"}`
	end := func(argument, after string) error {
		l := newLife(t)
		l.SetContinuedExecutionRunID(after)
		l.ExecuteWorkflow(egress.WorkflowType, json.RawMessage(argument))
		return l.GetWorkflowError()
	}
	for argument, field := range map[string]string{asked + unknown: "of_tomorrow", asked + unknown + state: "of_tomorrow", asked + state: "carried"} {
		var failed *temporal.ApplicationError
		require.ErrorAs(t, end(argument+`}`, ""), &failed)
		require.Equal(t, string(egress.Invalid), failed.Type())
		require.ErrorContains(t, failed, field)
	}
	for _, left := range []string{unknown + state, `,"carried":{"phase":"watching"` + unknown + `}`} {
		var held *temporal.PanicError // by which a worker fails the task
		require.ErrorAs(t, end(asked+left+`}`, earlierRun), &held)
		require.ErrorContains(t, held, "of_tomorrow")
	}
}

// Starters and the current version are set back, and an older worker gets the redelivery of what a
// newer one recorded.
func TestARedeliveryThatCannotBeReadWaitsForANewerWorker(t *testing.T) {
	t.Parallel()
	l := newRedelivery(t)
	l.ExecuteWorkflow(egress.RedeliveryType, json.RawMessage(`{"input":{"web":{"url":"https://example.com"},"of_tomorrow":1},"state":{"phase":"settled"}}`))
	var held *temporal.PanicError
	require.ErrorAs(t, l.GetWorkflowError(), &held)
	require.ErrorContains(t, held, "what another version took cannot be read here: of_tomorrow")
}

// The front door starts it past Temporal, so nobody is paged.
func TestAStartOfANewerStarterIsCountedAsSealed(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.ExecuteWorkflow(egress.WorkflowType, json.RawMessage(`{"sealed":"AQ==","summary":{},"of_tomorrow":1}`))
	require.Error(t, l.GetWorkflowError())
	require.Equal(t, []labels{{"outcome": "sealed"}}, l.counted.of(workflows.MetricStarts))
}

// Workers are set back to an older version while a recording runs whose input that one does not
// know. What the newer one has admitted is not refused: LiveKit records it.
func TestWhatANewerWorkerAdmittedWaitsForOne(t *testing.T) {
	t.Parallel()
	const ofTomorrow = `,"of_tomorrow":1`
	c := realTemporal(t)
	w := &workflows.Workflows{Terms: egress.Terms{Policy: egress.DefaultPolicy()}}
	start := func(egressType any) worker.Worker {
		worker := worker.New(c, egress.TaskQueue, worker.Options{LocalActivityWorkerOnly: true})
		worker.RegisterWorkflowWithOptions(egressType, workflow.RegisterOptions{Name: egress.WorkflowType})
		require.NoError(t, worker.Start())
		return worker
	}
	newer := func(ctx workflow.Context, arg json.RawMessage) (egress.Verdict, error) {
		known := egress.Argument{}
		if err := json.Unmarshal([]byte(strings.Replace(string(arg), ofTomorrow, "", 1)), &known); err != nil {
			return egress.Verdict{}, err
		}
		return w.Egress(ctx, known)
	}
	id, began := egress.WorkflowID(requestID), start(newer)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: egress.TaskQueue}, egress.WorkflowType,
		json.RawMessage(`{"web":{"url":"https://example.com"}`+ofTomorrow+`}`))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		d, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		return err == nil && len(d.GetPendingActivities()) == 1
	}, time.Minute, 50*time.Millisecond, "its start waits for LiveKit")
	began.Stop()

	older := start(w.Egress)
	require.Eventually(t, func() bool { // a worker that is stopping may still take the query, and answers nothing
		_, err := c.QueryWorkflow(t.Context(), id, "", egress.QueryState)
		return err != nil && strings.Contains(err.Error(), "cannot be read here: of_tomorrow")
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, c.SignalWorkflow(t.Context(), id, "", egress.SignalObserved, webhook(t, egress.EventUpdated, message(egressID, active))))
	require.Eventually(t, func() bool {
		d, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		return err == nil && d.GetPendingWorkflowTask().GetAttempt() > 1 && d.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	}, time.Minute, 50*time.Millisecond, "its task fails")
	older.Stop()

	t.Cleanup(start(newer).Stop)
	require.Eventually(t, func() bool {
		v, err := c.QueryWorkflow(t.Context(), id, "", egress.QueryState)
		var s egress.State
		return err == nil && v.Get(&s) == nil && s.Phase == egress.Watching && s.ID == egressID
	}, 2*time.Minute, 50*time.Millisecond, "it goes on")
}
