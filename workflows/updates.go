package workflows

import (
	"cmp"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// handle registers what can be asked of an egress from outside.
func (e *run) handle(ctx workflow.Context) error {
	return cmp.Or(
		workflow.SetQueryHandler(ctx, egress.QueryVerdict, e.delivered),
		workflow.SetUpdateHandlerWithOptions(ctx, egress.UpdateStart, e.awaitStart, workflow.UpdateHandlerOptions{Validator: e.sameRequest}),
		workflow.SetUpdateHandlerWithOptions(ctx, egress.UpdateStop, e.askStop, workflow.UpdateHandlerOptions{Validator: e.stillRuns}),
		e.handleWords(ctx),
	)
}

// refuseInput returns why no run can be made of an input, and gives an update that was sent along
// with it the same answer.
func refuseInput(ctx workflow.Context, why error) error {
	countStart(ctx, string(reasonOf(why)))
	no := func(workflow.Context, egress.StartUpdate) error { return why }
	return cmp.Or(workflow.SetUpdateHandlerWithOptions(ctx, egress.UpdateStart, no, workflow.UpdateHandlerOptions{Validator: no}), why)
}

// delivered returns the verdict once it is delivered, even while it may still be corrected.
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

// awaitStart answers the caller as soon as anything shows that the egress runs. If the caller may
// take the request back, it also answers as soon as no worker will ask LiveKit for it.
func (e *run) awaitStart(ctx workflow.Context, u egress.StartUpdate) (egress.Info, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // a cancel stops the egress, but callers still get their answers
	until(ctx, func() bool { return e.failed != nil || e.Latest.Known() || u.TakesBack && e.handedBack != nil })
	if e.failed == nil && !e.Latest.Known() {
		return egress.Info{}, e.handedBack
	}
	return e.Latest, e.failed
}

// stillRuns refuses a stop of a recording that is over and that no next part will follow.
func (e *run) stillRuns(ctx workflow.Context, _ egress.StopUpdate) error {
	if e.Phase == egress.Delivered || e.Phase == egress.Settled && !e.Early() && !e.Recoverable(e.nextPartAt(ctx)) {
		return toCaller(egress.CannotStop(e.Status))
	}
	return nil
}

// askStop lets the loop stop the egress, and answers with what LiveKit said.
func (e *run) askStop(ctx workflow.Context, u egress.StopUpdate) (egress.Info, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	before := e.answered.stops
	e.asks.SendAsync(u.AskedBy) // if it is full, a stop is due already
	until(ctx, func() bool { return e.failed != nil || e.answered.stops > before || e.over() })
	switch {
	case e.failed != nil: // not the error of the start: on NotFound, a caller who knows of an egress all the same asks LiveKit
		return egress.Info{}, toCaller(&egress.Error{Reason: egress.NotFound, Message: fmt.Sprintf("%s was not started", e.id)})
	case e.answered.stops == before: // it ended first, and the last answer is to an earlier stop
		return e.Latest, nil
	case e.answered.err != nil:
		return egress.Info{}, plainly("stop egress", e.answered.err)
	case e.answered.info.Known():
		return e.answered.info, nil
	}
	return e.Latest, nil
}
