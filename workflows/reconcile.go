package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// A nil pointer, as livekit and delivery are.
var reconciler *activities.Reconciler

// scheduledFor is the moment of the schedule that a workflow was started for.
var scheduledFor = temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime")

// Reconcile is one round of comparing LiveKit's list with ours. A round that fails is
// over: the next one sees whatever it would have seen.
func (w *Workflows) Reconcile(ctx workflow.Context, in egress.Reconciliation) (egress.Round, error) {
	at := workflow.GetInfo(ctx).WorkflowStartTime
	if t, ok := workflow.GetTypedSearchAttributes(ctx).GetTime(scheduledFor); ok {
		at = t
	}
	var last, round egress.Round
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &last); err != nil {
			workflow.GetLogger(ctx).Warn("the last round cannot be read", "error", err)
		}
	}
	ctx = workflow.WithActivityOptions(ctx, reconcileOptions)
	err := workflow.ExecuteActivity(ctx, reconciler.Reconcile, activities.RoundRequest{
		At: at, Deep: in.DeepDue(at, last.DeepAt), SoughtAt: last.SoughtAt,
	}).Get(ctx, &round)
	if err != nil {
		return round, plainly("reconcile", err)
	}
	if round.DeepAt.IsZero() {
		round.DeepAt = last.DeepAt
	}
	return round, nil
}
