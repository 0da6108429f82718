package recordings

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Adopt makes a workflow for an egress that was started past Temporal, and gives it
// the webhook event by which we heard of it. Twice is harmless: the second event
// goes to the same workflow. A request whose workflow has ended is not begun again,
// which is an error.
func (c *Client) Adopt(ctx context.Context, requestID string, e egress.Event) error {
	info, err := e.Info()
	if err != nil {
		return asError("adopt", err)
	}
	in := egress.Adoption(info)
	id := egress.WorkflowID(requestID)
	_, err = c.Temporal.SignalWithStartWorkflow(ctx, id, egress.SignalObserved, e, client.StartWorkflowOptions{
		TaskQueue:             egress.TaskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		StaticSummary:         egress.Clip(in.Summary.Title(), maxTitle),
		TypedSearchAttributes: attributesAtStart(*in.Summary, string(info.StatusName())),
	}, egress.WorkflowType, in)
	return asError("adopt "+id, err)
}
