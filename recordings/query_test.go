package recordings

import (
	"context"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAFilterIsOneQuery(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("CET", 3600))
	for name, tc := range map[string]struct {
		filter Filter
		want   string
	}{
		"all":                                   {Filter{}, `WorkflowType = 'Egress'`},
		"a room":                                {Filter{Room: "r"}, `WorkflowType = 'Egress' AND EgressRoom = 'r'`},
		"what a store mangles is not asked for": {Filter{Room: `it's "q"`}, `WorkflowType = 'Egress' AND EgressRoom STARTS_WITH 'it'`},
		"also where it comes first":             {Filter{Room: `' OR 1=1 --`}, `WorkflowType = 'Egress' AND EgressRoom IS NOT NULL`},
		"other values never leave their quotes": {Filter{Status: `\' OR 1=1 --`}, `WorkflowType = 'Egress' AND EgressStatus = '\\\' OR 1=1 --'`},
		"a closed recording was told to nobody": {Filter{Stuck: true}, `WorkflowType = 'Egress' AND EgressStuck = true`},
		"a closed redelivery was cancelled":     {Filter{Stuck: true, Redeliveries: true}, `WorkflowType = 'Redelivery' AND ExecutionStatus IN ('Running', 'Paused') AND EgressStuck = true`},
		"all that ran in a span of time": {
			Filter{RanSince: day, Until: day.Add(time.Hour)},
			`WorkflowType = 'Egress' AND StartTime < '2026-03-04T05:06:07Z' AND (ExecutionStatus IN ('Running', 'Paused') OR CloseTime >= '2026-03-04T04:06:07Z')`,
		},
		"everything at once": {
			Filter{Room: "r", Kind: egress.KindWeb, Status: egress.Lost, Active: true, Stuck: true, Missed: true, Since: day, Until: day.Add(time.Hour)},
			`WorkflowType = 'Egress' AND EgressRoom = 'r' AND EgressKind = 'web' AND EgressStatus = 'LOST' AND ExecutionStatus IN ('Running', 'Paused')` +
				` AND EgressStuck = true AND EgressMissed IS NOT NULL AND StartTime >= '2026-03-04T04:06:07Z' AND StartTime < '2026-03-04T05:06:07Z'`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.filter.query(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// onePage is a Temporal that lists these workflows, and describes none.
type onePage struct {
	client.Client
	listed []*workflowpb.WorkflowExecutionInfo
}

func (p *onePage) ListWorkflow(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: p.listed}, nil
}

func (p *onePage) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return nil, serviceerror.NewUnavailable("away")
}

func TestNothingIsAskedAboutARunThatIsNotListed(t *testing.T) {
	t.Parallel()
	run := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: egress.WorkflowID("call-1"), RunId: "1"},
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, CloseTime: timestamppb.Now(),
	}
	c := New(Config{Temporal: &onePage{listed: []*workflowpb.WorkflowExecutionInfo{run}}})
	for row, err := range c.List(t.Context(), Filter{Stuck: true}) {
		t.Errorf("got %+v, %v", row, err)
	}
}
