package recordings

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/egress"
)

// counting counts how often it lists workflows.
type counting struct {
	onePage
	lists int
}

func (c *counting) ListWorkflow(ctx context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	c.lists++
	return c.onePage.ListWorkflow(ctx, r)
}

// A self-hosted Temporal answers ten such calls a second by default, and webhooks need some.
func TestAnEgressIDThatNobodyKnowsTakesFewCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		temporal := &counting{}
		_, err := New(Config{Temporal: temporal}).Find(t.Context(), "EG_nobody")
		wantReason(t, err, egress.NotFound)
		if want := `no recording has the ID "EG_nobody"; to find an earlier part of one, or one that has just begun, use its request ID`; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		if temporal.lists != 10 { // five times two: after 0, 0.2, 0.6, 1.1 and 1.6 s
			t.Errorf("got %d lists, want 10", temporal.lists)
		}
	})
}

// shutting shows a workflow that has just begun, for which no worker answers, and shuts down at the
// second look.
type shutting struct{ counting }

func (s *shutting) ListWorkflow(ctx context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	page, err := s.counting.ListWorkflow(ctx, r)
	switch {
	case !strings.Contains(r.GetQuery(), "IS NULL"):
		return &workflowservice.ListWorkflowExecutionsResponse{}, nil
	case s.lists > 2:
		return nil, serviceerror.NewDeadlineExceeded("shutting down")
	}
	return page, err
}

func (s *shutting) QueryWorkflow(context.Context, string, string, string, ...any) (converter.EncodedValue, error) {
	return nil, serviceerror.NewUnavailable("no worker")
}

func TestALookThatTemporalCutsOffLeavesTheDoubtOfTheOneBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		temporal := &shutting{}
		temporal.listed = []*workflowpb.WorkflowExecutionInfo{{Execution: &commonpb.WorkflowExecution{WorkflowId: egress.WorkflowID("call-1"), RunId: "1"}}}
		_, err := New(Config{Temporal: temporal}).Find(t.Context(), "EG_begins")
		wantReason(t, err, egress.Unavailable)
		if want := `cannot tell whether a recording has the ID "EG_begins": egress/call-1 has just begun, and no worker answered: no worker`; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %q, want %q first", err, want)
		}
	})
}
