package recordings

import (
	"context"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Held is a delivery step that waits for a person's word.
type Held struct {
	WorkflowID string `json:"workflow_id"` // of the egress, or of a redelivery of it
	Step       string `json:"step"`
}

// Held are the delivery steps of a recording, by any of its IDs, that have failed for
// good: its own, and those of its redeliveries that run. A worker must run, since the
// workflows are asked.
func (c *Client) Held(ctx context.Context, id string) ([]Held, error) {
	workflowID, requestID, err := c.findEgress(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, only := egress.RedeliveryOf(id); only {
		return c.heldIn(ctx, id, id)
	}
	held, err := c.heldIn(ctx, id, workflowID)
	if err != nil {
		return nil, err
	}
	for row, err := range c.Redeliveries(ctx, requestID) {
		if err != nil {
			return nil, err
		}
		if row.ClosedAt != nil {
			continue
		}
		more, err := c.heldIn(ctx, id, row.WorkflowID)
		if err != nil {
			return nil, err
		}
		held = append(held, more...)
	}
	return held, nil
}

// heldIn are the steps of one workflow, none where it has closed.
func (c *Client) heldIn(ctx context.Context, id, workflowID string) ([]Held, error) {
	row, err := c.row(ctx, workflowID)
	if err != nil || row.ClosedAt != nil {
		return nil, notFoundAs(id, err)
	}
	s, err := c.needState(ctx, row)
	if err != nil {
		return nil, err
	}
	var held []Held
	for _, step := range s.AwaitsWord {
		held = append(held, Held{workflowID, step})
	}
	return held, nil
}
