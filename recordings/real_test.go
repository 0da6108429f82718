package recordings

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lithammer/shortuuid/v4"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/payload"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

// namespace has a worker; the server's "default" has none until a test starts one.
const namespace = "recordings"

// server is one development Temporal for all tests of the package, started by the first test that
// needs it.
var server = sync.OnceValues(func() (*devtemporal.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	srv, err := devtemporal.Start(ctx, devtemporal.Options{
		Headless: true, Namespace: namespace, Progress: os.Stderr,
		Args: []string{"--dynamic-config-value", "frontend.WorkflowPauseEnabled=true"},
	})
	running = srv
	return srv, err
})

// running is the server that TestMain stops, nil if no test needed one.
var running *devtemporal.Server

// world is the one worker, with stand-ins for the workflow and LiveKit.
var world = sync.OnceValues(func() (*standIn, error) {
	temporal, err := dial(namespace)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	made, err := New(Config{Temporal: temporal, Namespace: namespace}).EnsureSearchAttributes(ctx)
	if err != nil {
		return nil, err
	}
	s := &standIn{made: made, rooms: map[string]bool{}, starts: map[string]int{}}
	return s, s.work(temporal)
})

func dial(namespace string, options ...grpc.DialOption) (client.Client, error) {
	srv, err := server()
	if err != nil {
		return nil, err
	}
	return client.Dial(client.Options{
		HostPort: srv.Address, Namespace: namespace, DataConverter: payload.Converter(),
		Logger:            log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		ConnectionOptions: client.ConnectionOptions{DialOptions: options},
	})
}

func TestMain(m *testing.M) {
	code := m.Run()
	if running != nil {
		running.Kill()
	}
	os.Exit(code)
}

// real returns a client and the stand-ins behind it.
func real(t *testing.T) (*Client, *standIn) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Temporal server")
	}
	s, err := world()
	must(t, err)
	return newReal(t, namespace), s
}

func newReal(t *testing.T, namespace string) *Client {
	t.Helper()
	temporal, err := dial(namespace)
	must(t, err)
	t.Cleanup(temporal.Close)
	keys, err := seal.New(seal.Config{Secret: "a secret of LiveKit's"})
	must(t, err)
	return New(Config{Temporal: temporal, Namespace: namespace, Sealer: keys, AskEvery: 20 * time.Millisecond, FindFor: 10 * time.Second})
}

// standIn is LiveKit and our worker in a few lines: it starts an egress if the room exists, and
// refuses otherwise.
type standIn struct {
	made []string // search attributes that were missing

	mu     sync.Mutex
	rooms  map[string]bool
	starts map[string]int
}

func (s *standIn) open(room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms[room] = true
}

func (s *standIn) started(room string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starts[room]
}

func (s *standIn) work(temporal client.Client) error {
	return s.worker(temporal, worker.Options{}).Start()
}

func (s *standIn) worker(temporal client.Client, o worker.Options) worker.Worker {
	w := worker.New(temporal, egress.TaskQueue, o)
	w.RegisterWorkflowWithOptions(s.workflow, workflow.RegisterOptions{Name: egress.WorkflowType})
	w.RegisterWorkflowWithOptions(s.again, workflow.RegisterOptions{Name: egress.RedeliveryType})
	w.RegisterActivity(s.Begin)
	return w
}

// Begin is the activity that asks LiveKit.
func (s *standIn) Begin(_ context.Context, requestID, room string) (egress.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts[room]++
	if !s.rooms[room] {
		return egress.Info{}, toCaller(&egress.Error{Reason: egress.NotFound, Code: "not_found", Message: "requested room does not exist"})
	}
	return egress.NewInfo(&livekit.EgressInfo{EgressId: fmt.Sprintf("EG_%s_%d", requestID, s.starts[room]), RoomName: room})
}

// fresh returns an ID or a room that no other test has, nor an earlier run of this one.
func fresh(name string) string { return name + "-" + shortuuid.New()[:8] }

func roomRequest(room string) egress.Request {
	return &livekit.RoomCompositeEgressRequest{
		RoomName:    room,
		FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "a.mp4"}},
	}
}

// runningAs returns the webhook of an egress that records a room.
func runningAs(t *testing.T, egressID, room string) egress.Event {
	t.Helper()
	e, err := egress.ParseEvent(fmt.Appendf(nil, `{"event":"egress_updated","id":"EV_1","egressInfo":{"egressId":%q,"status":"EGRESS_ACTIVE","roomName":%q}}`, egressID, room))
	must(t, err)
	return e
}

func ctxOf(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantReason(t *testing.T, err error, want egress.Reason) {
	t.Helper()
	if got := egress.ReasonOf(err); got != want {
		t.Fatalf("got the error %v of reason %q, want reason %q", err, got, want)
	}
}
