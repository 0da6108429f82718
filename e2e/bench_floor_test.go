package e2e

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils/guid"
	lksdk "github.com/livekit/server-sdk-go/v2"

	"github.com/reelkeeper/reelkeeper/egress"
)

// The floor is the minimum that Temporal needs for a life: a workflow with as many signals and
// activities, an update-with-start and a result, all of them empty.
const (
	floorType   = "Floor"
	floorQueue  = "floor"
	floorStart  = "start"
	floorSignal = "news"
	floorTask   = "Task"
)

// extras are parts of a life that can be added to a floor, to see what each costs.
type extras struct {
	Payload []byte // of input, activities and signals
	Upserts int    // of a search attribute: after the first activity and after each signal
	Timers  int    // likewise; each one replaces the previous
	Memo    bool   // before the last activity
	Calls   bool   // to LiveKit by the first activity, and to the consumer by the last
}

// The calls of a floor's activity.
const (
	callNobody   = ""
	callLiveKit  = "livekit"
	callConsumer = "consumer"
)

// floor waits for its first activity, its signals and its last activity.
func floor(ctx workflow.Context, x extras) error {
	begun, first, last := false, callNobody, callNobody
	if x.Calls {
		first, last = callLiveKit, callConsumer
	}
	if err := workflow.SetUpdateHandler(ctx, floorStart, func(ctx workflow.Context) error {
		return workflow.Await(ctx, func() bool { return begun })
	}); err != nil {
		return err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	if err := workflow.ExecuteActivity(ctx, floorTask, x.Payload, first).Get(ctx, nil); err != nil {
		return err
	}
	begun = true
	step := x.steps(ctx)
	step(0)
	signals := workflow.GetSignalChannel(ctx, floorSignal)
	for n := range webhooksOfALife {
		signals.Receive(ctx, nil)
		step(n + 1)
	}
	if x.Memo {
		_ = workflow.UpsertMemo(ctx, map[string]any{egress.MemoVerdict: "a memo as long as that of a verdict, which has a few short fields"})
	}
	if err := workflow.ExecuteActivity(ctx, floorTask, x.Payload, last).Get(ctx, nil); err != nil {
		return err
	}
	return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

// steps returns what a floor does after the nth piece of news. Its errors would be bugs of the
// benchmark.
func (x extras) steps(ctx workflow.Context) func(n int) {
	cancel := func() {}
	status := temporal.NewSearchAttributeKeyKeyword(egress.AttributeStatus)
	return func(n int) {
		cancel()
		cancel = func() {}
		if n < x.Upserts {
			_ = workflow.UpsertTypedSearchAttributes(ctx, status.ValueSet(strconv.Itoa(n)))
		}
		if n < x.Timers {
			var timers workflow.Context
			timers, cancel = workflow.WithCancel(ctx)
			workflow.NewTimer(timers, time.Hour)
		}
	}
}

// floorActivity returns an activity that makes the requested call just as LiveKit's own client and
// LiveKit's own webhooks do, with none of our code.
func (s *stage) floorActivity() func(context.Context, []byte, string) ([]byte, error) {
	direct := lksdk.NewEgressClient(s.fake.URL(), apiKey, apiSecret)
	return func(ctx context.Context, b []byte, call string) ([]byte, error) {
		switch call {
		case callLiveKit:
			req, _ := composite("room").(*livekit.RoomCompositeEgressRequest)
			_, err := direct.StartRoomCompositeEgress(ctx, req)
			return b, err
		case callConsumer:
			body, err := protojson.Marshal(&livekit.WebhookEvent{Event: egress.EventEnded, Id: guid.New("EV_"), EgressInfo: &livekit.EgressInfo{RoomName: "room"}})
			if err != nil {
				return nil, err
			}
			return b, s.post(s.signed(s.consumer.URL, body))
		}
		return b, nil
	}
}

// startFloor runs the floor's worker, configured like ours.
func (s *stage) startFloor() client.Client {
	s.b.Helper()
	scaled := worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
	w := worker.New(s.temporal(), floorQueue, worker.Options{WorkflowTaskPollerBehavior: scaled, ActivityTaskPollerBehavior: scaled})
	w.RegisterWorkflowWithOptions(floor, workflow.RegisterOptions{Name: floorType})
	w.RegisterActivityWithOptions(s.floorActivity(), activity.RegisterOptions{Name: floorTask})
	require.NoError(s.b, w.Start())
	s.b.Cleanup(w.Stop)
	return s.temporal()
}

// floorLife runs one floor from start to result, with the steps of a life.
func (s *stage) floorLife(c client.Client, x extras) (start time.Duration, err error) {
	began := time.Now()
	id := guid.New("floor/")
	update, err := c.UpdateWithStartWorkflow(s.ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: c.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
			ID: id, TaskQueue: floorQueue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		}, floorType, x),
		UpdateOptions: client.UpdateWorkflowOptions{UpdateName: floorStart, WaitForStage: client.WorkflowUpdateStageCompleted},
	})
	if err != nil {
		return 0, err
	}
	if err := update.Get(s.ctx, nil); err != nil {
		return 0, err
	}
	start = time.Since(began)
	input, err := converter.GetDefaultDataConverter().ToPayloads(x.Payload)
	if err != nil {
		return 0, err
	}
	for range webhooksOfALife {
		if _, err := c.WorkflowService().SignalWorkflowExecution(s.ctx, &workflowservice.SignalWorkflowExecutionRequest{
			Namespace: s.environ["TEMPORAL_NAMESPACE"], SignalName: floorSignal, RequestId: guid.New("EV_"),
			WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id}, Input: input,
		}); err != nil {
			return 0, err
		}
	}
	return start, c.GetWorkflow(s.ctx, id, "").Get(s.ctx, nil)
}

// BenchmarkFloorWith adds the parts of a life to a floor, one after the other, and compares each
// with a bare floor in the same run.
func BenchmarkFloorWith(b *testing.B) {
	payload := make([]byte, 600)
	for _, bb := range []struct {
		name string
		with extras
	}{
		{"nothing", extras{}},
		{"payloads", extras{Payload: payload}},
		{"upsert", extras{Upserts: 1}}, // as many as a life has between its start and its end
		{"upserts", extras{Upserts: 4}},
		{"timers", extras{Timers: 3}},
		{"memo", extras{Memo: true}},
		{"calls", extras{Calls: true}},
		{"all", extras{Payload: payload, Upserts: 4, Timers: 3, Memo: true}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := newStage(b, nil)
			c := s.startFloor()
			bare := func(int) (time.Duration, error) { return s.floorLife(c, extras{}) }
			more := func(int) (time.Duration, error) { return s.floorLife(c, bb.with) }
			s.inTurns(8, 50, 1, more, bare)
			for b.Loop() {
				m, f := s.inTurns(8, 240, 4, more, bare)
				s.figures.add("rate-of-floor", m.rate()/f.rate())
				s.figures.add("cpu-of-floor", m.cpu.of(f.cpu))
				m.addTo(&s.figures, "more")
			}
			s.figures.report(b)
		})
	}
}
