package recordings

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/reelkeeper/reelkeeper/egress"
)

// newNamespace returns a client of a namespace without any worker or workflow.
func newNamespace(t *testing.T) *Client {
	t.Helper()
	name := fresh("namespace")
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	_, err := c.cfg.Temporal.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	must(t, err)
	c = newReal(t, name)
	for { // the server learns of a namespace, and of its search attributes, a little later
		_, err := c.EnsureSearchAttributes(ctx)
		if err == nil {
			_, _, err = c.ByEgressID(ctx, "EG_nobody")
		}
		if err == nil {
			return c
		}
		if !c.pause(ctx) {
			t.Fatal(err)
		}
	}
}

// Whether an egress belongs to a workflow that has just begun, only a worker can say.
func TestAnEgressIsNotDeniedWhereItCouldNotBeAskedFor(t *testing.T) {
	t.Parallel()
	c := newNamespace(t)
	c.cfg.FindFor, c.cfg.QueryFor = 5*time.Second, 100*time.Millisecond
	ctx := ctxOf(t, patience)
	_, err := c.Find(ctx, "EG_nobody")
	wantReason(t, err, egress.NotFound)
	if want := `no recording has the ID "EG_nobody"; to find an earlier part of one, or one that has just begun, use its request ID`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	_, err = c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: egress.WorkflowID("early"), TaskQueue: "nobody's"}, egress.WorkflowType, egress.Input{})
	must(t, err)
	for egress.ReasonOf(err) != egress.Unavailable { // once visibility knows of it
		if _, err = c.Find(ctx, "EG_of-early"); ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	want := `cannot tell whether a recording has the ID "EG_of-early": egress/early has just begun, and no worker answered: `
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %q, want %q", err, want)
	}
}
