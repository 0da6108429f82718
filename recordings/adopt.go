package recordings

import (
	"context"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Adopt makes a workflow for an egress that was started past Temporal, and gives it
// the webhook event by which we heard of it. Twice is harmless: the second event
// goes to the same workflow. So is a request whose workflow failed, since nobody found
// in time what had been started after all. One whose workflow has completed is not
// begun again: that is an error of reason AlreadyOver.
func (c *Client) Adopt(ctx context.Context, requestID, pipeline string, e egress.Event) error {
	info, err := e.Info()
	if err != nil {
		return asError("adopt", err)
	}
	return c.adopt(ctx, adoption{requestID, pipeline, egress.SignalObserved}, info, e)
}
