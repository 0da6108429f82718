package workflows

import (
	"cmp"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Notice carries one notice to the notification hook, until the hook has taken it. It
// is a workflow of its own, so that a hook that is down holds up no recording. One that
// could not be told in its time fails, and is found in Temporal by its type.
func (w *Workflows) Notice(ctx workflow.Context, n egress.Notice) error {
	opts := noticeOptions
	opts.ScheduleToCloseTimeout = n.For.D()
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), delivery.Notify, n).Get(ctx, nil)
	if err != nil {
		return plainly("notify", err)
	}
	return nil
}

// beginNotice begins the child workflow that carries a notice, and that outlives its parent.
// The returned future is ready once it has begun.
func beginNotice(ctx workflow.Context, n egress.Notice) workflow.Future {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            egress.NoticeID(n.RequestID, cmp.Or(n.About, string(n.Concern))),
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:         "tell the notification hook: " + string(n.Concern),
	})
	return workflow.ExecuteChildWorkflow(ctx, egress.NoticeType, n).GetChildWorkflowExecution()
}

// notify has people told of a concern, where the egress began with a hook. The workflow waits
// only until the notice has begun, since the server drops a child whose parent ends before that.
// What becomes of the notice then makes no difference to it.
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
