package workflows

import (
	"cmp"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Notice delivers one notice to the notification hook, and tries until the hook accepts it. It is a
// workflow of its own, so that a hook that is down holds up no recording. If the time for it runs
// out, it fails, and can be found in Temporal by its type.
func (w *Workflows) Notice(ctx workflow.Context, n egress.Notice) error {
	err := inItsTime(noticeOptions, n.For, func(opts workflow.ActivityOptions) error {
		return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), delivery.Notify, n).Get(ctx, nil)
	})
	if err != nil {
		return plainly("notify", err)
	}
	return nil
}

// beginNotice begins the child workflow that delivers a notice and outlives its parent. The
// returned future is ready once the child has begun.
func beginNotice(ctx workflow.Context, n egress.Notice) workflow.Future {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            egress.NoticeID(n.RequestID, cmp.Or(n.About, string(n.Concern))),
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:         "tell the notification hook: " + string(n.Concern),
	})
	return workflow.ExecuteChildWorkflow(ctx, egress.NoticeType, n).GetChildWorkflowExecution()
}

// notify tells people of a concern, if the egress began with a notification hook. The workflow
// waits only until the notice has begun, since the server drops a child whose parent ends before
// that. Whether the notice is then delivered makes no difference to it.
func (e *recording) notify(ctx workflow.Context, c egress.Concern, part int, step string) {
	n, due := e.State.Notice(c, part, e.id, e.sum)
	if !due {
		return
	}
	n.Step = step
	if e.redelivery != "" {
		n.About += "/" + e.redelivery
	}
	began := beginNotice(ctx, n)
	e.noticing++
	workflow.GoNamed(ctx, "notice", func(ctx workflow.Context) {
		if err := began.Get(ctx, nil); err != nil {
			e.log.Error("notice not begun", "egressID", e.ID, "reason", c, "error", err)
		}
		e.noticing--
	})
}
