package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// awaitWebhook waits for LiveKit's webhook of the end, if we learned of the end from LiveKit's
// answer to our start or stop, and a consumer is told only of ends that no webhook told. If the
// webhook does not come in time, it counts as missed, and the end is announced like any other. A
// poll that is under way is cancelled first.
func (e *run) awaitWebhook(ctx workflow.Context) {
	if e.polling != nil { // a wake timer does no harm, and to cancel it would cost an event
		e.polling.cancel()
		e.polling, e.AskedFrom = nil, time.Time{}
	}
	if due := e.WebhookDue(); !e.toldBefore && !due.IsZero() {
		e.awaitWebhookUntil(ctx, due)
	}
	for len(e.unheard) > 0 && e.over() { // earlier parts wait for their webhooks, too
		until(ctx, func() bool { return e.heard() || len(e.unheard) == 0 })
		takeAll(ctx, e.observations, e.hearPart)
	}
}

// heard reports whether something arrived that may be the webhook for which an earlier part waits.
func (e *run) heard() bool { return len(e.unheard) > 0 && e.observations.Len() > 0 }

// hearPart takes the webhook for which an earlier part waits. All others are put aside until the
// end has been announced.
func (e *run) hearPart(ctx workflow.Context, ev egress.Event) {
	o, err := egress.ObserveEvent(ev, workflow.Now(ctx))
	if err != nil {
		e.log.Error("webhook event cannot be read", "error", err)
		return
	}
	if part, waits := e.unheard[o.Info.ID()]; waits && !o.Info.RanAgain(part.Latest) {
		part.Observe(o)
		return
	}
	e.aside = append(e.aside, o)
}

// forWebhook is the summary of a timer, which says what it waits for.
const forWebhook = "for LiveKit's own webhook of the end"

// awaitWebhookUntil waits for the webhook of the end until it is due.
func (e *run) awaitWebhookUntil(ctx workflow.Context, due time.Time) {
	timed, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(timed, due.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: forWebhook})
	for !timer.IsReady() && !e.WebhookDue().IsZero() {
		until(ctx, func() bool { return timer.IsReady() || e.observations.Len() > 0 })
		e.takeWebhooks(ctx)
	}
	if !e.WebhookDue().IsZero() {
		e.WebhookMissed()
	}
}

// awaitWebhookOf waits for the webhook of an earlier part's end, while the workflow goes on.
func (e *run) awaitWebhookOf(ctx workflow.Context, part *egress.State) {
	if e.unheard[part.ID] != part {
		return
	}
	if due := part.WebhookDue(); !due.IsZero() { // else it has come by now
		_, _ = workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{ // never cancelled
			Timeout: due.Sub(workflow.Now(ctx)), TimerOptions: workflow.TimerOptions{Summary: forWebhook},
		}, func() bool { return part.WebhookDue().IsZero() })
	}
	delete(e.unheard, part.ID)
	if !part.WebhookDue().IsZero() {
		part.WebhookMissed()
	}
	e.HeardOf(*part)
	if e.before != nil {
		e.before.HeardOf(*part)
	}
}
