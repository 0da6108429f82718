package workflows

import (
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// startAgain goes on, after a wait, with the next part of a recording whose egress ended too early
// while its room is live. What became of this part is told meanwhile: nobody waits for that.
func (e *run) startAgain(ctx workflow.Context, wait time.Duration) {
	e.log.Warn("to be started again", "egressID", e.ID, "status", e.Status, "part", e.Part+1)
	e.disarm()
	e.reportEnd(ctx)
	e.relays.reopen()
	before := e.State
	e.tellPart(ctx, before)
	e.before = &before
	e.NextPart()
	e.Restarts++
	e.published.status = ""
	if stopped := e.backOff(ctx, wait); stopped {
		e.giveBack(errEnough)
		return
	}
	if !before.Status.Good() {
		workflow.GetMetricsHandler(ctx).Counter(MetricRecovered).Inc(1)
	}
	e.explain(ctx)
	e.start(ctx)
}

// errEnough is why a part was not started: the recording's end was asked for before.
var errEnough = errors.New("its end was asked for")

// backOff waits before the next part is started, or until a stop is asked for, which it takes and
// reports. Whoever asked is answered once the recording is settled by that.
func (e *run) backOff(ctx workflow.Context, wait time.Duration) (stopped bool) {
	asked := func() bool { return e.asks.Len() > 0 || e.cancelHeard() }
	opts := workflow.AwaitOptions{Timeout: wait, TimerOptions: workflow.TimerOptions{Summary: "before the next part is started"}}
	if ok, _ := workflow.AwaitWithOptions(ctx, opts, asked); !ok { // the context is never cancelled
		return false
	}
	if by := (*egress.Asker)(nil); e.asks.ReceiveAsync(&by) {
		e.StopAsked(by, workflow.Now(ctx))
	} else {
		e.own = nil
		e.WantStop(egress.StopCancelled, workflow.Now(ctx))
	}
	return true
}

// tellPart runs the delivery steps for a part that has ended, beside all that follows.
func (e *run) tellPart(ctx workflow.Context, part egress.State) {
	suffix := egress.PartSuffix(part.Part)
	if part.Corrects != "" {
		e.Corrections[part.Part]++
		suffix += strings.Repeat(egress.CorrectedSuffix, e.Corrections[part.Part])
	}
	all := "tell" + suffix
	if !part.WebhookDue().IsZero() {
		e.unheard[part.ID] = &part
	}
	e.untried++ // until each of its consumers is counted, so that no step of the pipeline runs before
	e.beside(ctx, all, func(ctx workflow.Context) {
		e.inTurn(ctx, all)
		e.awaitWebhookOf(ctx, &part)
		e.verify(ctx, &part, suffix)
		e.tellSteps(ctx, &part, suffix)
		e.untried--
	})
}

// giveBack settles the recording by the part before, which is being told already: the next one
// was refused, most likely since the room is gone, or is not wanted any more.
func (e *run) giveBack(err error) {
	e.log.Warn("not started again", "part", e.Part, "error", err)
	now := e.State
	e.State, e.Shared = *e.before, now.Shared
	e.Parts = e.Parts[:len(e.Parts)-1] // the last of them is this one; the others may have been corrected
	e.Stopped, e.StoppedAt, e.StoppedBy = now.Stopped, now.StoppedAt, now.StoppedBy
	e.Recover, e.toldBefore, e.before = 0, true, nil
	e.relays.end()
}

// past takes news of an earlier part. One that still records is treated as a twin of the part
// that took its place.
func (e *run) past(ctx workflow.Context, o egress.Observation) {
	if !e.correct(ctx, o) && e.Beside(o) {
		e.foreign(ctx, o)
	}
}

// correct tells the end of an earlier part that was lost, or that failed and ran again, as a
// correction. It reports false for any other news.
func (e *run) correct(ctx workflow.Context, o egress.Observation) bool {
	part, ok := e.CorrectPart(o)
	if !ok {
		return false
	}
	if e.before != nil && e.before.ID == part.ID { // it may be the last one after all
		e.before.TakeCorrection(part)
	}
	workflow.GetMetricsHandler(ctx).Counter(MetricCorrected).Inc(1)
	e.tellPart(ctx, part)
	return true
}
