package recordings

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
)

// ReportMinute sends a report of the webhook endpoint to the workflow that keeps the reports,
// starting that workflow if it does not run. It returns once the report is durable; sending the
// same one twice is harmless.
func (c *Client) ReportMinute(ctx context.Context, m egress.Minute) error {
	_, err := c.cfg.Temporal.SignalWithStartWorkflow(ctx, egress.EndpointID, egress.SignalMinute, m, client.StartWorkflowOptions{
		TaskQueue: egress.TaskQueue, StaticSummary: "how the webhook endpoint fared",
	}, egress.EndpointType, egress.Ring{})
	return errorOf(ctx, "report to "+egress.EndpointID, err)
}

// Minutes returns what the webhook endpoint reported about a span. Reason NotFound: it has never
// reported. A worker answers, so ctx should have a deadline.
func (c *Client) Minutes(ctx context.Context, from, to time.Time) (egress.Reported, error) {
	var r egress.Reported
	answer, err := c.cfg.Temporal.QueryWorkflow(ctx, egress.EndpointID, "", egress.QueryMinutes, from, to)
	if err == nil {
		err = answer.Get(&r)
	}
	return r, errorOf(ctx, "ask "+egress.EndpointID, err)
}
