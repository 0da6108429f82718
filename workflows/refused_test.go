package workflows_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// The start is refused as too late, since no worker took it in time; the door has started it past
// Temporal, and LiveKit's webhook of that was taken. Both are there when a worker comes.
func TestAWebhookThatIsThereAsTheStartIsRefusedIsKept(t *testing.T) {
	t.Parallel()
	c := realTemporal(t)

	var once sync.Once
	asked, refuse := make(chan struct{}), make(chan struct{})
	livekit := worker.New(c, egress.TaskQueue, worker.Options{DisableWorkflowWorker: true})
	livekit.RegisterActivityWithOptions(func(context.Context, activities.StartRequest) (activities.Started, error) {
		once.Do(func() { close(asked) })
		<-refuse
		return activities.Started{}, temporal.NewNonRetryableApplicationError("not started in time", string(egress.TooLate), nil)
	}, activity.RegisterOptions{Name: "Start"})
	require.NoError(t, livekit.Start())
	t.Cleanup(livekit.Stop)
	flows := func() worker.Worker {
		w := worker.New(c, egress.TaskQueue, worker.Options{LocalActivityWorkerOnly: true, WorkerStopTimeout: time.Minute})
		w.RegisterWorkflowWithOptions((&workflows.Workflows{Terms: egress.Terms{Policy: egress.DefaultPolicy()}}).Egress, workflow.RegisterOptions{Name: egress.WorkflowType})
		require.NoError(t, w.Start())
		return w
	}

	first := flows()
	id := egress.WorkflowID(requestID)
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: egress.TaskQueue}, egress.WorkflowType, plainInput(t))
	require.NoError(t, err)
	<-asked
	first.Stop()
	close(refuse)
	require.Eventually(t, func() bool {
		d, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		return err == nil && len(d.GetPendingActivities()) == 0
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, c.SignalWorkflow(t.Context(), id, "", egress.SignalObserved, webhook(t, egress.EventUpdated, message(egressID, active))))
	t.Cleanup(flows().Stop)

	require.Eventually(t, func() bool {
		v, err := c.QueryWorkflow(t.Context(), id, "", egress.QueryState)
		var s egress.State
		return err == nil && v.Get(&s) == nil && s.Phase == egress.Watching && s.ID == egressID && s.Started
	}, time.Minute, 50*time.Millisecond, "it is watched")
}

func TestAStopThatTheEndForestallsIsNotAnsweredWithAnEarlierOnesError(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.stillActive()
	l.stop = func(string) (egress.Info, error) {
		return egress.Info{}, failure(egress.Unanswered, "request timed out")
	}
	l.OnActivity("StopTwin", mock.Anything, mock.Anything).After(10*time.Second).Return(activities.TwinAnswer{}, nil)
	var first, second error
	l.at(time.Minute, func() { l.askStop("a", &first) })
	l.webhook(2*time.Minute, egress.EventUpdated, part(2, active, 120)) // keeps it busy
	l.at(2*time.Minute+time.Second, func() { l.askStop("b", &second) })
	l.webhook(2*time.Minute+2*time.Second, egress.EventEnded, message(egressID, complete))

	l.mustRun(plainInput(t))

	require.Error(t, first)
	require.NoError(t, second)
}
