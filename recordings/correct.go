package recordings

import (
	"cmp"
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/reelkeeper/reelkeeper/egress"
)

// correct tells the consumers how a lost egress ended, or a failed one that LiveKit has rerun, if
// that is heard only after its workflow has closed: each end once, however often it is heard. If
// an earlier correction is still being delivered, it is cancelled, so that it is not what they hear
// last.
func (c *Client) correct(ctx context.Context, row Row, e egress.Event) error {
	o, err := egress.ObserveEvent(e, time.Now().UTC())
	if err != nil || !o.Final {
		return errorOf(ctx, "correct", err)
	}
	// Usually it is the second webhook of an end that the first one told: no worker has to replay a
	// history for that. Only the workflow knows about earlier parts.
	again := row.Status.Failed() && o.Info.Proto().GetRetryCount() > 0
	if row.EgressID == o.Info.ID() && row.Status != egress.Lost && !again {
		return nil
	}
	known, err := c.recall(ctx, row.WorkflowID)
	if err != nil {
		return err
	}
	for first := known.State; ; {
		// Read before the state, so that the number of a correction that begins meanwhile is taken.
		last, err := c.lastCorrection(ctx, row.RequestID, o.Info.ID())
		if err != nil {
			return err
		}
		before, err := c.asCorrected(ctx, row.RequestID, first)
		if err != nil && egress.ReasonOf(err) != egress.Conflict { // one being delivered is no reason to wait
			return err
		}
		state, amends := before.Amend(o)
		switch {
		case !amends && last.n > 1: // it may have been heard before, and what it replaced not have ended
			return c.supersede(ctx, egress.CorrectionID(row.RequestID, o.Info.ID(), last.n-1))
		case !amends:
			return nil
		}
		known.State = state
		taken, err := c.beginRedelivery(ctx, egress.CorrectionID(row.RequestID, state.ID, last.n+1), known, RedeliverOptions{})
		switch {
		case err != nil:
			return err
		case taken: // by another webhook, at the same time
			continue
		case isOpen(last.status):
			return c.supersede(ctx, last.id)
		}
		return nil
	}
}

// supersede ends a correction that a later one replaces, unless it has ended by itself.
func (c *Client) supersede(ctx context.Context, id string) error {
	err := errorOf(ctx, "end "+id, c.cfg.Temporal.CancelWorkflow(ctx, id, ""))
	if reason := egress.ReasonOf(err); reason == egress.NotFound || reason == egress.AlreadyOver {
		return nil
	}
	return err
}

// asCorrected returns a state with the corrections that it and its lost or failed parts got after
// their workflow had closed; the corrections' own workflows know them. If one is being delivered
// right now, the state includes it, and the error has reason Conflict.
func (c *Client) asCorrected(ctx context.Context, requestID string, s egress.State) (egress.State, error) {
	s, told := c.partsAsCorrected(ctx, requestID, s)
	if told != nil && egress.ReasonOf(told) != egress.Conflict || s.Status != egress.Lost && !s.Status.Failed() {
		return s, told
	}
	corrected, err := c.correction(ctx, requestID, s.ID)
	if corrected == nil {
		return s, cmp.Or(err, told)
	}
	corrected.Parts, corrected.PartsTold = s.Parts, false // they are announced again, too
	return *corrected, cmp.Or(err, told)
}

// partsAsCorrected returns a state with the corrections of its earlier parts, like asCorrected.
func (c *Client) partsAsCorrected(ctx context.Context, requestID string, s egress.State) (egress.State, error) {
	var told error
	for _, p := range s.Parts {
		if p.Status != egress.Lost && !egress.Failed(p.Info.Proto().GetStatus()) {
			continue
		}
		part, err := c.correction(ctx, requestID, p.EgressID)
		if err != nil && egress.ReasonOf(err) != egress.Conflict {
			return s, err
		}
		if part != nil {
			s.CorrectPart(part.End())
		}
		told = cmp.Or(told, err)
	}
	return s, told
}

// correction returns the last correction of a lost or failed egress after its workflow had closed,
// or nil if there was none. If it is being delivered right now, the error has reason Conflict.
func (c *Client) correction(ctx context.Context, requestID, egressID string) (*egress.State, error) {
	last, err := c.lastCorrection(ctx, requestID, egressID)
	switch {
	case err != nil || last.n == 0:
		return nil, err
	case last.status == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		known, err := c.needState(ctx, Row{WorkflowID: last.id})
		return &known, err
	}
	var told egress.Redelivery
	if err := c.argument(ctx, last.id, &told); err != nil {
		return nil, errorOf(ctx, "read "+last.id, err)
	}
	told.State.Phase = egress.Delivered // by another redelivery, if this one was cancelled
	if isOpen(last.status) {
		err = &egress.Error{Reason: egress.Conflict, Code: "failed_precondition", Message: "its correction is being told: " + last.id}
	}
	return &told.State, err
}

// nthCorrection is the workflow of a correction.
type nthCorrection struct {
	n      int // zero: there is none
	id     string
	status enumspb.WorkflowExecutionStatus
}

// lastCorrection returns the last correction of an egress.
func (c *Client) lastCorrection(ctx context.Context, requestID, egressID string) (last nthCorrection, err error) {
	for {
		next := nthCorrection{n: last.n + 1, id: egress.CorrectionID(requestID, egressID, last.n+1)}
		if next.status, err = c.workflowState(ctx, next.id); err != nil || next.status == enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
			return last, err
		}
		last = next
	}
}
