package webhook

import (
	"cmp"
	"context"
	"slices"

	"github.com/reelkeeper/reelkeeper/egress"
)

// observe passes an egress event to its workflow: the one that the token in the URL names, else the
// one that the echoed token names, else the one with the egress ID. That is the name of a stray's
// workflow, by which it is found also while visibility lags. A workflow that has closed ends the
// search; one that does not exist does not: a start that went past Temporal may be adopted under
// its egress ID, and is otherwise adopted now, as is one that only visibility still shows.
func (h *Handler) observe(ctx context.Context, d *delivery) Reason {
	if d.egressID() == "" {
		return NoEgressID
	}
	named, wrongMAC := h.named(d)
	reason := h.hand(ctx, d, named)
	if wrongMAC && (reason == Accepted || reason == LookedUp) {
		return WrongMAC // this shows when a secret was rotated without keeping the previous one
	}
	return reason
}

// hand passes an event to its workflow, whatever the URL's MAC.
func (h *Handler) hand(ctx context.Context, d *delivery, named []string) Reason {
	tried := named
	if id := d.egressID(); len(named) == 0 && egress.IsEgressID(id) {
		tried = []string{egress.WorkflowID(id)}
	}
	for _, id := range tried {
		switch reason := h.signalOrAdopt(ctx, d, id); {
		case reason == Accepted && len(named) == 0:
			return LookedUp
		case reason != Unknown:
			return reason
		}
	}
	id, found, err := h.cfg.Recordings.ByEgressID(ctx, d.egressID())
	switch {
	case err != nil:
		return d.failed(ctx, err)
	case !found && len(named) == 0:
		d.workflow = ""
		return Unknown
	case !found:
		return h.adopt(ctx, d, named[0])
	}
	reason := Unknown
	if !slices.Contains(tried, id) {
		reason = h.signalOrAdopt(ctx, d, id)
	}
	if reason == Unknown { // Temporal has lost what visibility still shows
		return h.adopt(ctx, d, id)
	}
	if reason == Accepted {
		return LookedUp
	}
	return reason
}

// signalOrAdopt adopts if the workflow has closed: it may have failed before LiveKit began after
// all, or may have been terminated.
func (h *Handler) signalOrAdopt(ctx context.Context, d *delivery, workflowID string) Reason {
	if reason := h.signal(ctx, d, workflowID, egress.SignalObserved, d.event); reason != Late {
		return reason
	}
	return h.adopt(ctx, d, workflowID)
}

// noteLate records that the webhook of an end came after its workflow had closed, so that a report
// knows that it arrived after all.
func (h *Handler) noteLate(ctx context.Context, d *delivery) Reason {
	if err := h.cfg.Recordings.Late(ctx, d.workflow, d.event); err != nil {
		return d.failed(ctx, err)
	}
	return Late
}

// adopt creates the workflow that our token names if Temporal does not know it, because the start
// went past Temporal, or if it has failed.
func (h *Handler) adopt(ctx context.Context, d *delivery, workflowID string) Reason {
	d.workflow = workflowID
	requestID, _ := egress.RequestID(workflowID)
	err := h.cfg.Recordings.Adopt(ctx, requestID, egress.ExtrasOf(d.sent.GetEgressInfo(), h.cfg.MACs.Verify), d.event)
	switch egress.ReasonOf(err) {
	case "":
		return Adopted
	case egress.AlreadyOver:
		return Late
	default:
		return d.failed(ctx, err)
	}
}

// named returns the workflows that the event's tokens name, and reports whether the URL holds a
// token that is not ours.
func (h *Handler) named(d *delivery) (workflowIDs []string, wrongMAC bool) {
	if d.hasToken && h.cfg.MACs.Verify(d.token) {
		workflowIDs = append(workflowIDs, egress.WorkflowID(d.token.RequestID))
	} else {
		wrongMAC = d.below
	}
	if t, ours := egress.OurToken(d.sent.GetEgressInfo(), h.cfg.MACs.Verify); ours {
		workflowIDs = append(workflowIDs, egress.WorkflowID(t.RequestID))
	}
	return slices.Compact(workflowIDs), wrongMAC
}

// hintRoom tells the running egresses of a room that the room is gone. A name can be used again:
// the workflows compare the room's SID.
func (h *Handler) hintRoom(ctx context.Context, d *delivery) Reason {
	if d.room() == "" {
		return Ignored
	}
	ids, err := h.cfg.Recordings.ByRoom(ctx, d.room())
	if err != nil {
		return d.failed(ctx, err)
	}
	return h.hint(ctx, d, ids)
}

// hintParticipant tells an egress that LiveKit saw its recorder leave.
func (h *Handler) hintParticipant(ctx context.Context, d *delivery) Reason {
	if d.egressID() == "" {
		return Ignored
	}
	id, found, err := h.cfg.Recordings.ByEgressID(ctx, d.egressID())
	switch {
	case err != nil:
		return d.failed(ctx, err)
	case !found:
		return Ignored
	}
	return h.hint(ctx, d, []string{id})
}

// hint signals all of the workflows, even if some fail. LiveKit's next attempt reaches the rest:
// those that have the signal recognize its ID.
func (h *Handler) hint(ctx context.Context, d *delivery, workflowIDs []string) Reason {
	said, err := d.event.AsHint()
	if err != nil {
		return d.failed(ctx, err)
	}
	result, failed, of := Ignored, Reason(""), ""
	for _, id := range workflowIDs {
		switch reason := h.signal(ctx, d, id, egress.SignalHint, said); reason {
		case Accepted:
			result = Hinted
		case Late, Unknown: // it has ended in the meantime
		default:
			failed, of = reason, id
		}
	}
	d.workflow = cmp.Or(of, d.workflow)
	return cmp.Or(failed, result)
}

// signal returns Accepted, Late, Unknown, or why Temporal did not take the signal.
func (h *Handler) signal(ctx context.Context, d *delivery, workflowID, name string, said egress.Event) Reason {
	d.workflow = workflowID
	err := h.cfg.Recordings.Signal(ctx, workflowID, name, d.id, said)
	switch egress.ReasonOf(err) {
	case "":
		return Accepted
	case egress.AlreadyOver:
		return Late
	case egress.NotFound:
		return Unknown
	default:
		return d.failed(ctx, err)
	}
}

func (d *delivery) failed(ctx context.Context, err error) Reason {
	d.err = err
	if ctx.Err() != nil {
		return TemporalSlow
	}
	return TemporalFailed
}
