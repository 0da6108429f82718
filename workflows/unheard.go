package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// awaitWebhook waits for LiveKit's webhook of the end, where the end was learned from an answer
// of LiveKit's to us, and a consumer is told only of ends that no webhook told. A webhook that
// does not come in its time counts as missed, and the end is told like any other. A poll that is
// under way is cancelled first.
func (e *run) awaitWebhook(ctx workflow.Context) {
	if e.polling != nil { // a wake timer may just run out
		e.polling.cancel()
		e.AskedFrom = time.Time{}
	}
	if due := e.WebhookDue(); !e.toldBefore && !due.IsZero() {
		e.awaitWebhookUntil(ctx, due)
	}
	for len(e.unheard) > 0 && e.over() { // earlier parts wait for theirs, too
		until(ctx, func() bool { return e.heard() || len(e.unheard) == 0 })
		takeAll(ctx, e.observations, e.hearPart)
	}
}

// heard reports whether what has arrived may be the webhook that an earlier part waits for.
func (e *run) heard() bool { return len(e.unheard) > 0 && e.observations.Len() > 0 }

// hearPart takes a webhook for an earlier part that waits for one. All others are put aside
// until the end has been told.
func (e *run) hearPart(ctx workflow.Context, ev egress.Event) {
	o, err := egress.ObserveEvent(ev, workflow.Now(ctx))
	if err != nil {
		e.log.Error("webhook event cannot be read", "error", err)
		return
	}
	if part, waits := e.unheard[o.Info.ID()]; waits {
		part.Observe(o)
		return
	}
	e.aside = append(e.aside, o)
}

// forWebhook says of a timer what it waits for.
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

// awaitWebhookOf waits for the webhook of an earlier part's end, beside all that follows.
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
