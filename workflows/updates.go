package workflows

import (
	"cmp"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// handle registers what the outside may ask of an egress.
func (e *run) handle(ctx workflow.Context) error {
	return cmp.Or(
		workflow.SetQueryHandler(ctx, egress.QueryVerdict, e.delivered),
		workflow.SetUpdateHandlerWithOptions(ctx, egress.UpdateStart, e.awaitStart, workflow.UpdateHandlerOptions{Validator: e.sameRequest}),
		workflow.SetUpdateHandlerWithOptions(ctx, egress.UpdateStop, e.askStop, workflow.UpdateHandlerOptions{Validator: e.stillRuns}),
		e.handleWords(ctx),
	)
}

// refuseInput returns why no run can be made of an input, and has an update that was sent along with it
// answered so, too.
func refuseInput(ctx workflow.Context, why error) error {
	no := func(workflow.Context, egress.StartUpdate) error { return why }
	return cmp.Or(workflow.SetUpdateHandlerWithOptions(ctx, egress.UpdateStart, no, workflow.UpdateHandlerOptions{Validator: no}), why)
}

// delivered is the verdict once it is delivered, also while it may be corrected.
func (e *run) delivered() (*egress.Verdict, error) {
	if e.Phase != egress.Delivered {
		return nil, nil
	}
	v := e.verdict()
	return &v, nil
}

// sameRequest refuses a caller who asks for something else under the same ID.
func (e *run) sameRequest(_ workflow.Context, u egress.StartUpdate) error {
	if u.Fingerprint == "" || e.in.Fingerprint == "" || u.Fingerprint == e.in.Fingerprint {
		return nil
	}
	return toCaller(egress.IDTaken(e.id))
}

// awaitStart answers the caller as soon as anything shows that the egress runs, or, where they
// take it back, that no worker will ask for it.
func (e *run) awaitStart(ctx workflow.Context, u egress.StartUpdate) (egress.Info, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // a cancel stops the egress, and keeps nobody from their answer
	until(ctx, func() bool { return e.failed != nil || e.Latest.Known() || u.TakesBack && e.handedBack != nil })
	if e.failed == nil && !e.Latest.Known() {
		return egress.Info{}, e.handedBack
	}
	return e.Latest, e.failed
}

// stillRuns refuses a stop of what is over and will not go on as a next part.
func (e *run) stillRuns(ctx workflow.Context, _ egress.StopUpdate) error {
	if e.Phase == egress.Delivered || e.Phase == egress.Settled && !e.Early() && !e.Recoverable(workflow.Now(ctx)) {
		return toCaller(egress.CannotStop(e.Status))
	}
	return nil
}

// askStop has the loop stop the egress, and answers with what LiveKit said.
func (e *run) askStop(ctx workflow.Context, u egress.StopUpdate) (egress.Info, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	before := e.answered.stops
	e.asks.SendAsync(u.AskedBy) // where it is full, a stop is due already
	until(ctx, func() bool { return e.failed != nil || e.answered.stops > before || e.over() })
	switch {
	case e.failed != nil: // not how the start failed: a caller who knows of an egress all the same asks LiveKit then
		return egress.Info{}, toCaller(&egress.Error{Reason: egress.NotFound, Message: fmt.Sprintf("%s was not started", e.id)})
	case e.answered.stops == before: // it ended first, and what we know of stops is about an earlier one
		return e.Latest, nil
	case e.answered.err != nil:
		return egress.Info{}, plainly("stop egress", e.answered.err)
	case e.answered.info.Known():
		return e.answered.info, nil
	}
	return e.Latest, nil
}
