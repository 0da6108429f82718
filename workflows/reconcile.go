package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// scheduledFor is the time for which the schedule started a workflow.
var scheduledFor = temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")

// Reconcile is one round of comparing LiveKit's list with ours. A round that fails is not repeated:
// the next one sees whatever it would have seen.
func (w *Workflows) Reconcile(ctx workflow.Context, in egress.Reconciliation) (egress.Round, error) {
	at := workflow.GetInfo(ctx).WorkflowStartTime
	if t, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(scheduledFor); ok {
		at = t
	}
	var last, round egress.Round
	lastResult(ctx, &last)
	ctx = workflow.WithActivityOptions(ctx, reconcileOptions)
	err := workflow.ExecuteActivity(ctx, reconciler.Reconcile, activities.RoundRequest{
		At: at, Deep: in.DeepDue(at, last.DeepAt), Anew: in.Anew(at, last), SoughtAt: last.SoughtAt, Stranded: last.Stranded,
	}).Get(ctx, &round)
	if err != nil {
		return round, plainly("reconcile", err)
	}
	if round.DeepAt.IsZero() {
		round.DeepAt = last.DeepAt
	}
	return round, nil
}

// lastResult reads the result of the schedule's run before this one. If it cannot be read because
// its key is gone, this run does without it. Otherwise every future run would wait for that key,
// which is why a panic of the worker's codec is caught here.
func lastResult(ctx workflow.Context, into any) {
	if !workflow.HasLastCompletionResult(ctx) {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			workflow.GetLogger(ctx).Warn("the result of the run before cannot be decoded", "error", p)
		}
	}()
	if err := workflow.GetLastCompletionResult(ctx, into); err != nil {
		workflow.GetLogger(ctx).Warn("the result of the run before cannot be read", "error", err)
	}
}
