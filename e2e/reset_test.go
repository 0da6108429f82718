package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/livekit/protocol/utils/guid"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// Temporal's own guides advise a reset if a workflow's tasks fail. It goes back before the start,
// or to a task after which the start was awaited: Temporal schedules that again.
func TestAWorkflowThatIsResetGoesOnWithTheEgressThatItHasStarted(t *testing.T) {
	t.Parallel()
	for name, nth := range map[string]int{"before the start": 0, "while the start is awaited": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) { fake.Timings.StartReply = 4 * time.Second })
			w.startWorker()
			began, room := recordings.Started{}, ""
			var tasks []int64
			rooms := 0
			for ; len(tasks) <= nth; rooms++ { // where all of a slow start is one task, another is tried
				require.Less(t, rooms, 3, "webhooks come before the answer to a start")
				room = fmt.Sprintf("room-%d", rooms)
				w.room(room, fakelivekit.RoomScript{})
				began = w.start(room)
				w.want("the recording", func() bool { return w.state(room).Status == "EGRESS_ACTIVE" })
				w.want("the answer to the start", func() (answered bool) {
					tasks, answered = tasksOfTheStart(w.history("r-" + room))
					return answered
				})
			}

			w.reset("r-"+room, tasks[nth])
			w.want("the recording, after the reset", func() bool { return w.state(room).Status == "EGRESS_ACTIVE" })
			require.Equal(t, began.Info.Proto().GetEgressId(), w.state(room).EgressID)
			require.NoError(t, w.fake.EndCall(room))

			v := w.verdict(room)
			require.Equal(t, began.Info.Proto().GetEgressId(), v.EgressID)
			require.Len(t, w.fake.Egresses(), rooms)
		})
	}
}

// reset makes a request's workflow continue from the completion of a workflow task.
func (w *world) reset(requestID string, task int64) {
	w.t.Helper()
	_, err := w.temporal().WorkflowService().ResetWorkflowExecution(w.ctx(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: w.environ["TEMPORAL_NAMESPACE"], RequestId: guid.New("reset-"), Reason: "the test",
		WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: egress.WorkflowID(requestID)},
		WorkflowTaskFinishEventId: task,
	})
	require.NoError(w.t, err)
}

// tasksOfTheStart returns the events of the workflow tasks that completed before the start did, and
// whether it has.
func tasksOfTheStart(events []*historypb.HistoryEvent) (ids []int64, answered bool) {
	for _, e := range events {
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			ids = append(ids, e.GetEventId())
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			return ids, true
		}
	}
	return ids, false
}
