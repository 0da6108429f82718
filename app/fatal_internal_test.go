package app

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// deleted is a Temporal whose namespace is deleted once workers poll it.
type deleted struct {
	workflowservice.UnimplementedWorkflowServiceServer
}

func (deleted) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func (deleted) CountWorkflowExecutions(context.Context, *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	return &workflowservice.CountWorkflowExecutionsResponse{}, nil
}

func (deleted) PollWorkflowTaskQueue(context.Context, *workflowservice.PollWorkflowTaskQueueRequest) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound("default")).Err()
}

func (deleted) PollActivityTaskQueue(context.Context, *workflowservice.PollActivityTaskQueueRequest) (*workflowservice.PollActivityTaskQueueResponse, error) {
	return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound("default")).Err()
}

// serve answers in memory, so that it may run on synctest's clock.
func (d deleted) serve(t *testing.T) grpc.DialOption {
	t.Helper()
	server, l := grpc.NewServer(), bufconn.Listen(1<<20)
	workflowservice.RegisterWorkflowServiceServer(server, d)
	healthy := grpchealth.NewServer()
	healthy.SetServingStatus("temporal.api.workflowservice.v1.WorkflowService", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, healthy)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
}

// The SDK retries for two minutes, and then never again: whoever runs the process must restart it.
func TestAWorkerWhoseNamespaceIsGoneEndsAndSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, err := Open(Options{Role: config.Worker, LogTo: io.Discard, Environ: map[string]string{
			"LIVEKIT_URL": "http://localhost", "LIVEKIT_API_KEY": "devkey", "LIVEKIT_API_SECRET": "a-secret-of-32-characters-or-more",
			"REELKEEPER_PUBLIC_URL": "http://reel.example.com",
		}})
		require.NoError(t, err)
		a.working.ConnectionOptions.DialOptions = []grpc.DialOption{deleted{}.serve(t)}
		a.temporal.Close()
		a.temporal, err = client.NewLazyClient(a.working)
		require.NoError(t, err)
		a.recordings = recordings.New(recordings.Config{Temporal: a.temporal, Namespace: a.namespace, Sealer: a.keys})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		ready := false
		require.ErrorContains(t, a.RunWorker(ctx, func() { ready = true }), "worker: ")
		require.True(t, ready)
		require.NoError(t, a.Close())
	})
}
