package recordings

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

// historyCalls counts the calls for histories: those are what a wait consists of.
type historyCalls struct{ n atomic.Int64 }

func (c *historyCalls) count(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if strings.HasSuffix(method, "/GetWorkflowExecutionHistory") {
		c.n.Add(1)
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

// counted returns a client like that of real, whose calls are counted.
func counted(t *testing.T, waitFor time.Duration) (*Client, *historyCalls) {
	t.Helper()
	calls := &historyCalls{}
	return New(Config{Temporal: through(t, calls.count), Namespace: namespace, WaitFor: waitFor}), calls
}

// through returns a Temporal client whose calls go through an interceptor before the SDK's own.
func through(t *testing.T, interceptor grpc.UnaryClientInterceptor) client.Client {
	t.Helper()
	temporal, err := dial(namespace, grpc.WithUnaryInterceptor(interceptor))
	must(t, err)
	t.Cleanup(temporal.Close)
	return temporal
}

func TestWhoWaitsAsksOnceForEachSlice(t *testing.T) {
	t.Parallel()
	id := fresh("patient")
	c, w := real(t)
	begin(t, ctxOf(t, patience), c, w, id, id)
	for name, tc := range map[string]struct {
		whole, slice time.Duration
		most         int64
	}{
		"many slices":                         {6 * time.Second, 1500 * time.Millisecond, 8},
		"the caller's own deadline is sooner": {5 * time.Second, time.Minute, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiter, calls := counted(t, tc.slice)
			_, err := waiter.Wait(ctxOf(t, tc.whole), id)
			if err == nil {
				t.Error("it has not ended, and yet there is a verdict")
			}
			if n := calls.n.Load(); n < 1 || n > tc.most {
				t.Errorf("got %d questions in %s, want 1 to %d", n, tc.whole, tc.most)
			}
		})
	}
}

func TestAWaitThatIsBrokenOffEnds(t *testing.T) {
	t.Parallel()
	id := fresh("broken-off")
	c, w := real(t)
	begin(t, ctxOf(t, patience), c, w, id, id)
	waiter, calls := counted(t, time.Minute)
	ctx, cancel := context.WithCancel(ctxOf(t, patience))
	go func() {
		for calls.n.Load() == 0 {
			if !waiter.pause(ctx) {
				return
			}
		}
		cancel()
	}()
	_, err := waiter.Wait(ctx, id)
	if err == nil || ctx.Err() == nil {
		t.Errorf("got %v, with the context %v", err, ctx.Err())
	}
}

// A Temporal frontend that shuts down ends each call that waits there.
func TestAnAnswerThatTemporalBreaksOffIsAskedForAgain(t *testing.T) {
	t.Parallel()
	_, w := real(t)
	id := fresh("broken-off")
	w.open(id)
	keys, err := seal.New(seal.Config{Secret: "a secret of LiveKit's"})
	must(t, err)
	var asked atomic.Int64
	down := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if strings.HasSuffix(method, "/PollWorkflowExecutionUpdate") && asked.Add(1) == 1 {
			return status.Error(codes.Canceled, "the server is shutting down")
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	c := New(Config{Temporal: through(t, down), Namespace: namespace, Sealer: keys})
	ctx := ctxOf(t, patience)
	p, err := c.Begin(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id)})
	must(t, err)

	s, err := p.Started(ctx)

	must(t, err)
	if got := s.Info.Proto().GetRoomName(); got != id || asked.Load() < 2 {
		t.Errorf("got %q after %d questions", got, asked.Load())
	}
}
