package workflows

import (
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// tellSteps runs the delivery steps of what has ended, beside each other: who is down
// holds up nobody else. Their names end in what tells them from those of other parts.
func (e *recording) tellSteps(ctx workflow.Context, of *egress.State, name string) {
	for _, kind := range of.Tells() {
		if !of.Needs(kind) {
			continue
		}
		step := kind + name
		e.untried++
		e.beside(ctx, step, func(ctx workflow.Context) {
			e.inTurn(ctx, step)
			if _, relayed := egress.StepWebhook(kind); relayed {
				e.relays.finish(ctx)
			}
			e.tellStep(ctx, task{step: step, kind: kind, of: of})
		})
	}
}

// beside does something beside all that follows, and keeps its name as under way until it is done.
func (e *recording) beside(ctx workflow.Context, name string, do func(workflow.Context)) {
	e.telling[name]++
	workflow.GoNamed(ctx, name, func(ctx workflow.Context) {
		do(ctx)
		if e.telling[name]--; e.telling[name] == 0 {
			delete(e.telling, name)
		}
	})
}

// inTurn has a correction wait for the step that tells what it corrects, so that everybody hears
// the correction last. It holds up no step of the pipeline meanwhile.
func (e *recording) inTurn(ctx workflow.Context, step string) {
	wrong, corrects := strings.CutSuffix(step, egress.CorrectedSuffix)
	if !corrects || e.telling[wrong] == 0 {
		return
	}
	e.untried--
	until(ctx, func() bool { return e.telling[wrong] == 0 })
	e.untried++
}

// task is a delivery step of what has ended.
type task struct {
	step string        // its name
	kind string        // what is to be done
	of   *egress.State // what has ended
	// putOff is the wait of the next try, as the one before asked for it.
	putOff  time.Duration
	because string // how that one failed
}

// tellStep runs a delivery step until it is done, or a person leaves it out.
func (e *recording) tellStep(ctx workflow.Context, t task) {
	patient := announceOptions
	patient.ScheduleToCloseTimeout = e.AnnounceFor.D()
	err := e.tell(ctx, onceOptions, t)
	e.untried--
	if err != nil {
		e.publishVerdict(ctx) // this may take days, and reports and lists must see the verdict meanwhile
		e.remember(ctx)
	}
	if mayPass(err) {
		again := t
		again.putOff, again.because = askedFor(err)
		err = e.tell(ctx, patient, again)
	}
	if e.insist(ctx, t.step, err, func() error { return e.tell(ctx, patient, t) }) == nil {
		e.done(ctx, t.step)
	}
}

// done notes that a step is done.
func (e *recording) done(ctx workflow.Context, step string) {
	e.Done = append(e.Done, step)
	e.explain(ctx)
}

// tell posts what has ended to the consumer that a step names.
func (e *recording) tell(ctx workflow.Context, opts workflow.ActivityOptions, t task) error {
	ev, err := t.of.Announcement()
	if err != nil {
		return err
	}
	opts.Summary += " (" + t.step + ")"
	ctx = workflow.WithActivityOptions(ctx, opts)
	n, webhook := egress.StepWebhook(t.kind)
	consumer := t.of.Pipeline.Consumer(t.kind)
	env := activities.Envelope{Headers: t.of.Headers(e.id), PutOff: egress.Duration(t.putOff), Because: t.because}
	switch {
	case t.kind == egress.StepAnnounce, consumer != nil:
		return workflow.ExecuteActivity(ctx, delivery.Announce, activities.Announcement{Event: ev, Consumer: consumer, Envelope: env}).Get(ctx, nil)
	case webhook && n < len(e.sum.Webhooks):
		told := e.toWebhook(n, ev)
		told.Envelope = env
		return workflow.ExecuteActivity(ctx, delivery.Tell, told).Get(ctx, nil)
	default:
		return egress.Invalidf("step", "this worker has no step %s", t.kind)
	}
}
