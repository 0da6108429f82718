package recordings

import (
	"context"

	"github.com/reelkeeper/reelkeeper/egress"
)

// WaitingStep is a delivery step that waits for a person's word.
type WaitingStep struct {
	WorkflowID string `json:"workflow_id"` // of the egress, or of a redelivery of it
	Step       string `json:"step"`
}

// WaitingSteps are the delivery steps of a recording, by any of its IDs, that have failed for
// good: its own, and those of its redeliveries that run. Where there is none, and its workflow
// closed without a result, that is an error of reason Conflict. A worker must run, since the
// workflows are asked.
func (c *Client) WaitingSteps(ctx context.Context, id string) ([]WaitingStep, error) {
	workflowID, requestID, err := c.findEgress(ctx, id)
	if err != nil {
		return nil, err
	}
	_, only := egress.RedeliveryOf(id)
	if only {
		workflowID = id
	}
	waiting, err := c.waitingIn(ctx, id, workflowID)
	if err != nil {
		return nil, err
	}
	if !only {
		more, err := c.waitingInRedeliveries(ctx, id, requestID)
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, more...)
	}
	if len(waiting) == 0 {
		return nil, c.nobodyTells(ctx, id, workflowID)
	}
	return waiting, nil
}

// waitingInRedeliveries are the steps of those of a request's redeliveries that run.
func (c *Client) waitingInRedeliveries(ctx context.Context, id, requestID string) (waiting []WaitingStep, err error) {
	for row, err := range c.Redeliveries(ctx, requestID) {
		if err != nil {
			return nil, err
		}
		if row.ClosedAt != nil {
			continue
		}
		more, err := c.waitingIn(ctx, id, row.WorkflowID)
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, more...)
	}
	return waiting, nil
}

// waitingIn are the steps of one workflow, none where it has closed.
func (c *Client) waitingIn(ctx context.Context, id, workflowID string) ([]WaitingStep, error) {
	row, err := c.row(ctx, workflowID)
	if err != nil || row.ClosedAt != nil {
		return nil, notFoundAs(id, err)
	}
	s, err := c.needState(ctx, row)
	if err != nil {
		return nil, err
	}
	var waiting []WaitingStep
	for _, step := range s.AwaitsWord {
		waiting = append(waiting, WaitingStep{workflowID, step})
	}
	return waiting, nil
}
