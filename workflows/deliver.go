package workflows

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// deliver tells the verdict to everyone. It cannot be cancelled: the media exists,
// and someone waits for it.
//
// Each step is tried once before the verdict goes to visibility. Mostly that is all,
// and then the verdict comes with the end of the workflow, whose own write to
// visibility covers it.
func (e *run) deliver(ctx workflow.Context) {
	if !e.toldBefore {
		e.reportEnd(ctx)
		e.relays.end()
		e.verify(ctx, &e.State, "")
		e.tellSteps(ctx, &e.State, "")
	}
	// A store that is down may take days, in which it is reported and listed; and so may what the
	// last part has begun, where no next one came of it.
	if e.verifying > 0 || e.toldBefore && len(e.telling) > 0 {
		e.publishVerdict(ctx)
		e.remember(ctx)
	}
	e.runSteps(ctx)
	until(ctx, func() bool { return len(e.telling) == 0 })
	e.toldBefore = false
	e.Phase = egress.Delivered
	e.explain(ctx)
	e.drain(ctx)
	if e.Phase != egress.Delivered { // it shows that it lives
		return
	}
	e.clear(ctx) // nobody is to look any more
	e.publishVerdict(ctx)
	e.remember(ctx)
}

// tellSteps runs the delivery steps of what has ended, beside each other: who is down
// holds up nobody else. Their names end in what tells them from those of other parts.
func (e *run) tellSteps(ctx workflow.Context, of *egress.State, name string) {
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
			e.carryOut(ctx, task{step: step, kind: kind, of: of})
		})
	}
}

// beside does something beside all that follows, and keeps its name as under way until it is done.
func (e *run) beside(ctx workflow.Context, name string, do func(workflow.Context)) {
	e.telling[name] = true
	workflow.GoNamed(ctx, name, func(ctx workflow.Context) {
		do(ctx)
		delete(e.telling, name)
	})
}

// inTurn has a correction wait until the step that tells what it corrects is over, so that
// nobody hears of that last. It holds up no step of the pipeline meanwhile.
func (e *run) inTurn(ctx workflow.Context, step string) {
	wrong, corrects := strings.CutSuffix(step, egress.CorrectedSuffix)
	if !corrects || !e.telling[wrong] {
		return
	}
	e.untried--
	until(ctx, func() bool { return !e.telling[wrong] })
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

// awaitCorrection waits until an egress that is lost, or failed while its room is live, shows
// that it lives, for as long as the terms say. It reports whether it did: then the verdict that
// was delivered is to be corrected.
func (e *run) awaitCorrection(ctx workflow.Context) (corrected bool) {
	if e.Correctable() {
		e.awaitSign(ctx)
	}
	if e.Phase == egress.Delivered {
		e.publishLate(ctx)
		return false
	}
	workflow.GetMetricsHandler(ctx).Counter(MetricCorrected).Inc(1)
	e.log.Warn("verdict is wrong", "egressID", e.ID, "status", e.Corrects, "source", e.NewsBy)
	e.upsert(ctx, attributeEndedBy.ValueUnset(), attributeMissed.ValueUnset())
	e.shown.status = "" // also a verdict of the same status is told anew
	return true
}

// awaitSign waits for a late sign of life, for as long as the terms say. Of what is lost it
// waits no longer once it is cancelled, before or meanwhile; what has failed may run again, and
// is to be stopped then.
func (e *run) awaitSign(ctx workflow.Context) {
	if e.Status == egress.Lost && e.cancelled() {
		return
	}
	timed, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(timed, e.Policy.CorrectFor.D(), workflow.TimerOptions{Summary: "for a late sign of life"})
	enough := func() bool { return timer.IsReady() || e.Status == egress.Lost && e.cancelled() }
	for e.Correctable() && !enough() {
		until(ctx, func() bool { return enough() || e.observations.Len()+e.listings.Len()+e.hints.Len() > 0 })
		e.takeWebhooks(ctx)
		takeAll(ctx, e.listings, e.listed)
		takeAll(ctx, e.hints, e.hint)
	}
	e.drain(ctx)
}

// carryOut runs a step until it is done, or a person leaves it out.
func (e *run) carryOut(ctx workflow.Context, t task) {
	patient := announceOptions
	patient.ScheduleToCloseTimeout = e.AnnounceFor.D()
	err := e.do(ctx, onceOptions, t)
	e.untried--
	if err != nil {
		e.publishVerdict(ctx) // this may take days, in which it is reported and listed
		e.remember(ctx)
	}
	if mayPass(err) {
		again := t
		again.putOff, again.because = askedFor(err)
		err = e.do(ctx, patient, again)
	}
	if e.insist(ctx, t.step, err, func() error { return e.do(ctx, patient, t) }) == nil {
		e.done(ctx, t.step)
	}
}

// done notes that a step is done.
func (e *run) done(ctx workflow.Context, step string) {
	e.Done = append(e.Done, step)
	e.explain(ctx)
}

// mayPass reports whether an activity failed that may succeed when it is tried again.
func mayPass(err error) bool {
	var failed *temporal.ActivityError
	var said *temporal.ApplicationError
	return errors.As(err, &failed) && (!errors.As(err, &said) || !said.NonRetryable())
}

// askedFor is when a failed step is to be tried again, and how it failed. An attempt that
// died asks for nothing.
func askedFor(err error) (time.Duration, string) {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return 0, ""
	}
	return app.NextRetryDelay(), app.Message()
}

// insist tries a step again that has failed for good, as often as a person says so. Nil: it is
// done; else a person left it out.
func (e *run) insist(ctx workflow.Context, step string, err error, try func() error) error {
	for err != nil && e.askPerson(ctx, step, err) {
		err = try()
	}
	return err
}

// askPerson marks the egress for a person, since a step of it has failed for good, and
// waits for their word: nothing is dropped. It reports whether to try again, else the step
// is left out.
func (e *run) askPerson(ctx workflow.Context, step string, failed error) (again bool) {
	e.AwaitsWord = append(e.AwaitsWord, step)
	e.failures[step] = "step " + step + " failed for good: " + inWords(failed)
	e.remember(ctx)
	e.mark(ctx, e.whyAsked(), step)
	until(ctx, func() bool { return !e.waits(step) })
	if len(e.AwaitsWord) == 0 {
		e.clear(ctx)
	} else {
		e.Stuck = e.whyAsked()
		e.explain(ctx)
	}
	return !slices.Contains(e.Skipped, step)
}

// whyAsked is why a person is waited for, of all steps.
func (e *run) whyAsked() string {
	var why []string
	for _, step := range e.AwaitsWord {
		why = append(why, e.failures[step])
	}
	return strings.Join(why, "; ")
}

func (e *run) waits(step string) bool { return slices.Contains(e.AwaitsWord, step) }

func (e *run) do(ctx workflow.Context, opts workflow.ActivityOptions, t task) error {
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

// drain takes what arrived meanwhile, and lets every caller have their answer, so
// that nothing is dropped by the end of the workflow. An earlier part may have to be told
// for that, which takes its time, and so more may arrive.
func (e *run) drain(ctx workflow.Context) {
	for {
		e.takeIn(ctx)
		if e.Phase != egress.Delivered { // it goes on
			return
		}
		until(ctx, func() bool {
			return e.heard() || len(e.telling) == 0 && e.noticing == 0 && workflow.AllHandlersFinished(ctx)
		})
		if e.observations.Len() == 0 && e.listings.Len() == 0 {
			return
		}
	}
}

// takeIn takes what has arrived, and what was put aside.
func (e *run) takeIn(ctx workflow.Context) {
	e.foldAside(ctx)
	e.takeWebhooks(ctx)
	takeAll(ctx, e.listings, e.listed)
	for e.hints.ReceiveAsync(nil) { // nothing is left to expect
	}
}
