package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Canary sends a test event along the path of LiveKit's webhooks. Its result is the state of that
// path, from which the schedule's next run continues. A notice tells people when the path breaks,
// and when it is open again.
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
		next.Told = last.Told // the next probe tries again to tell people
	}
	return next, nil
}
