package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// Workflows holds what the workflows need from their worker.
type Workflows struct {
	// Terms are those of an egress whose start never answered. Otherwise the answer to the start
	// brings them.
	Terms egress.Terms
	// Pipelines are those from which such an egress takes its own.
	Pipelines egress.Pipelines
	// Clear writes the inputs of steps that must not be encrypted, and can also read encrypted data.
	// Default: the worker's own converter, which then must not encrypt.
	Clear converter.DataConverter
}

// Nil pointers, used only to name activities: workflow.ExecuteActivity reads the method, never the
// receiver.
var (
	livekit      *activities.LiveKit
	delivery     *activities.Delivery
	verification *activities.Verification
	reconciler   *activities.Reconciler
	canary       *activities.Canary
)

// run is one run of an Egress workflow: its recording, and all that it takes to watch it.
type run struct {
	recording

	// The start of the part.
	since      time.Time // when the run began, if no earlier one may have started its first part; else zero
	starting   *pending
	withdrawn  bool  // a stop was asked for before this part began
	lookedFor  bool  // it first looks for an earlier start of this part
	failed     error // why LiveKit did not start it; ends the run
	handedBack error // why no worker asks LiveKit for this part; its caller may. Nil once it has begun

	// What it hears, and what makes it ask LiveKit.
	observations  workflow.ReceiveChannel
	listings      workflow.ReceiveChannel
	hints         workflow.ReceiveChannel
	polling, wake *pending
	armed         plan
	limit         *pending  // a timer beside a poll
	limitAt       time.Time // when that is to fire

	// Who wants it to end.
	own      workflow.Context // the workflow's own; nil once its cancellation was taken
	asks     workflow.Channel
	answered answer // to the last stop

	// Its other parts.
	before     *egress.State            // the part before this one, until this one has begun
	recovers   bool                     // that part failed or was lost
	unheard    map[string]*egress.State // earlier parts that wait for the webhook of their end, by egress ID
	toldBefore bool                     // the end is being announced already

	// Other egresses of the request.
	aside       []egress.Observation // those that could not be dealt with yet
	asideDue    *pending
	asStopped   map[string]egress.Info // twins as they were when they were stopped, by egress ID
	failedStops int                    // stops of twins in a row that no worker answered, or that would have stopped a later part
}

// answer is LiveKit's answer to a stop.
type answer struct {
	stops int         // how many have been answered, or have failed
	info  egress.Info // what LiveKit said
	err   error       // how it failed, if it did
}

// forget drops LiveKit's answer, which is about another egress.
func (a *answer) forget() { a.info, a.err = egress.Info{}, nil }

// pending is something that the run waits for.
type pending struct {
	kind   eventKind
	future workflow.Future
	cancel workflow.CancelFunc
}

// open checks the input, takes over what an earlier run carried over, and begins the start. The
// returned context is not cancelled with the workflow: a cancelled workflow still ends its egress
// and delivers.
func (w *Workflows) open(ctx workflow.Context, arg egress.Argument) (*run, workflow.Context, error) {
	in := arg.Input
	id, err := admit(workflow.GetInfo(ctx), arg, workflow.IsReplaying(ctx))
	switch {
	case err != nil && admitted(ctx, arg): // the task fails, and waits for a worker that can read it: nothing of the run is lost
		panic(fmt.Errorf("what another version took cannot be read here: %w", err))
	case err != nil:
		return nil, ctx, refuseInput(ctx, err)
	}
	e := &run{
		recording:    w.newRecording(ctx, id, in, egress.State{Phase: egress.Requested, Part: 1, MaxDuration: in.MaxDuration}),
		observations: workflow.GetSignalChannel(ctx, egress.SignalObserved),
		listings:     workflow.GetSignalChannel(ctx, egress.SignalReconciled),
		hints:        workflow.GetSignalChannel(ctx, egress.SignalHint),
		own:          ctx, asks: workflow.NewNamedBufferedChannel(ctx, "stop asked", 1),
		unheard: map[string]*egress.State{}, asStopped: map[string]egress.Info{},
	}
	if in.Carried != nil {
		e.State, e.in.Carried = *in.Carried, nil
	}
	if e.Corrections == nil {
		e.Corrections = map[int]int{}
	}
	if err := e.handle(ctx); err != nil {
		return nil, ctx, err
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	e.introduce(ctx)
	e.relays.begin(ctx, &e.recording)
	e.relays.over = e.Corrects != "" // an end was announced that turned out to be none
	switch {
	case e.Started:
	case in.Adopted:
		e.Started = true
		e.ownTerms(ctx)
	default:
		e.since = sinceOf(workflow.GetInfo(ctx), in, workflow.Now(ctx))
		e.start(ctx)
	}
	return e, ctx, nil
}

// admit returns the request's ID, or refuses an argument that no run can be made of. What another
// worker has admitted, by an older rule, is not judged again: it records.
func admit(info *workflow.Info, arg egress.Argument, replaying bool) (id string, err error) {
	switch {
	case arg.Problem != nil:
		return "", invalid(arg.Problem)
	case arg.Carried != nil && !continued(info):
		return "", invalid(egress.Invalidf("carried", "is set only by continue-as-new; leave it out"))
	}
	id, ok := egress.RequestID(info.WorkflowExecution.ID)
	if !ok {
		return "", invalid(egress.Invalidf("workflow ID", `want "egress/<request ID>"`))
	}
	if replaying || arg.Carried != nil {
		return id, nil
	}
	if err := arg.Validate(id); err != nil {
		return "", invalid(err)
	}
	return id, nil
}

// admitted reports whether another worker has admitted the argument, which this one would refuse: a
// run that was refused has no second task, or an earlier run has left the argument.
func admitted(ctx workflow.Context, arg egress.Argument) bool {
	return workflow.IsReplaying(ctx) || arg.Newer && continued(workflow.GetInfo(ctx))
}

// continued reports whether an earlier run has left the argument. A cron run gets the same one
// again.
func continued(info *workflow.Info) bool {
	return info.ContinuedExecutionRunID != "" && info.CronSchedule == ""
}

// full reports whether to continue as a new run: the server suggests it, and nothing is under way
// that would not be carried over.
func (e *run) full(ctx workflow.Context) bool {
	unread := e.observations.Len() + e.listings.Len() + e.hints.Len()
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && e.Started && !e.over() &&
		unread == 0 && e.relays.idle() && e.quiet(ctx) && !e.cancelHeard()
}

// cancelHeard reports whether the workflow was cancelled and the cancellation was not taken yet. It
// would not be carried over.
func (e *run) cancelHeard() bool { return e.own != nil && e.own.Err() != nil }

// wasCancelled reports whether the workflow was cancelled, even if the cancellation was not taken
// yet. If an earlier run was cancelled, that is known only if nobody had asked for a stop before.
func (e *run) wasCancelled() bool {
	return e.own == nil || e.Stopped == egress.StopCancelled || e.cancelHeard()
}

// carry returns the input of the next run.
func (e *run) carry() egress.Input {
	e.disarm()
	e.in.Carried = &e.State
	return e.in
}

// until waits until a condition holds. It cannot fail, since it only gets disconnected contexts:
// open, Redelivery and the handlers of updates make them.
func until(ctx workflow.Context, so func() bool) { _ = workflow.Await(ctx, so) }

// refuse ends a run whose egress never began, once its callers have their answers.
func (e *run) refuse(ctx workflow.Context, err error) error {
	e.failed = err
	countStart(ctx, string(e.refusal(err)))
	e.upsert(ctx, attributeStatus.ValueUnset()) // nothing records
	until(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	return e.failed
}

// refusal returns why an egress never began. HandedBack also stands for a run that only looks for
// what was started elsewhere: not to find that is no failure to record.
func (e *run) refusal(err error) egress.Reason {
	reason := reasonOf(err)
	switch {
	case e.handedBack != nil, e.in.LooksOnly():
		return egress.HandedBack
	case !slices.Contains(egress.Reasons(), reason): // the word is none of ours
		return egress.Internal
	}
	return reason
}
