package recordings

import (
	"context"
	"slices"
	"sync"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
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
	srv, err := server()
	must(t, err)
	temporal, err := client.Dial(client.Options{
		HostPort: srv.Address, Namespace: namespace, DataConverter: payload.Converter(),
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithUnaryInterceptor(noting)}},
	})
	must(t, err)
	t.Cleanup(temporal.Close)
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
	infos, err := New(Config{Temporal: temporal, Namespace: namespace}).Ended(ctx, "", unknown.Room, known...)
	must(t, err)
	if len(infos) != 1 || infos[0].Proto().GetEgressId() != unknown.EgressID {
		t.Errorf("got %v, want %s", infos, unknown.EgressID)
	}
	if want := []string{egress.WorkflowID(ids[0])}; !slices.Equal(read, want) {
		t.Errorf("read %v, want %v", read, want)
	}
}
