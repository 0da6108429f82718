package app_test

import (
	"context"
	"maps"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	schedulepb "go.temporal.io/api/schedule/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// temporal is a server without tasks: polls wait for ever. It records who polls.
type temporal struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer

	lacks  error  // the answer to a query by our search attributes
	others bool   // its schedules belong to another project's workers
	silent string // the method that it does not answer

	mu    sync.Mutex
	polls map[string]float64 // by queue and kind of task, with the maximum of activities per second
	left  []string           // queues whose workers reported that they stop
}

func (s *temporal) noted() map[string]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.polls)
}

func (s *temporal) note(name string, rate float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls[name] = rate
}

func (s *temporal) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func (s *temporal) PollWorkflowTaskQueue(ctx context.Context, r *workflowservice.PollWorkflowTaskQueueRequest) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	if r.GetTaskQueue().GetKind() == enumspb.TASK_QUEUE_KIND_NORMAL {
		s.note(r.GetTaskQueue().GetName()+" workflows", 0)
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *temporal) PollActivityTaskQueue(ctx context.Context, r *workflowservice.PollActivityTaskQueueRequest) (*workflowservice.PollActivityTaskQueueResponse, error) {
	s.note(r.GetTaskQueue().GetName()+" activities", r.GetTaskQueueMetadata().GetMaxTasksPerSecond().GetValue())
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *temporal) ShutdownWorker(_ context.Context, r *workflowservice.ShutdownWorkerRequest) (*workflowservice.ShutdownWorkerResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, r.GetTaskQueue())
	return &workflowservice.ShutdownWorkerResponse{}, nil
}

func (s *temporal) stopped() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

// CountWorkflowExecutions receives the query for search attributes.
func (s *temporal) CountWorkflowExecutions(context.Context, *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	return &workflowservice.CountWorkflowExecutionsResponse{}, s.lacks
}

// DescribeSchedule returns the schedule of the rounds, and records requests for any other.
func (s *temporal) DescribeSchedule(_ context.Context, r *workflowservice.DescribeScheduleRequest) (*workflowservice.DescribeScheduleResponse, error) {
	if !s.others {
		return nil, status.Error(codes.Unimplemented, "no schedules")
	}
	if r.GetScheduleId() != egress.ReconcileSchedule {
		s.note("schedule "+r.GetScheduleId(), 0)
	}
	mark := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`{"mark":"another"}`)}
	return &workflowservice.DescribeScheduleResponse{
		Schedule: &schedulepb.Schedule{
			Spec: &schedulepb.ScheduleSpec{}, Policies: &schedulepb.SchedulePolicies{}, State: &schedulepb.ScheduleState{},
			Action: &schedulepb.ScheduleAction{Action: &schedulepb.ScheduleAction_StartWorkflow{StartWorkflow: &workflowpb.NewWorkflowExecutionInfo{
				Input: &commonpb.Payloads{Payloads: []*commonpb.Payload{mark}},
			}}},
		},
		Info: &schedulepb.ScheduleInfo{},
	}, nil
}

// answer answers every call except those of the silent method.
func (s *temporal) answer(ctx context.Context, request any, i *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if method := path.Base(i.FullMethod); method == s.silent {
		s.note(method, 0)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return next(ctx, request)
}

// serve runs the server until the test ends. As Temporal Cloud does to API keys, it says nothing of
// its health.
func (s *temporal) serve(t *testing.T) (address string) {
	t.Helper()
	s.polls = map[string]float64{}
	server := grpc.NewServer(grpc.UnaryInterceptor(s.answer))
	workflowservice.RegisterWorkflowServiceServer(server, s)
	operatorservice.RegisterOperatorServiceServer(server, s)
	l := taken(t)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-served)
	})
	return l.Addr().String()
}

func TestAWorkerIsReadyOnceItPollsAndEndsCleanly(t *testing.T) {
	t.Parallel()
	s := &temporal{}
	r := run(t, app.WorkerMain, "TEMPORAL_ADDRESS", s.serve(t), "REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE", "120")
	require.Eventually(t, func() bool { return answersOK(r.admin + "/readyz") }, 20*time.Second, 10*time.Millisecond)
	want := map[string]float64{
		egress.TaskQueue + " workflows": 0, egress.TaskQueue + " activities": 100_000, // the SDK's default, which is no limit
		egress.PollQueue + " activities": 1, // per second, over all workers, for the two calls of a look
	}
	require.Eventually(t, func() bool { return len(s.noted()) >= len(want) }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, want, s.noted())
	_, metrics := get(t, r.admin+"/metrics")
	requireCountersAtZero(t, metrics)
	require.NoError(t, r.stop())
	require.ElementsMatch(t, []string{egress.TaskQueue, egress.PollQueue}, s.stopped(), "what they do is finished, and others get the rest")
}

func TestAWorkerThatMayNotMakeItsSearchAttributesFailsAndSaysSo(t *testing.T) {
	t.Parallel()
	s := &temporal{lacks: status.Error(codes.InvalidArgument, "no such search attribute")} // and creating them is not implemented
	err := app.WorkerMain(t.Context(), environ(t, "TEMPORAL_ADDRESS", s.serve(t)))
	require.ErrorContains(t, err, "temporal operator search-attribute create --namespace default --name "+egress.AttributeEndedBy)
	require.Empty(t, s.noted(), "it does not take work that it cannot do")
}

// It must not change what it must not serve: the schedules belong to the other project.
func TestAWorkerOfAnotherProjectLeavesItsNamespaceAlone(t *testing.T) {
	t.Parallel()
	s := &temporal{others: true}
	err := app.WorkerMain(t.Context(), environ(t, "TEMPORAL_ADDRESS", s.serve(t)))
	require.ErrorContains(t, err, "LIVEKIT_API_SECRET: is not that of the workers of namespace")
	require.ErrorContains(t, err, "If the secret was changed, set REELKEEPER_PREVIOUS_SECRETS to the earlier one")
	require.Empty(t, s.noted())
}

// A visibility store that is down keeps nobody from recording.
func TestAWorkerWorksWhereItsSearchAttributesCannotBeLookedFor(t *testing.T) {
	t.Parallel()
	s := &temporal{lacks: status.Error(codes.Unavailable, "visibility is away")}
	r := run(t, app.WorkerMain, "TEMPORAL_ADDRESS", s.serve(t))
	require.Eventually(t, func() bool { return answersOK(r.admin + "/readyz") }, time.Minute, 10*time.Millisecond)
	require.NoError(t, r.stop())
}

func TestAWorkerThatIsToldToStopBeforeItIsReadyEndsCleanly(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"CountWorkflowExecutions", "DescribeSchedule"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := &temporal{silent: method}
			r := run(t, app.WorkerMain, "TEMPORAL_ADDRESS", s.serve(t))
			require.Eventually(t, func() bool { _, asked := s.noted()[method]; return asked }, 20*time.Second, 10*time.Millisecond)
			require.NoError(t, r.stop())
			require.Empty(t, s.stopped(), "it has begun nothing")
		})
	}
}

func TestAnInstanceThatIsToldToStopWhileItWaitsForTemporalStops(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	a, err := app.Open(app.Options{Environ: environ(t), Role: config.Worker, LogTo: &lines{}})
	require.NoError(t, err)
	require.ErrorIs(t, a.RunWorker(ctx, func() { t.Error("it is not ready") }), context.Canceled)
	require.NoError(t, a.Close())
	require.NotNil(t, a.Recordings())
}
