package recordings

import (
	"context"

	"github.com/reelkeeper/reelkeeper/egress"
)

// WaitingStep is a delivery step that waits for a person to retry or skip it.
type WaitingStep struct {
	WorkflowID string `json:"workflow_id"` // of the egress, or of a redelivery of it
	Step       string `json:"step"`
}

// WaitingSteps returns the delivery steps of a recording, named by any of its IDs, that have
// failed for good: its own, and those of its running redeliveries. If there is none, and its
// workflow closed without a result, the error has reason Conflict. A worker must run, since the
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

// waitingInRedeliveries returns the waiting steps of a request's running redeliveries.
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

// waitingIn returns the waiting steps of one workflow, none if it has closed.
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
