package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// idle is a user's own Temporal without tasks. Tests of the one that dev runs are in e2e.
type idle struct {
	workflowservice.UnimplementedWorkflowServiceServer
	lacks error // the answer to a query by our search attributes
}

func (*idle) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func (s *idle) CountWorkflowExecutions(context.Context, *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	return &workflowservice.CountWorkflowExecutionsResponse{}, s.lacks
}

func (*idle) PollWorkflowTaskQueue(ctx context.Context, _ *workflowservice.PollWorkflowTaskQueueRequest) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (*idle) PollActivityTaskQueue(ctx context.Context, _ *workflowservice.PollActivityTaskQueueRequest) (*workflowservice.PollActivityTaskQueueResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *idle) serve(t *testing.T) (address string) {
	t.Helper()
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, s)
	healthy := health.NewServer()
	healthy.SetServingStatus("temporal.api.workflowservice.v1.WorkflowService", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, healthy)
	l, err := net.Listen("tcp", loopback(0))
	require.NoError(t, err)
	var g errgroup.Group
	g.Go(func() error { return server.Serve(l) })
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, g.Wait())
	})
	return l.Addr().String()
}

// saidOnce receives an instance's report that it is ready.
type saidOnce struct{ said chan []byte }

func (s saidOnce) Write(b []byte) (int, error) {
	s.said <- bytes.Clone(b)
	return len(b), nil
}

func TestAnInstanceSaysWhereItIsOnceAllOfItIsReadyAndEndsWhenItIsTold(t *testing.T) {
	t.Parallel()
	p, err := freePorts()
	require.NoError(t, err)
	o := options(t, p)
	o.environ["TEMPORAL_ADDRESS"] = (&idle{}).serve(t)
	ctx, stop := context.WithCancel(t.Context())
	out := saidOnce{make(chan []byte, 1)}
	var g errgroup.Group
	g.Go(func() error { return serve(ctx, o, out, true) })

	var at place
	require.NoError(t, json.Unmarshal(<-out.said, &at))
	require.Equal(t, o.environ["TEMPORAL_ADDRESS"], at.Temporal)
	require.Empty(t, at.UI, "it is the user's own")
	for _, url := range []string{at.Starter + "/healthz", at.Starter + "/readyz", loopbackURL(p.admin) + "/readyz", loopbackURL(p.admin) + "/metrics"} {
		res, err := http.Get(url)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode, url)
	}
	require.FileExists(t, filepath.Join(at.State, "dev.json"))

	stop()
	require.NoError(t, g.Wait())
	require.NoFileExists(t, filepath.Join(at.State, "dev.json"))
	requireNone(t, o.checkPorts) // all of it has ended
}

// A user who has tried the fake continues with a real LiveKit, and back, in the same folder.
func TestAnInstanceWorksForOneLiveKitAfterAnother(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a Temporal server")
	}
	p, err := freePorts()
	require.NoError(t, err)
	o := options(t, p)
	theirs := map[string]string{"LIVEKIT_URL": "http://127.0.0.1:1", "LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "their-secret"}
	for _, environ := range []map[string]string{{}, theirs, {}} {
		o.environ = maps.Clone(environ)
		ctx, stop := context.WithCancel(t.Context())
		out := saidOnce{make(chan []byte, 1)}
		ended := make(chan error, 1)
		go func() { ended <- serve(ctx, o, out, true) }()
		select {
		case <-out.said:
		case err := <-ended:
			require.NoError(t, err, "with %v", environ)
		}
		stop()
		require.NoError(t, <-ended)
	}
}

func TestAnInstanceWhoseWorkerCannotStartSaysWhyAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p, err := freePorts()
	require.NoError(t, err)
	o := options(t, p)
	s := &idle{lacks: status.Error(codes.PermissionDenied, "not yours")}
	o.environ["TEMPORAL_ADDRESS"] = s.serve(t)
	require.ErrorContains(t, serve(t.Context(), o, saidOnce{}, true), "not yours")
	requireNone(t, o.checkPorts)
	requireFree(t, o.stateDir)
}

func TestAnInstanceThatIsToldToStopWhileItWaitsForTemporalStops(t *testing.T) {
	t.Parallel()
	p, err := freePorts()
	require.NoError(t, err)
	o := options(t, p)
	o.environ["TEMPORAL_ADDRESS"] = loopback(p.temporal) // nobody listens there
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.NoError(t, serve(ctx, o, saidOnce{}, true), "being told to stop is no failure")
	requireNone(t, o.checkPorts)
}

func TestASettingThatIsWrongIsNamedByTheInstanceToo(t *testing.T) {
	t.Parallel()
	p, err := freePorts()
	require.NoError(t, err)
	o := options(t, p)
	o.environ["TEMPORAL_ADDRESS"] = loopback(p.temporal)
	o.environ["REELKEEPER_LOST_AFTER"] = "soon"
	require.ErrorContains(t, serve(t.Context(), o, saidOnce{}, true), "REELKEEPER_LOST_AFTER")
}
