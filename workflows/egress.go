package workflows

import (
	"cmp"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Egress carries one recording from request to delivery.
//
//	start    ask LiveKit, once; a retry adopts what an earlier attempt started
//	watch    until it ends: webhook first, our own look when news is overdue
//	settle   one verdict
//	recover  restart what failed, while there is something to record
//	deliver  tell the consumers, and run the steps of the pipeline
//	correct  deliver again, if what was lost turns out to be alive
//
// If a webhook is lost, the end is noticed later by at most one wait of the policy, or by the
// reconciler's grace and period while its rounds complete. If the rounds stop, a wait that has
// begun keeps the length that they allowed: up to 72 times Policy.LookActive, by default six hours.
// Cancelling the workflow stops the egress and still delivers what was recorded.
func (w *Workflows) Egress(ctx workflow.Context, arg egress.Argument) (egress.Verdict, error) {
	e, ctx, err := w.open(ctx, arg)
	if err != nil {
		return egress.Verdict{}, err
	}

	for ; ; e.doDue(ctx) { // the egress that took over, or turned out to be alive, may have to be stopped as well
		if err := e.watch(ctx); err != nil {
			return egress.Verdict{}, err
		}
		next := e.nextPartAt(ctx)
		e.foldTwins(ctx, next)
		if e.Recoverable(next) {
			e.startAgain(ctx)
			continue
		}
		e.awaitWebhook(ctx)
		if !e.over() { // a twin has taken its place
			continue
		}
		e.deliver(ctx)
		if corrected := e.awaitCorrection(ctx); !corrected {
			return e.verdict(), nil
		}
	}
}

// watch follows the egress until it has ended, or is lost.
func (e *run) watch(ctx workflow.Context) error {
	for !e.over() {
		e.armAndShow(ctx)
		switch ev := e.next(ctx); ev.kind {
		case started: // LiveKit answered our start
			switch err := e.takeStart(ctx, ev); {
			case err == nil:
			case e.Part == 1:
				return e.refuse(ctx, err)
			default:
				e.settleWithPartBefore(err)
			}
		case observed: // LiveKit told us
			e.takeWebhook(ctx, ev.event)
		case listed: // the reconciler saw it in LiveKit's list
			e.takeListed(ctx, ev.event)
		case hinted: // something else ended, so this will
			e.takeHint(ctx, ev.event)
		case looked: // we asked
			e.takeLook(ctx, ev)
		case stopAsked: // a caller wants it to end
			e.StopAsked(ev.by, workflow.Now(ctx))
		case cancelled: // stop it, and see it through
			e.WantStop(egress.StopCancelled, workflow.Now(ctx))
		case woke: // nobody told us anything in time
			e.wake = nil
		case outlasted: // it has recorded for as long as it was to
			e.limit = nil
		case asideAgain: // what was put aside can perhaps be dealt with now
			e.foldAside(ctx)
		}

		e.doDue(ctx)
		if e.full(ctx) {
			return workflow.NewContinueAsNewError(ctx, egress.WorkflowType, e.carry())
		}
	}
	return nil
}

// doDue does what the state asks for now.
func (e *run) doDue(ctx workflow.Context) {
	switch e.Due(workflow.Now(ctx)) {
	case egress.ActWithdraw:
		e.withdraw()
	case egress.ActStop:
		e.stop(ctx)
	case egress.ActProbe:
		e.probe(ctx)
	case egress.ActLose:
		e.lose(ctx)
	case egress.ActMark:
		e.mark(ctx, "it has been running for over "+e.Policy.StuckAfter.String(), "")
	case egress.ActLook:
		e.poll(ctx)
	case egress.ActSettle:
		e.Settle()
	case egress.ActNothing:
	}
}

// armAndShow makes sure that the run wakes in time, and shows its state, before it waits. While
// more news has arrived already, it does not wait.
func (e *run) armAndShow(ctx workflow.Context) {
	if e.observations.Len() > 0 {
		return
	}
	e.arm(ctx)
	e.armLimit(ctx)
	e.publish(ctx)
	e.explain(ctx)
}

// next waits for whatever happens first. It only says what happened; watch decides what to do about
// it.
func (e *run) next(ctx workflow.Context) (ev event) {
	s := workflow.NewNamedSelector(ctx, "egress event")
	for _, from := range []source{{e.observations, observed}, {e.listings, listed}, {e.hints, hinted}} {
		s.AddReceive(from.signals, func(c workflow.ReceiveChannel, _ bool) {
			if c.ReceiveAsync(&ev.event) { // Receive would wait for the next one if this one cannot be read
				ev.kind = from.kind
			}
		})
	}
	s.AddReceive(e.asks, func(c workflow.ReceiveChannel, _ bool) {
		ev.kind = stopAsked
		for by := (*egress.Asker)(nil); c.ReceiveAsync(&by); by = nil { // one stop answers all who ask
			ev.by = cmp.Or(ev.by, by)
		}
	})
	if e.own != nil {
		s.AddReceive(e.own.Done(), func(workflow.ReceiveChannel, bool) {
			ev.kind, e.own = cancelled, nil // its channel stays closed, and once is enough
		})
	}
	for _, p := range []*pending{e.starting, e.polling, e.wake, e.limit, e.asideDue} {
		if p != nil {
			s.AddFuture(p.future, func(f workflow.Future) { ev.kind, ev.future = p.kind, f })
		}
	}
	s.Select(ctx)
	return ev
}

// source is a signal that brings events.
type source struct {
	signals workflow.ReceiveChannel
	kind    eventKind
}

type event struct {
	kind   eventKind
	event  egress.Event    // of observed, listed and hinted
	by     *egress.Asker   // of stopAsked; nil if nobody knows who asked
	future workflow.Future // of started and looked
}

type eventKind int

const (
	started eventKind = iota + 1
	observed
	listed
	hinted
	looked
	stopAsked
	cancelled
	woke
	outlasted
	asideAgain
)
