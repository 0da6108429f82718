package app

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
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

// leaving is a Temporal that goes away for a minute once it has been asked for its namespace.
type leaving struct {
	deleted

	because error
	asked   atomic.Bool
	began   time.Time
}

func (l *leaving) DescribeNamespace(ctx context.Context, r *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	if l.asked.Swap(true) && time.Since(l.began) < 45*time.Second {
		return nil, serviceerror.ToStatus(l.because).Err()
	}
	return l.deleted.DescribeNamespace(ctx, r)
}

// opened returns a worker's App whose Temporal answers in memory, so that it may run on synctest's
// clock.
func opened(t *testing.T, temporal workflowservice.WorkflowServiceServer, log io.Writer) *App {
	t.Helper()
	server, l := grpc.NewServer(), bufconn.Listen(1<<20)
	workflowservice.RegisterWorkflowServiceServer(server, temporal)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	a, err := Open(Options{Role: config.Worker, LogTo: log, Environ: map[string]string{
		"LIVEKIT_URL": "http://localhost", "LIVEKIT_API_KEY": "devkey", "LIVEKIT_API_SECRET": "a-secret-of-32-characters-or-more",
		"REELKEEPER_PUBLIC_URL": "http://reel.example.com",
	}})
	require.NoError(t, err)
	a.working.ConnectionOptions.DialOptions = []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
	}
	a.temporal.Close()
	a.temporal, err = client.NewLazyClient(a.working)
	require.NoError(t, err)
	a.recordings = recordings.New(recordings.Config{Temporal: a.temporal, Namespace: a.namespace, Sealer: a.keys})
	return a
}

// The SDK retries for two minutes, and then never again: whoever runs the process must restart it.
func TestAWorkerWhoseNamespaceIsGoneEndsAndSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := opened(t, deleted{}, io.Discard)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		ready := false
		require.ErrorContains(t, a.RunWorker(ctx, func() { ready = true }), "worker: ")
		require.True(t, ready)
		require.NoError(t, a.Close())
	})
}

// The schedules take a while between the wait for Temporal and the start of the workers.
func TestAWorkerWaitsForATemporalThatLeavesBeforeItPolls(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		because error
		refused string
	}{
		"unavailable":  {serviceerror.NewUnavailable("no usable database connection"), ""},
		"overloaded":   {serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_SYSTEM_OVERLOADED, "busy"), ""},
		"too slow":     {serviceerror.NewDeadlineExceeded("slow"), ""},
		"called off":   {serviceerror.NewCanceled("slow"), ""},
		"no namespace": {serviceerror.NewNamespaceNotFound("default"), "start worker: "},
		"not allowed":  {serviceerror.NewPermissionDenied("no", ""), "start worker: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				a := opened(t, &leaving{began: time.Now(), because: tc.because}, &log)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				ready := false
				err := a.RunWorker(ctx, func() { ready = true; stop() })
				if tc.refused != "" {
					require.ErrorContains(t, err, tc.refused)
				} else {
					require.NoError(t, err)
					require.Equal(t, 1, strings.Count(log.String(), "waiting for Temporal"))
				}
				require.Equal(t, tc.refused == "", ready)
				require.NoError(t, a.Close())
			})
		})
	}
}

func TestAWorkerThatIsToldToStopWhileItWaitsForTemporalsReturnStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := opened(t, &leaving{began: time.Now(), because: serviceerror.NewUnavailable("no usable database connection")}, io.Discard)
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Second, stop)
		require.ErrorIs(t, a.RunWorker(ctx, func() { t.Error("it is not ready") }), context.Canceled)
		require.NoError(t, a.Close())
	})
}

// hanging is a Temporal that no longer answers once workers poll it.
type hanging struct{ deleted }

// DescribeNamespace promises what makes a worker that stops wait for its polls.
func (hanging) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespacepb.NamespaceInfo{
		Capabilities: &namespacepb.NamespaceInfo_Capabilities{WorkerPollCompleteOnShutdown: true},
	}}, nil
}

func (hanging) PollWorkflowTaskQueue(ctx context.Context, _ *workflowservice.PollWorkflowTaskQueueRequest) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hanging) PollActivityTaskQueue(ctx context.Context, _ *workflowservice.PollActivityTaskQueueRequest) (*workflowservice.PollActivityTaskQueueResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hanging) ShutdownWorker(ctx context.Context, _ *workflowservice.ShutdownWorkerRequest) (*workflowservice.ShutdownWorkerResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAWorkerStopsInTimeWhereTemporalHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := opened(t, hanging{}, io.Discard)
		ctx, stop := context.WithCancel(t.Context())
		var told time.Time
		require.NoError(t, a.RunWorker(ctx, func() { told = time.Now(); stop() }))
		require.LessOrEqual(t, time.Since(told), 30*time.Second, "the admin server may take shutdownGrace more: docs/setup.md says 50 s")
		require.NoError(t, a.Close())
	})
}
