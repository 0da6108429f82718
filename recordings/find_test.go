package recordings

import (
	"context"
	"testing"
	"testing/synctest"

	"go.temporal.io/api/workflowservice/v1"

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
