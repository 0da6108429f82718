package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// deliver records the verdict and runs the steps after it, in their order. It
// cannot be cancelled: the media exists, and someone waits for it.
func (e *run) deliver(ctx workflow.Context) (egress.Verdict, error) {
	if e.polling != nil { // a timer may run out unheard
		e.polling.cancel()
	}
	e.record(ctx)
	e.relays.end(ctx)
	all := workflow.NewWaitGroup(ctx)
	for _, step := range e.Steps { // beside each other: who is down holds up nobody else
		if !e.Needs(step) {
			continue
		}
		all.Add(1)
		workflow.GoNamed(ctx, step, func(ctx workflow.Context) {
			defer all.Done()
			for !slices.Contains(e.Done, step) {
				e.attempt(ctx, step)
			}
		})
	}
	all.Wait(ctx)
	e.Phase = egress.Delivered
	if err := e.drain(ctx); err != nil {
		return egress.Verdict{}, err
	}
	if err := e.remember(ctx); err != nil {
		return egress.Verdict{}, err
	}
	return e.Verdict(e.id, e.sum), nil
}

// attempt runs a step. One that fails for good marks the egress for a person, and
// waits for their word: nothing is dropped.
func (e *run) attempt(ctx workflow.Context, step string) {
	err := e.do(ctx, step)
	if err == nil {
		e.Done = append(e.Done, step)
		if len(e.waiting) == 0 {
			e.clear(ctx)
		}
		return
	}
	e.waiting = append(e.waiting, held{step, "step " + step + " failed for good: " + err.Error() + "; fix the cause and say retry, or skip"})
	if err := e.remember(ctx); err != nil {
		e.log.Error("verdict not recorded", "egressID", e.ID, "error", err)
	}
	e.mark(ctx, e.held())
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

func (e *run) do(ctx workflow.Context, step string) error {
	ev, err := e.Announcement()
	if err != nil {
		return err
	}
	opts := announceOptions
	opts.ScheduleToCloseTimeout = e.AnnounceFor.D()
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
	for e.hints.ReceiveAsync(nil) { // nothing is left to expect
	}
	return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}
