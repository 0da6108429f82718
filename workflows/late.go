package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Late ends at once. Only its search attributes and its memo matter: they say that the webhook of
// an end came after the workflow of its recording had closed.
func (w *Workflows) Late(workflow.Context, egress.Late) error { return nil }
