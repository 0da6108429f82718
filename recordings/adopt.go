package recordings

import (
	"context"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Adopt makes a workflow for an egress that was started past Temporal, and gives it
// the webhook event by which we heard of it. Twice is harmless: the second event
// goes to the same workflow. So is a request whose workflow failed, since nobody found
// in time what had been started after all. One whose workflow has completed is not
// begun again: that is an error of reason AlreadyOver.
func (c *Client) Adopt(ctx context.Context, requestID string, e egress.Event) error {
	info, err := e.Info()
	if err != nil {
		return asError("adopt", err)
	}
	in := egress.Adoption(info)
	id := egress.WorkflowID(requestID)
	_, err = c.Temporal.SignalWithStartWorkflow(ctx, id, egress.SignalObserved, e, client.StartWorkflowOptions{
		TaskQueue:             egress.TaskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:         egress.Clip(in.Summary.Title(), maxTitle),
		TypedSearchAttributes: attributesAtStart(*in.Summary, string(info.StatusName())),
	}, egress.WorkflowType, in)
	if over, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		return &egress.Error{Reason: egress.AlreadyOver, Message: id + " has completed", Err: over}
	}
	return asError("adopt "+id, err)
}
