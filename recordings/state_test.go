package recordings

import (
	"context"
	"reflect"
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// LiveKit calls an egress whose worker died active forever, and the search attribute is the last
// to learn of the verdict.
func TestTheStatusThatIsShownIsTheWorkflowsOwn(t *testing.T) {
	t.Parallel()
	active, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", Status: livekit.EgressStatus_EGRESS_ACTIVE})
	must(t, err)
	for name, tc := range map[string]struct {
		state egress.State
		want  egress.Status
	}{
		"nothing is known yet":        {egress.State{}, "EGRESS_STARTING"},
		"it records":                  {egress.State{Latest: active}, "EGRESS_ACTIVE"},
		"it is lost, and not told of": {egress.State{Latest: active, Outcome: egress.Outcome{Status: egress.Lost}}, egress.Lost},
	} {
		v := View{Row: Row{Status: "EGRESS_STARTING"}}
		if v.shows(tc.state); v.Status != tc.want {
			t.Errorf("%s: got %s, want %s", name, v.Status, tc.want)
		}
	}
}

func TestAnActivityIsInHandWaitsForItsNextAttemptOrForAWorker(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	before, next := timestamppb.New(at.Add(-time.Minute)), timestamppb.New(at)
	queue := &activitypb.ActivityOptions{TaskQueue: &taskqueuepb.TaskQueue{Name: "egress"}}
	for name, tc := range map[string]struct {
		pending *workflowpb.PendingActivityInfo
		want    Activity
	}{
		"in hand":            {&workflowpb.PendingActivityInfo{State: enumspb.PENDING_ACTIVITY_STATE_STARTED, Attempt: 2, LastStartedTime: next, ActivityOptions: queue}, Activity{Attempt: 2, StartedAt: &at}},
		"waits":              {&workflowpb.PendingActivityInfo{State: enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, Attempt: 2, LastStartedTime: before, NextAttemptScheduleTime: next, ActivityOptions: queue}, Activity{Attempt: 2, NextAttempt: &at}},
		"nobody took it yet": {&workflowpb.PendingActivityInfo{State: enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, Attempt: 2, LastStartedTime: before, ActivityOptions: queue}, Activity{Attempt: 2, AwaitsWorker: "egress"}},
	} {
		if got := New(Config{}).pendingOf([]*workflowpb.PendingActivityInfo{tc.pending}); !reflect.DeepEqual(got, []Activity{tc.want}) {
			t.Errorf("%s: got %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestTheNextLookIsThePollsNextAttemptWhereOneIsUnderWay(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	overdue, again := began.Add(5*time.Minute), began.Add(2*time.Hour)
	for name, tc := range map[string]struct {
		pending []Activity
		want    *time.Time
	}{
		"none":          {[]Activity{{Type: "Stop", NextAttempt: &again}}, &overdue},
		"one waits":     {[]Activity{{Type: "Stop"}, {Type: "Poll", NextAttempt: &again}}, &again},
		"one is asking": {[]Activity{{Type: "Poll"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := View{Pending: tc.pending}
			v.shows(egress.State{Phase: egress.Watching, Started: true, NewsAt: began, SuspectedAt: overdue})
			if !reflect.DeepEqual(v.NextLook, tc.want) {
				t.Errorf("got %v, want %v", v.NextLook, tc.want)
			}
		})
	}
}

// leaving is a Temporal with a recording that has been delivered and is still open, whose worker
// leaves before it is asked for the verdict.
type leaving struct{ onePage }

func (*leaving) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "1"}, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}}, nil
}

func (*leaving) QueryWorkflow(_ context.Context, _, _, name string, _ ...any) (converter.EncodedValue, error) {
	if name == egress.QueryVerdict {
		return nil, serviceerror.NewUnavailable("no worker")
	}
	state, err := converter.GetDefaultDataConverter().ToPayloads(egress.State{Phase: egress.Delivered})
	return client.NewValue(state), err
}

func TestAStateWhoseVerdictCannotBeReadSaysSo(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Temporal: &leaving{}}).State(t.Context(), "call-1")
	must(t, err)
	if v.Phase != egress.Delivered || v.Verdict != nil || v.Problem != "verdict of egress/call-1: no worker" {
		t.Errorf("got %+v", v)
	}
}
