package recordings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"

	"github.com/reelkeeper/reelkeeper/egress"
)

// A list of a room is urgent, and LiveKit has just told most of it.
func TestWhatIsKnownOfARoomIsNotReadAgain(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	ids, where := closedInOrder(t, ctx, c, w, 3)
	var (
		mu   sync.Mutex
		read []string
	)
	noting := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if r, ok := req.(*workflowservice.GetWorkflowExecutionHistoryRequest); ok {
			mu.Lock()
			read = append(read, r.GetExecution().GetWorkflowId())
			mu.Unlock()
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	var known []string
	var unknown Row
	for row, err := range c.Closed(ctx, Span{Where: where}) {
		must(t, err)
		if row.RequestID == ids[0] {
			unknown = row
		} else {
			known = append(known, row.EgressID)
		}
	}
	infos, err := New(Config{Temporal: through(t, noting), Namespace: namespace}).Ended(ctx, "", unknown.Room, known...)
	must(t, err)
	if len(infos) != 1 || infos[0].Proto().GetEgressId() != unknown.EgressID {
		t.Errorf("got %v, want %s", infos, unknown.EgressID)
	}
	if want := []string{egress.WorkflowID(ids[0])}; !slices.Equal(slices.Compact(read), want) {
		t.Errorf("read %v, want %v", read, want)
	}
}

// Of thousands of running egresses, some may be lost; a query that names all of them has no bound.
func TestOfThousandsTheLostAreAskedForInParts(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	ids := make([]string, 2*lostAtOnce)
	for i := range ids {
		ids[i] = fmt.Sprintf("EG_%06d", i)
	}
	first, last := over(t, ctx, c, w, "lost"), over(t, ctx, c, w, "lost")
	for _, v := range []egress.Verdict{first, last} {
		awaitRows(t, ctx, c, Filter{Room: v.RequestID, Status: egress.Lost}, 1)
	}
	ids[0], ids[len(ids)-1] = first.EgressID, last.EgressID
	asked, answers := 0, 4
	c = New(Config{Temporal: through(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if r, ok := req.(*workflowservice.ListWorkflowExecutionsRequest); ok {
			asked++
			if n := strings.Count(r.GetQuery(), "'EG_"); n > lostAtOnce {
				t.Errorf("%d are asked for at once", n)
			}
			if asked > answers {
				return errors.New("visibility is away")
			}
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}), Namespace: namespace})

	lost, err := c.Lost(ctx, ids)
	must(t, err)
	if len(lost) != 2 || lost[first.EgressID] == "" || lost[last.EgressID] == "" || asked != 4 {
		t.Errorf("got %v by %d questions", lost, asked)
	}
	for n, want := range []int{0, 0, 1, 1} { // the second and the fourth ask whether they are watched again
		asked, answers = 0, n
		lost, err = c.Lost(ctx, ids)
		if err == nil || len(lost) != want || want == 1 && lost[first.EgressID] == "" {
			t.Errorf("after %d answers: got %v and %v, want what is sure", n, lost, err)
		}
	}
	asked = 0
	if lost, err = c.Lost(ctx, nil); err != nil || len(lost) != 0 || asked != 0 {
		t.Errorf("got %v and %v by %d questions, want none", lost, err, asked)
	}
}

// Its workflow was terminated or reset after a loss, and another run watches it.
func TestWhatIsWatchedAgainIsNotLost(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("again")
	runAs := func(status egress.Status) {
		_, err := c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: egress.WorkflowID(id), TaskQueue: "nobody's",
			TypedSearchAttributes: temporal.NewSearchAttributes(
				temporal.NewSearchAttributeKeyKeyword(egress.AttributeID).ValueSet("EG_"+id),
				temporal.NewSearchAttributeKeyKeyword(egress.AttributeRoom).ValueSet(id),
				temporal.NewSearchAttributeKeyKeyword(egress.AttributeStatus).ValueSet(string(status)),
			),
		}, egress.WorkflowType, egress.Input{})
		must(t, err)
		awaitRows(t, ctx, c, Filter{Room: id, Status: status}, 1)
	}
	runAs(egress.Lost)
	if lost, err := c.Lost(ctx, []string{"EG_" + id}); err != nil || len(lost) != 1 {
		t.Errorf("got %v and %v, want it lost while nobody else watches it", lost, err)
	}
	must(t, c.cfg.Temporal.TerminateWorkflow(ctx, egress.WorkflowID(id), "", "it records"))
	runAs("EGRESS_ACTIVE")
	if lost, err := c.Lost(ctx, []string{"EG_" + id}); err != nil || len(lost) != 0 {
		t.Errorf("got %v and %v, want none", lost, err)
	}
}

func TestOneThatHasClosedAndOneThatNeverWasAreSignalledInVain(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	v := over(t, ctx, c, w, "signalled")
	for requestID, want := range map[string]egress.Reason{v.RequestID: egress.AlreadyOver, fresh("nobody"): egress.NotFound} {
		wantReason(t, c.Signal(ctx, egress.WorkflowID(requestID), egress.SignalObserved, "EV_1", egress.Event{}), want)
		told, err := c.Tell(ctx, requestID, egress.Event{})
		must(t, err)
		if told {
			t.Errorf("%s was told", requestID)
		}
	}
}
