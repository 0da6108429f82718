package workflows

import (
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// tellSteps runs the delivery steps that announce an end, all at once: a consumer that is down holds
// up no other. The suffix tells the steps of an earlier part, or of a correction, from the others.
func (e *recording) tellSteps(ctx workflow.Context, of *egress.State, suffix string) {
	for _, step := range of.Tells() {
		if !of.Needs(step) {
			continue
		}
		t := task{of: of, step: step, suffix: suffix}
		e.untried++
		e.beside(ctx, t.name(), func(ctx workflow.Context) {
			e.inTurn(ctx, t.name())
			if _, relayed := egress.StepWebhook(step); relayed {
				until(ctx, e.relays.idle) // the end is announced after what was relayed
			}
			e.tellStep(ctx, t)
		})
	}
}

// beside does something in a coroutine of its own, and keeps its name in telling until it is done.
func (e *recording) beside(ctx workflow.Context, name string, do func(workflow.Context)) {
	e.telling[name]++
	workflow.GoNamed(ctx, name, func(ctx workflow.Context) {
		do(ctx)
		if e.telling[name]--; e.telling[name] == 0 {
			delete(e.telling, name)
		}
	})
}

// inTurn lets a correction wait for the step that announces what it corrects, so that every
// consumer hears the correction last. Meanwhile it holds up no step of the pipeline.
func (e *recording) inTurn(ctx workflow.Context, name string) {
	wrong, corrects := strings.CutSuffix(name, egress.CorrectedSuffix)
	if !corrects || e.telling[wrong] == 0 {
		return
	}
	e.untried--
	until(ctx, func() bool { return e.telling[wrong] == 0 })
	e.untried++
}

// task is a delivery step that announces an end.
type task struct {
	of     *egress.State // what has ended
	step   string        // as State.Tells names it
	suffix string        // empty, or for example "-part-2-corrected"

	// What the try before said:
	putOff  time.Duration // how long this one is to wait
	because string        // why it failed
}

// name returns the name of the step in this recording.
func (t task) name() string { return t.step + t.suffix }

// tellStep runs a delivery step until it is done, or a person skips it.
func (e *recording) tellStep(ctx workflow.Context, t task) {
	err := e.tell(ctx, onceOptions, t)
	e.untried--
	if err != nil {
		e.publishVerdict(ctx) // the next tries may take days, and reports and lists must show the verdict meanwhile
		e.remember(ctx)
	}
	if mayPass(err) {
		again := t
		again.putOff, again.because = askedFor(err)
		err = e.tellPatiently(ctx, again)
	}
	if e.insist(ctx, t.name(), err, func() error { return e.tellPatiently(ctx, t) }) == nil {
		e.done(ctx, t.name())
	}
}

// tellPatiently tries a delivery step for as long as the terms say.
func (e *recording) tellPatiently(ctx workflow.Context, t task) error {
	return inItsTime(announceOptions, e.AnnounceFor, func(opts workflow.ActivityOptions) error { return e.tell(ctx, opts, t) })
}

// done notes that a step is done, and shows it.
func (e *recording) done(ctx workflow.Context, name string) {
	e.Done = append(e.Done, name)
	e.explain(ctx)
}

// tell announces the end to the consumer of a step.
func (e *recording) tell(ctx workflow.Context, opts workflow.ActivityOptions, t task) error {
	ev, err := t.of.Announcement()
	if err != nil {
		return err
	}
	opts.Summary += " (" + t.name() + ")"
	ctx = workflow.WithActivityOptions(ctx, opts)
	n, webhook := egress.StepWebhook(t.step)
	consumer := t.of.Pipeline.Consumer(t.step)
	env := activities.Envelope{Headers: t.of.Headers(e.id), PutOff: egress.Duration(t.putOff), Because: t.because}
	switch {
	case t.step == egress.StepAnnounce, consumer != nil:
		return workflow.ExecuteActivity(ctx, delivery.Announce, activities.Announcement{Event: ev, Consumer: consumer, Envelope: env}).Get(ctx, nil)
	case webhook && n < len(e.sum.Webhooks):
		told := e.toWebhook(n, ev)
		told.Envelope = env
		return workflow.ExecuteActivity(ctx, delivery.Tell, told).Get(ctx, nil)
	default:
		return egress.Invalidf("step", "this worker has no step %s", t.step)
	}
}
