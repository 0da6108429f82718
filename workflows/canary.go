package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Canary sends an event of ours along the way of LiveKit's webhooks. Its result is what is
// known of that way by now, and the schedule's next run goes on from there. People are told by
// a notice when the way breaks, and when it is open again.
func (w *Workflows) Canary(ctx workflow.Context) (egress.Canary, error) {
	var last egress.Canary
	lastResult(ctx, &last)
	var p egress.Passage
	if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, canaryOptions), canary.Probe).Get(ctx, &p); err != nil {
		return last, plainly("probe", err)
	}
	next, notice := last.Next(p, workflow.Now(ctx))
	if notice == nil {
		return next, nil
	}
	if err := beginNotice(ctx, *notice).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("notice not begun", "reason", notice.Concern, "error", err)
		next.Told = last.Told // the next probe has it told
	}
	return next, nil
}
