package recordings

import (
	"cmp"
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/reelkeeper/reelkeeper/egress"
)

// correct tells the consumers of a lost egress how it ended, or of a failed one that LiveKit has
// run again, when that is heard of only after its workflow has closed: each end once, however
// often it is heard. Where an earlier correction is still being told, nobody is told of that any
// more, so that it is not what they hear last.
func (c *Client) correct(ctx context.Context, row Row, e egress.Event) error {
	o, err := egress.ObserveEvent(e, time.Now().UTC())
	if err != nil || !o.Final || row.ClosedAt == nil {
		return errorOf(ctx, "correct", err)
	}
	// Mostly it is the second webhook of an end that was told by the first: no worker
	// has to replay a life for that. Of earlier parts the workflow alone knows.
	again := row.Status.Failed() && o.Info.Proto().GetRetryCount() > 0
	if row.EgressID == o.Info.ID() && row.Status != egress.Lost && !again {
		return nil
	}
	known, err := c.recall(ctx, row.WorkflowID)
	if err != nil {
		return err
	}
	for first := known.State; ; {
		// Asked before what it says, so that the number of one that begins meanwhile is taken.
		last, err := c.lastCorrection(ctx, row.RequestID, o.Info.ID())
		if err != nil {
			return err
		}
		before, err := c.asCorrected(ctx, row.RequestID, first)
		if err != nil && egress.ReasonOf(err) != egress.Conflict { // one that is just being told is no reason to wait
			return err
		}
		state, amends := before.Amend(o)
		if !amends {
			return nil
		}
		known.State = state
		taken, err := c.beginRedelivery(ctx, egress.NthCorrectionID(row.RequestID, state.ID, last.n+1), known, RedeliverOptions{})
		switch {
		case err != nil:
			return err
		case taken: // by another webhook, at the same moment
			continue
		case isOpen(last.status):
			err = errorOf(ctx, "end "+last.id, c.cfg.Temporal.CancelWorkflow(ctx, last.id, ""))
		}
		if egress.ReasonOf(err) == egress.NotFound || egress.ReasonOf(err) == egress.AlreadyOver { // it has just ended
			return nil
		}
		return err
	}
}

// asCorrected is a state with what it and its lost or failed parts were corrected to after
// their workflow had closed, which the corrections' own workflows know. Where one is just being
// told that is an error of reason Conflict, and it is in the state as well.
func (c *Client) asCorrected(ctx context.Context, requestID string, s egress.State) (egress.State, error) {
	s, told := c.partsAsCorrected(ctx, requestID, s)
	if told != nil && egress.ReasonOf(told) != egress.Conflict || s.Status != egress.Lost && !s.Status.Failed() {
		return s, told
	}
	corrected, err := c.correction(ctx, requestID, s.ID)
	if corrected == nil {
		return s, cmp.Or(err, told)
	}
	corrected.Parts, corrected.PartsTold = s.Parts, false // they are told again, too
	return *corrected, cmp.Or(err, told)
}

// partsAsCorrected is a state with what its earlier parts were corrected to, as asCorrected.
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

// correction is what a lost or failed egress was last corrected to after its workflow had closed,
// nil where it was not. Where that is being told, it comes with an error of reason Conflict.
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
	told.State.Phase = egress.Delivered // by another redelivery, where this one was broken off
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

// lastCorrection is the last one of an egress.
func (c *Client) lastCorrection(ctx context.Context, requestID, egressID string) (last nthCorrection, err error) {
	for {
		next := nthCorrection{n: last.n + 1, id: egress.NthCorrectionID(requestID, egressID, last.n+1)}
		if next.status, err = c.workflowState(ctx, next.id); err != nil || next.status == enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
			return last, err
		}
		last = next
	}
}
