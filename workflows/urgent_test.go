package workflows_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// All places of a worker, of which there is one here, are taken by announcements. A start
// does not wait behind those that wait for one, too.
func TestAStartGoesBeforeAnnouncementsThatWait(t *testing.T) {
	t.Parallel()
	c := realTemporal(t)

	hangs, ran := make(chan struct{}), make(chan string, 20)
	w := worker.New(c, egress.TaskQueue, worker.Options{MaxConcurrentActivityExecutionSize: 1})
	w.RegisterWorkflowWithOptions((&workflows.Workflows{Terms: terms()}).Egress, workflow.RegisterOptions{Name: egress.WorkflowType})
	w.RegisterActivityWithOptions(func(ctx context.Context, _ activities.StartRequest) (activities.Started, error) {
		ran <- "Start"
		return activities.Started{Info: infoOf(t, message(ofWorkflow(activity.GetInfo(ctx).WorkflowExecution.ID), active)), Terms: terms()}, nil
	}, activity.RegisterOptions{Name: "Start"})
	w.RegisterActivityWithOptions(func(context.Context, activities.Announcement) error {
		ran <- "Announce"
		<-hangs
		return nil
	}, activity.RegisterOptions{Name: "Announce"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	t.Cleanup(func() { close(hangs) }) // before the worker is stopped

	begin := func(name string) string {
		id := egress.WorkflowID(name)
		_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: egress.TaskQueue}, egress.WorkflowType, plainInput(t))
		require.NoError(t, err)
		return id
	}
	waiting := func(want map[int32]int64) {
		require.Eventually(t, func() bool {
			q, err := c.WorkflowService().DescribeTaskQueue(t.Context(), &workflowservice.DescribeTaskQueueRequest{
				Namespace: "default", TaskQueue: &taskqueuepb.TaskQueue{Name: egress.TaskQueue}, TaskQueueType: enumspb.TASK_QUEUE_TYPE_ACTIVITY, ReportStats: true,
			})
			for priority, n := range want {
				if err != nil || q.GetStatsByPriorityKey()[priority].GetApproximateBacklogCount() < n {
					return false
				}
			}
			return true
		}, time.Minute, 50*time.Millisecond, want)
	}

	const over = 6
	var ids []string
	for n := range over {
		ids = append(ids, begin(fmt.Sprint("over-", n)))
		require.Equal(t, "Start", <-ran)
	}
	for _, id := range ids {
		require.NoError(t, c.SignalWorkflow(t.Context(), id, "", egress.SignalObserved, webhook(t, egress.EventEnded, message(ofWorkflow(id), complete))))
	}
	require.Equal(t, "Announce", <-ran)
	waiting(map[int32]int64{3: over - 1})
	begin("new")
	waiting(map[int32]int64{1: 1, 3: over - 1})

	for range 2 { // Temporal may have had one in hand already
		hangs <- struct{}{}
		if <-ran == "Start" {
			return
		}
	}
	t.Error("the start waits behind announcements")
}

// Thousands of first looks may wait for LiveKit's limit: a verdict, or a next part, does not wait
// behind them.
func TestALookThatSomebodyWaitsForGoesFirst(t *testing.T) {
	t.Parallel()
	const soon, never = egress.Duration(time.Millisecond), egress.Duration(time.Hour)
	for name, tc := range map[string]struct {
		terms func(*egress.Policy)
		news  func(c client.Client, id string) error
		want  int32
	}{
		"it records": {
			terms: func(p *egress.Policy) { p.LookActive = soon },
		},
		"its room is over": {
			terms: func(p *egress.Policy) { p.LookEnding = []egress.Duration{soon} },
			news: func(c client.Client, id string) error {
				return c.SignalWorkflow(t.Context(), id, "", egress.SignalHint, hint(t, egress.EventRoomFinished, roomID, ""))
			},
			want: 1,
		},
		"its failure is held": {
			terms: func(p *egress.Policy) { p.HoldFor = soon },
			news: func(c client.Client, id string) error {
				return c.SignalWorkflow(t.Context(), id, "", egress.SignalObserved, webhook(t, egress.EventEnded, message(egressID, lk.EgressStatus_EGRESS_FAILED)))
			},
			want: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := realTemporal(t)
			its := terms()
			its.Policy.LookActive = never
			tc.terms(&its.Policy)
			w := worker.New(c, egress.TaskQueue, worker.Options{})
			w.RegisterWorkflowWithOptions((&workflows.Workflows{Terms: its}).Egress, workflow.RegisterOptions{Name: egress.WorkflowType})
			w.RegisterActivityWithOptions(func(context.Context, activities.StartRequest) (activities.Started, error) {
				return activities.Started{Info: info(t, active), Terms: its}, nil
			}, activity.RegisterOptions{Name: "Start"})
			require.NoError(t, w.Start())
			t.Cleanup(w.Stop)
			id := egress.WorkflowID("r-1")
			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: egress.TaskQueue}, egress.WorkflowType, plainInput(t))
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				v, err := c.QueryWorkflow(t.Context(), id, "", egress.QueryState)
				var s egress.State
				return err == nil && v.Get(&s) == nil && s.Started
			}, time.Minute, 50*time.Millisecond)
			if tc.news != nil {
				require.NoError(t, tc.news(c, id))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			events := c.GetWorkflowHistory(ctx, id, run.GetRunID(), true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for events.HasNext() {
				e, err := events.Next()
				require.NoError(t, err, "nobody looked")
				if a := e.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == "Poll" {
					require.Equal(t, tc.want, a.GetPriority().GetPriorityKey())
					return
				}
			}
			t.Error("nobody looked")
		})
	}
}

// ofWorkflow is the ID of a workflow's egress.
func ofWorkflow(id string) string {
	name, _ := egress.RequestID(id)
	return egress.EgressIDPrefix + name
}
