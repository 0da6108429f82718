package recordings

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// life is one run of the stand-in workflow.
type life struct {
	in     egress.Input
	state  egress.State
	failed error
	stop   bool
}

// indexed is the pipeline of every recording.
var indexed = egress.Pipeline{Steps: []egress.Step{{Name: "index"}}}

// workflow has the real one's interface, and decides nothing: it starts, receives signals, and
// ends when it is told to stop.
func (s *standIn) workflow(ctx workflow.Context, arg newest) (egress.Verdict, error) {
	requestID, _ := egress.RequestID(workflow.GetInfo(ctx).WorkflowExecution.ID)
	in := arg.Input
	l := &life{in: in, state: egress.State{Terms: egress.Terms{Policy: egress.DefaultPolicy(), Steps: []string{egress.StepAnnounce}, Pipeline: indexed}, Phase: egress.Requested, Part: 1}}
	if err := l.handle(ctx); err != nil {
		return egress.Verdict{}, err
	}
	if strings.HasPrefix(requestID, "late-gated-") { // its search goes on until a test signals it
		workflow.GetSignalChannel(ctx, "searched").Receive(ctx, nil)
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	var info egress.Info
	if err := workflow.ExecuteActivity(ctx, s.Begin, requestID, in.Readable().Room).Get(ctx, &info); err != nil {
		l.failed = err
		_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
		return egress.Verdict{}, err
	}
	l.state.Started = true
	l.state.Observe(egress.Observation{Info: info, Source: egress.FromStart, HeardAt: workflow.Now(ctx)})
	if err := l.show(ctx, info); err != nil {
		return egress.Verdict{}, err
	}
	workflow.Go(ctx, l.listen)
	if err := workflow.Await(ctx, func() bool { return l.stop && workflow.AllHandlersFinished(ctx) }); err != nil {
		return egress.Verdict{}, err
	}
	if strings.HasPrefix(requestID, "fails-") {
		failed, err := egress.NewInfo(&livekit.EgressInfo{EgressId: l.state.ID, RoomId: "RM_1", Status: livekit.EgressStatus_EGRESS_FAILED, EndedAt: 4})
		if err != nil {
			return egress.Verdict{}, err
		}
		l.state.Observe(egress.Observation{Info: failed, Source: egress.FromPoll, HeardAt: workflow.Now(ctx)})
	} else {
		l.state.GiveUp(egress.FromPoll, "the stand-in says so", workflow.Now(ctx))
	}
	l.state.Phase = egress.Delivered
	v := l.state.Verdict(requestID, in.Readable())
	if err := workflow.UpsertTypedSearchAttributes(ctx, temporal.NewSearchAttributeKeyKeyword(egress.AttributeStatus).ValueSet(string(v.Status))); err != nil {
		return v, err
	}
	return v, workflow.UpsertMemo(ctx, map[string]any{egress.MemoVerdict: v.Memo()})
}

func (l *life) show(ctx workflow.Context, info egress.Info) error {
	return workflow.UpsertTypedSearchAttributes(ctx,
		temporal.NewSearchAttributeKeyKeyword(egress.AttributeID).ValueSet(info.Proto().GetEgressId()),
		temporal.NewSearchAttributeKeyKeyword(egress.AttributeStatus).ValueSet(livekit.EgressStatus_EGRESS_ACTIVE.String()),
	)
}

func (l *life) listen(ctx workflow.Context) {
	for {
		var e egress.Event
		workflow.GetSignalChannel(ctx, egress.SignalObserved).Receive(ctx, &e)
		l.state.Done = append(l.state.Done, "signal "+e.Proto().GetId())
	}
}

func (l *life) handle(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, egress.QueryState, func() (egress.State, error) { return l.state, nil }); err != nil {
		return err
	}
	for _, word := range []string{egress.UpdateRetry, egress.UpdateSkip} {
		err := workflow.SetUpdateHandler(ctx, word, func(_ workflow.Context, step string) error {
			l.state.Done = append(l.state.Done, word+" "+step)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := workflow.SetUpdateHandler(ctx, egress.UpdateStop, func(workflow.Context) (egress.Info, error) {
		l.stop, l.state.Stopped = true, egress.StopRequested
		return l.state.Latest, nil
	}); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, egress.UpdateStart, l.started, workflow.UpdateHandlerOptions{Validator: l.same})
}

func (l *life) started(ctx workflow.Context, u egress.StartUpdate) (egress.Info, error) {
	if u.TakesBack && strings.HasPrefix(workflow.GetInfo(ctx).WorkflowExecution.ID, egress.WorkflowID("late-")) {
		return egress.Info{}, toCaller(&egress.Error{Reason: egress.HandedBack, Message: "not asked for in time"})
	}
	if err := workflow.Await(ctx, func() bool { return l.failed != nil || l.state.Latest.Known() }); err != nil {
		return egress.Info{}, err
	}
	return l.state.Latest, l.failed
}

func (l *life) same(_ workflow.Context, u egress.StartUpdate) error {
	if u.Fingerprint == l.in.Fingerprint {
		return nil
	}
	return toCaller(&egress.Error{Reason: egress.Conflict, Code: "already_exists", Message: fmt.Sprintf("not %s", u.Fingerprint)})
}

// toCaller returns an error as our workflows and activities return it.
func toCaller(e *egress.Error) error {
	return temporal.NewNonRetryableApplicationError(e.Error(), string(e.Reason), nil, e)
}
