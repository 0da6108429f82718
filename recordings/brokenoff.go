package recordings

import (
	"context"

	"github.com/reelkeeper/reelkeeper/egress"
)

// brokenOff says of a workflow that closed without a result how it did, and who goes on; empty
// for any other, and for one that failed, whose error says more.
func (r Row) brokenOff() string {
	var how string
	goesOn := "its next webhook, or a round, takes up what LiveKit has of it"
	switch r.Workflow {
	case workflowTerminated:
		how = "was terminated"
	case workflowTimedOut:
		how = "timed out"
	case workflowCanceled:
		how = "was cancelled"
	default:
		return ""
	}
	if _, again := egress.RedeliveryOf(r.WorkflowID); again {
		goesOn = "another redelivery tells it"
	}
	return "its workflow " + how + "; " + goesOn
}

// ways are what a person can do about a workflow that has closed without a result.
func (r Row) ways() []egress.Way {
	if _, ours := egress.RequestID(r.WorkflowID); !ours || r.Workflow != workflowTerminated {
		return nil
	}
	return []egress.Way{{Command: egress.DeepRoundCommand, For: "have it taken up now, by a round that lists all"}}
}

// nobodyTells is the error that nobody does what a workflow was to do, where it closed without a
// result; nil for any other.
func (c *Client) nobodyTells(ctx context.Context, id, workflowID string) error {
	row, err := c.row(ctx, workflowID)
	if err != nil {
		return notFoundAs(id, err)
	}
	if row.Workflow == workflowFailed { // why it failed says more
		_, err = c.verdict(ctx, row)
		return err
	}
	if why := row.brokenOff(); why != "" {
		return &egress.Error{Reason: egress.Conflict, Code: "failed_precondition", Message: id + " is not told: " + why}
	}
	return nil
}
