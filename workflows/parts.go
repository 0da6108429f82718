package workflows

import (
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// nextPartAt returns when a next part would be started if it were decided on now.
func (e *run) nextPartAt(ctx workflow.Context) time.Time {
	return workflow.Now(ctx).Add(recoverBackoff(e.Status, e.Part+1))
}

// startAgain continues, after a wait, with the next part of a recording whose egress ended too
// early while its room is live. Meanwhile this part's end is announced; nobody waits for that.
func (e *run) startAgain(ctx workflow.Context) {
	wait := recoverBackoff(e.Status, e.Part+1)
	e.log.Warn("to be restarted as the next part", "egressID", e.ID, "status", e.Status, "part", e.Part+1)
	e.disarm()
	e.reportEnd(ctx)
	e.relays.reopen()
	before := e.State
	e.tellPart(ctx, before)
	e.before, e.recovers = &before, !before.Status.Good()
	e.NextPart()
	e.Restarts++
	e.published.status = ""
	if stopped := e.backOff(ctx, wait); stopped {
		e.settleWithPartBefore(errEnough)
		return
	}
	e.explain(ctx)
	e.start(ctx)
}

// errEnough is why a part was not started: a stop was asked for before.
var errEnough = errors.New("a stop was asked for")

// withdraw takes back the start of a later part, since a stop was asked for. A part that LiveKit
// has begun all the same is stopped. An answer that bound no egress leaves nothing to take back.
func (e *run) withdraw() {
	if e.starting != nil && !e.withdrawn {
		e.withdrawn = true
		e.starting.cancel()
	}
}

// interrupted reports whether a start was broken off when LiveKit may have been asked.
func interrupted(err error) bool {
	why := reasonOf(err)
	return why == egress.Ambiguous || why == egress.Internal
}

// backOff waits before the next part is started. If a stop is asked for meanwhile, it takes the
// stop at once and reports true: that settles the recording, and then whoever asked is answered.
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

// tellPart looks for the media of a part that has ended, and announces the end, while the workflow
// goes on.
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
	e.untried++ // until its consumers are counted, so that no step of the pipeline runs before they are tried
	e.beside(ctx, all, func(ctx workflow.Context) {
		e.inTurn(ctx, all)
		e.awaitWebhookOf(ctx, &part)
		e.verify(ctx, &part, suffix)
		e.tellSteps(ctx, &part, suffix)
		e.untried--
	})
}

// settleWithPartBefore settles the recording with the part before, which is being announced
// already: the next one was refused, most likely because the room is gone, or is no longer wanted.
func (e *run) settleWithPartBefore(err error) {
	e.log.Warn("next part not started", "part", e.Part, "error", err)
	now := e.State
	e.State, e.Shared = *e.before, now.Shared
	e.Parts = e.Parts[:len(e.Parts)-1] // the last one is the part that is settled now; the others may have been corrected
	e.Stopped, e.StoppedAt, e.StoppedBy = now.Stopped, now.StoppedAt, now.StoppedBy
	e.LastPart, e.toldBefore, e.before = true, true, nil
	e.relays.end()
}

// past takes news of an earlier part. If that part still records, it is treated as a twin of the
// one that took its place.
func (e *run) past(ctx workflow.Context, o egress.Observation) {
	if !e.correct(ctx, o) && e.Beside(o) {
		e.foreign(ctx, o)
	}
}

// correct announces as a correction the end of an earlier part that was lost, or that failed and
// ran again. It reports false for any other news.
func (e *run) correct(ctx workflow.Context, o egress.Observation) bool {
	part, ok := e.CorrectPart(o)
	if !ok {
		return false
	}
	if e.before != nil && e.before.ID == part.ID { // if the next part does not begin, this is the last one
		e.before.TakeCorrection(part)
	}
	workflow.GetMetricsHandler(ctx).Counter(MetricCorrected).Inc(1)
	e.tellPart(ctx, part)
	return true
}
