package workflows

import (
	"errors"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// deliver tells the verdict to everyone. It cannot be cancelled: the media exists,
// and someone waits for it.
//
// Each step is tried once before the verdict goes to visibility. Mostly that is all,
// and then the verdict comes with the end of the workflow, whose own write to
// visibility covers it.
func (e *run) deliver(ctx workflow.Context) (egress.Verdict, error) {
	if e.polling != nil { // a timer may run out unheard
		e.polling.cancel()
	}
	e.settle(ctx)
	e.relays.end(ctx)
	all := workflow.NewWaitGroup(ctx)
	for _, step := range e.Steps { // beside each other: who is down holds up nobody else
		if !e.Needs(step) {
			continue
		}
		all.Add(1)
		workflow.GoNamed(ctx, step, func(ctx workflow.Context) {
			defer all.Done()
			e.carryOut(ctx, step)
		})
	}
	all.Wait(ctx)
	e.Phase = egress.Delivered
	if err := e.drain(ctx); err != nil {
		return egress.Verdict{}, err
	}
	e.publishVerdict(ctx)
	if err := e.remember(ctx); err != nil {
		return egress.Verdict{}, err
	}
	return e.Verdict(e.id, e.sum), nil
}

// carryOut runs a step until it is done, or a person leaves it out.
func (e *run) carryOut(ctx workflow.Context, step string) {
	patient := announceOptions
	patient.ScheduleToCloseTimeout = e.AnnounceFor.D()
	err := e.do(ctx, onceOptions, step)
	if err != nil {
		e.publishVerdict(ctx) // this may take days
	}
	if mayPass(err) {
		err = e.do(ctx, patient, step)
	}
	for err != nil {
		e.hold(ctx, step, err)
		if slices.Contains(e.Skipped, step) {
			return
		}
		err = e.do(ctx, patient, step)
	}
	e.Done = append(e.Done, step)
	if len(e.waiting) == 0 {
		e.clear(ctx)
	}
}

// mayPass reports whether a step failed that may succeed when it is tried again.
func mayPass(err error) bool {
	var failed *temporal.ActivityError
	return errors.As(err, &failed) && failed.RetryState() != enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE
}

// hold marks the egress for a person, since a step of it has failed for good, and
// waits for their word: nothing is dropped.
func (e *run) hold(ctx workflow.Context, step string, failed error) {
	e.waiting = append(e.waiting, held{step, "step " + step + " failed for good: " + failed.Error() + "; fix the cause and say retry, or skip"})
	if err := e.remember(ctx); err != nil {
		e.log.Error("verdict not recorded", "egressID", e.ID, "error", err)
	}
	e.mark(ctx, e.held(), step)
	// The context is never cancelled, so that Await cannot fail.
	_ = workflow.Await(ctx, func() bool { return !e.waits(step) })
	if len(e.waiting) == 0 {
		e.clear(ctx)
		return
	}
	e.Stuck = e.held()
	workflow.SetCurrentDetails(ctx, e.Details())
}

// held is a delivery step that has failed for good, and why.
type held struct{ step, why string }

// held is why a person is waited for, of all steps.
func (e *run) held() string {
	var why []string
	for _, h := range e.waiting {
		why = append(why, h.why)
	}
	return strings.Join(why, "; ")
}

func (e *run) waits(step string) bool {
	return slices.ContainsFunc(e.waiting, func(h held) bool { return h.step == step })
}

func (e *run) do(ctx workflow.Context, opts workflow.ActivityOptions, step string) error {
	ev, err := e.Announcement()
	if err != nil {
		return err
	}
	ctx = workflow.WithActivityOptions(ctx, opts)
	n, webhook := egress.StepWebhook(step)
	switch {
	case step == egress.StepAnnounce:
		return workflow.ExecuteActivity(ctx, delivery.Announce, ev).Get(ctx, nil)
	case webhook && n < len(e.sum.Webhooks):
		return workflow.ExecuteActivity(ctx, delivery.Tell, e.tell(n, ev)).Get(ctx, nil)
	default:
		return &egress.Error{Reason: egress.Invalid, Field: "step", Message: "this worker has no step " + step}
	}
}

// drain takes what arrived meanwhile, and lets every caller have their answer, so
// that nothing is dropped by the end of the workflow.
func (e *run) drain(ctx workflow.Context) error {
	for ev := (egress.Event{}); e.observations.ReceiveAsync(&ev); ev = (egress.Event{}) {
		e.observe(ctx, ev)
	}
	for e.listings.ReceiveAsync(nil) { // it is over already
	}
	for e.hints.ReceiveAsync(nil) { // nothing is left to expect
	}
	return workflow.Await(ctx, func() bool { return e.noticing == 0 && workflow.AllHandlersFinished(ctx) })
}
