package recordings

import (
	"context"
	"slices"
	"sync"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/reelkeeper/reelkeeper/egress"
)

// A list of a room is in a hurry, and LiveKit has just told most of it.
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
