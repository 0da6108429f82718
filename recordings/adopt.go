package recordings

import (
	"context"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Adopt makes a workflow for an egress that was started past Temporal, and gives it
// the webhook event by which we heard of it. Twice is harmless: the second event
// goes to the same workflow. So is a request whose workflow failed, since nobody found
// in time what had been started after all. One whose workflow has completed is not
// begun again: that is an error of reason AlreadyOver, unless the workflow never knew of
// this egress, which is then a recording of its own.
func (c *Client) Adopt(ctx context.Context, requestID string, extras egress.Extras, e egress.Event) error {
	info, err := e.Info()
	if err != nil {
		return errorOf(ctx, "adopt", err)
	}
	a := adoption{requestID, extras, egress.SignalObserved}
	err = c.adopt(ctx, a, info, e)
	if egress.ReasonOf(err) == egress.AlreadyOver {
		return c.adoptStranger(ctx, a, info, e)
	}
	return err
}

// adoptStranger takes up an egress under its own ID whose request's workflow has completed
// without knowing it: another door began it past Temporal, and it was heard of too late to
// be a twin or the next part. One that is known, or over itself, is an error of reason
// AlreadyOver.
func (c *Client) adoptStranger(ctx context.Context, a adoption, info egress.Info, e egress.Event) error {
	over := &egress.Error{Reason: egress.AlreadyOver, Message: egress.WorkflowID(a.requestID) + " has completed"}
	id := info.Proto().GetEgressId()
	if id == "" {
		return over
	}
	known, err := c.knows(ctx, a.requestID, id)
	if err != nil {
		return err
	}
	if known {
		return over
	}
	a.requestID = id
	return c.adopt(ctx, a, info, e)
}

// knows reports whether the completed workflow of a request knew of an egress.
func (c *Client) knows(ctx context.Context, requestID, egressID string) (bool, error) {
	row, err := c.row(ctx, egress.WorkflowID(requestID))
	if err != nil || row.EgressID == egressID {
		return err == nil, err
	}
	v, err := c.verdict(ctx, row)
	return err == nil && v != nil && v.Knows(egressID), err
}

// adoptionInput is what the workflow of an egress begins with. A run of the same request
// that failed, since nobody found in time what it had started after all, leaves its own:
// the caller's webhooks, pipeline and limits, where it was of the same room. LiveKit is only
// looked at for it.
func (c *Client) adoptionInput(ctx context.Context, a adoption, info egress.Info) (egress.Input, error) {
	in := c.adopted(a, info)
	state, err := c.workflowState(ctx, egress.WorkflowID(a.requestID))
	if err != nil || !failed(state) {
		return in, err
	}
	earlier, err := c.inputOf(ctx, egress.WorkflowID(a.requestID))
	if err != nil || earlier.Validate(a.requestID) != nil { // it cannot be read any more, or was never any good
		return in, nil //nolint:nilerr // the egress is to be watched all the same
	}
	if room := in.Readable().Room; room != "" && room != earlier.Readable().Room { // its key was used again
		return in, nil
	}
	return earlier.OnlyLook(), nil
}

// adopted is the input of an egress of which Temporal knows nothing: what LiveKit echoes of its
// request. The caller's own webhooks are served as if Temporal had never forgotten it. Those that
// cannot be opened are a step of the delivery that fails, so that a person hears of them.
func (c *Client) adopted(a adoption, info egress.Info) egress.Input {
	in := egress.Adoption(info, a.extras)
	r, echoed := egress.RequestOf(info.Proto())
	if a.extras.Webhooks == "" || !echoed {
		return in
	}
	hooks, err := c.cfg.Sealer.OpenWebhooks(a.extras.RequestID, a.extras.Webhooks)
	if err == nil {
		var sealed egress.Input
		if sealed, err = c.cfg.Sealer.SealRequest(a.requestID, egress.WithWebhooks(r, hooks), "", ""); err == nil {
			in.Summary, in.Sealed = sealed.Summary, sealed.Sealed
		}
	}
	if err != nil && !egress.IsID(a.requestID) { // a stray may be another Reelkeeper's, which tells them
		in.Summary.Webhooks = []string{"unreadable"}
	}
	return in
}
