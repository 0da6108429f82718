package recordings

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// paused returns a recording whose workflow somebody has paused, once visibility shows it.
func paused(t *testing.T, ctx context.Context, c *Client, w *standIn) Started {
	t.Helper()
	id := fresh("paused")
	s := begin(t, ctx, c, w, id, id)
	_, err := c.cfg.Temporal.WorkflowService().PauseWorkflowExecution(ctx, &workflowservice.PauseWorkflowExecutionRequest{
		Namespace: namespace, WorkflowId: s.WorkflowID, RunId: s.RunID, Reason: "the test", RequestId: id,
	})
	must(t, err)
	for {
		for row, err := range c.List(ctx, Filter{Room: id}) {
			must(t, err)
			if row.Workflow == workflowPaused {
				return s
			}
		}
		if !c.pause(ctx) {
			t.Fatal("it is not shown as paused")
		}
	}
}

func TestARecordingThatIsPausedIsOpen(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	began := time.Now()
	s := paused(t, ctx, c, w)
	room, egressID := s.RequestID, s.Info.Proto().GetEgressId()

	v, err := c.State(ctx, s.RequestID)
	must(t, err)
	if v.Workflow != workflowPaused || v.ClosedAt != nil || v.Problem != "no worker answered: query rejected: Paused" {
		t.Errorf("got %+v", v)
	}
	if ids, err := c.ByRoom(ctx, room); err != nil || !slices.Equal(ids, []string{s.WorkflowID}) {
		t.Errorf("in its room: got %v and %v", ids, err)
	}
	for name, list := range map[string]func() ([]egress.Ours, error){
		"running": func() ([]egress.Ours, error) { return c.Running(ctx) },
		"changed": func() ([]egress.Ours, error) { return c.Changed(ctx, began.Add(-time.Minute)) },
	} {
		ours, err := list()
		must(t, err)
		if !slices.ContainsFunc(ours, func(o egress.Ours) bool { return o.RequestID == s.RequestID && !o.Over }) {
			t.Errorf("it is not among those %s", name)
		}
	}
	e, err := egress.ListedEvent(&livekit.EgressInfo{EgressId: egressID, RoomName: room, Status: livekit.EgressStatus_EGRESS_ACTIVE})
	must(t, err)
	if made, err := c.AdoptListed(ctx, s.RequestID, egress.Extras{}, e); err != nil || made {
		t.Errorf("it is adopted: got %v and %v", made, err)
	}
	if r := ReportOf([]Row{v.Row}, began, time.Time{}); r.Running != 1 || r.BrokenOff != 0 {
		t.Errorf("got %+v", r)
	}
}

// As Temporal 1.29 does.
func TestATemporalThatKnowsOfNoPauseIsAskedWithoutIt(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("older")
	s := begin(t, ctx, c, w, id, id)
	refused := func(query string) error {
		if strings.Contains(query, "Paused") {
			return serviceerror.NewInvalidArgument("invalid query: invalid ExecutionStatus value 'Paused'")
		}
		return nil
	}
	older := New(c.cfg)
	older.cfg.Temporal = through(t, func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		var err error
		switch r := req.(type) {
		case *workflowservice.ListWorkflowExecutionsRequest:
			err = refused(r.GetQuery())
		case *workflowservice.CountWorkflowExecutionsRequest:
			err = refused(r.GetQuery())
		}
		if err != nil {
			return err
		}
		return invoke(ctx, method, req, reply, conn, opts...)
	})
	for {
		ids, err := older.ByRoom(ctx, id)
		must(t, err)
		if slices.Equal(ids, []string{s.WorkflowID}) {
			break
		}
		if !c.pause(ctx) {
			t.Fatalf("got %v", ids)
		}
	}
	if n, err := older.count(ctx, Filter{Room: id, Active: true}.query()); err != nil || n != 1 {
		t.Errorf("got %d and %v", n, err)
	}
}
