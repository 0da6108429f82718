package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// minutesPerRun is the number of reports after which an Endpoint continues as a new run. Each
// report costs four events, so the run stays smaller than a server lets it become, and below
// Temporal's limit of 10,000 signals. Another number changes the order of commands.
const minutesPerRun = 1000

// Endpoint remembers how the webhook endpoint fared in the last hours, so that people can be told
// why a webhook was missed. Every instance of the endpoint reports to this workflow, and starts it
// if it does not run. It decides nothing.
func (w *Workflows) Endpoint(ctx workflow.Context, ring egress.Ring) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, egress.QueryMinutes, func(from, to time.Time) (egress.Reported, error) {
		return ring.Between(from, to), nil
	}, workflow.QueryHandlerOptions{Description: "how the webhook endpoint fared in a span of time"})
	if err != nil {
		return fmt.Errorf("query handler: %w", err)
	}
	minutes := workflow.GetSignalChannel(ctx, egress.SignalMinute)
	for n := 1; ; n++ {
		var m egress.Minute
		heard := false
		s := workflow.NewNamedSelector(ctx, "report")
		s.AddReceive(minutes, func(c workflow.ReceiveChannel, _ bool) { heard = c.ReceiveAsync(&m) })
		s.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
		s.Select(ctx)
		if err := ctx.Err(); err != nil {
			return err // the next report starts it again
		}
		if heard && m.Until.Before(workflow.Now(ctx).Add(time.Hour)) { // else that instance's clock is ahead, and the ring would drop older reports for it
			ring.Add(m)
		}
		if minutes.Len() == 0 && (n >= minutesPerRun || workflow.GetInfo(ctx).GetContinueAsNewSuggested()) {
			return workflow.NewContinueAsNewError(ctx, egress.EndpointType, ring)
		}
	}
}
