package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// deliver announces the verdict. It cannot be cancelled: the media exists, and someone waits for
// it.
//
// Each step is tried once before the verdict is written to the search attributes and the memo.
// Usually no step needs more, and the verdict is written at the end of the workflow, whose own
// write to visibility then covers it.
func (e *run) deliver(ctx workflow.Context) {
	if !e.toldBefore {
		e.reportEnd(ctx)
		e.relays.end()
		e.verify(ctx, &e.State, "")
		e.tellSteps(ctx, &e.State, "")
	}
	// A store may be down for days, and so may the consumers of a part that was to be followed by
	// another, and is the last one after all. Reports and lists must show the verdict meanwhile.
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
	if e.Phase != egress.Delivered { // the egress turned out to be alive
		return
	}
	e.clear(ctx) // no person needs to look any more
	e.publishVerdict(ctx)
	e.remember(ctx)
}

// awaitCorrection gives an egress that is lost, or failed while its room is live, time to show that
// it is alive, for as long as the terms say. It reports whether it is alive: then the verdict that
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
	e.published.status = "" // so that a verdict of the same status is published again, too
	return true
}

// awaitSign waits for a late sign of life, for as long as the terms say. If the workflow is or was
// cancelled, it no longer waits for a lost egress. It still waits for one that failed: that one may
// run again, and is to be stopped then.
func (e *run) awaitSign(ctx workflow.Context) {
	if e.Status == egress.Lost && e.wasCancelled() {
		return
	}
	timed, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(timed, e.Policy.CorrectFor.D(), workflow.TimerOptions{Summary: "for a late sign of life"})
	enough := func() bool { return timer.IsReady() || e.Status == egress.Lost && e.wasCancelled() }
	for e.Correctable() && !enough() {
		until(ctx, func() bool { return enough() || e.observations.Len()+e.listings.Len()+e.hints.Len() > 0 })
		e.takeWebhooks(ctx)
		takeAll(ctx, e.listings, e.takeListed)
		takeAll(ctx, e.hints, e.takeHint)
	}
	if e.Status == egress.Lost && e.Correctable() && timer.IsReady() {
		e.verifyLost(ctx)
	}
	e.drain(ctx)
}

// drain takes what arrived meanwhile, and lets every caller have their answer, so that the end of
// the workflow drops nothing. What arrived may be the end of an earlier part, which has to be
// announced first; that takes time, in which more may arrive.
func (e *run) drain(ctx workflow.Context) {
	for {
		e.takeIn(ctx)
		if e.Phase != egress.Delivered { // the egress goes on
			return
		}
		until(ctx, func() bool { return e.heard() || e.quiet(ctx) })
		if e.observations.Len() == 0 && e.listings.Len() == 0 {
			return
		}
	}
}

// takeIn takes what has arrived, and what was put aside.
func (e *run) takeIn(ctx workflow.Context) {
	e.foldAside(ctx)
	e.takeWebhooks(ctx)
	takeAll(ctx, e.listings, e.takeListed)
	for e.hints.ReceiveAsync(nil) { // no end is left to expect
	}
}
