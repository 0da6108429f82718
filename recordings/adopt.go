package recordings

import (
	"context"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Adopt starts a workflow for an egress that was started past Temporal, and gives it the webhook
// event by which we heard of it. Calling it twice is harmless: the second event goes to the same
// workflow. A request whose workflow failed is adopted, too, since nobody found in time what had
// been started after all. One whose workflow has completed is not restarted: the error has reason
// AlreadyOver, unless that workflow never knew of this egress, which then becomes a recording of
// its own.
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

// adoptStranger adopts an egress under its own ID if its request's workflow has completed without
// knowing it: another front door started it past Temporal, and we heard of it too late to make it
// a twin or the next part. If it is known, or over itself, the error has reason AlreadyOver.
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

// knows reports whether a request's completed workflow knew of an egress.
func (c *Client) knows(ctx context.Context, requestID, egressID string) (bool, error) {
	row, err := c.row(ctx, egress.WorkflowID(requestID))
	if err != nil || row.EgressID == egressID {
		return err == nil, err
	}
	v, err := c.verdict(ctx, row)
	return err == nil && v != nil && v.Knows(egressID), err
}

// adoptionInput returns the input for the workflow of an egress. If a run of the same request
// failed because nobody found in time what it had started after all, its own input is used if it
// is for the same room: it has the caller's webhooks, pipeline and limits. The new run only looks
// at LiveKit for the egress.
func (c *Client) adoptionInput(ctx context.Context, a adoption, info egress.Info) (egress.Input, error) {
	in := c.adopted(a, info)
	state, err := c.workflowState(ctx, egress.WorkflowID(a.requestID))
	if err != nil || !freesID(state) {
		return in, err
	}
	earlier, err := c.inputOf(ctx, egress.WorkflowID(a.requestID))
	if err != nil || earlier.Validate(a.requestID) != nil { // it is no longer readable, or never was valid
		return in, nil //nolint:nilerr // the egress is to be watched all the same
	}
	if room := in.Readable().Room; room != "" && room != earlier.Readable().Room { // the key was reused
		return in, nil
	}
	return earlier.OnlyLook(), nil
}

// adopted returns the input of an egress unknown to Temporal: what LiveKit echoes of its request.
// The caller's own webhooks are served as if Temporal had never forgotten the egress. Webhooks
// that cannot be opened become a delivery step that fails, so that a person hears of them.
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
	if err != nil {
		in.Summary.Webhooks = []string{"unreadable"}
	}
	return in
}
