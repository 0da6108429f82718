package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/livekit/protocol/utils/guid"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// A reset is what Temporal's own guides advise where a workflow's tasks fail. It goes back
// before the start.
func TestAWorkflowThatIsResetGoesOnWithTheEgressThatItHasStarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	began := w.start("room")
	w.want("the recording", func() bool { return w.state("room").Status == "EGRESS_ACTIVE" })

	_, err := w.temporal().WorkflowService().ResetWorkflowExecution(w.ctx(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: w.environ["TEMPORAL_NAMESPACE"], RequestId: guid.New("reset-"), Reason: "its first task",
		WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: "egress/r-room"},
		WorkflowTaskFinishEventId: firstTask(t, w.history("r-room")),
	})
	require.NoError(t, err)
	w.want("the recording, after the reset", func() bool { return w.state("room").Status == "EGRESS_ACTIVE" })
	require.Equal(t, began.Info.Proto().GetEgressId(), w.state("room").EgressID)
	require.NoError(t, w.fake.EndCall("room"))

	v := w.verdict("room")
	require.Equal(t, began.Info.Proto().GetEgressId(), v.EgressID)
	require.Len(t, w.fake.Egresses(), 1)
}

// firstTask is the event of the first workflow task's completion.
func firstTask(t *testing.T, events []*historypb.HistoryEvent) int64 {
	t.Helper()
	for _, e := range events {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			return e.GetEventId()
		}
	}
	require.Fail(t, "no task has completed")
	return 0
}
