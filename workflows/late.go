package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Late is over at once: that it is there, with its search attributes and its memo, says
// that the webhook of an end came after its recording was closed.
func (w *Workflows) Late(workflow.Context, egress.Late) error { return nil }
