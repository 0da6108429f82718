package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Redelivery tells the consumers of a recording once more what became of it, or runs a
// step of its pipeline again, or corrects what they were told of one that was lost, or ran again. It is
// a workflow of its own, since that of the egress has closed: what it delivered stays as
// it was, and nobody looks for its media anew. The steps, their retries and a person's
// word are those of the egress. Cancelling it ends the telling.
func (w *Workflows) Redelivery(ctx workflow.Context, r egress.Redelivery) (egress.Verdict, error) {
	e, err := w.reopen(ctx, r)
	if err != nil {
		return egress.Verdict{}, err
	}
	steps, _ := workflow.NewDisconnectedContext(ctx) // else a cancel would fail each of them, and have it wait for a person
	for _, part := range e.Before() {
		e.tellSteps(steps, &part, egress.PartSuffix(part.Part))
	}
	e.tellSteps(steps, &e.State, "")
	if len(e.Pipeline.Steps) > 0 {
		e.beside(steps, "steps", e.runSteps) // not before the wait below, which a cancel ends
	}
	e.explain(ctx)
	if err := workflow.Await(ctx, func() bool { return len(e.telling) == 0 }); err != nil {
		return egress.Verdict{}, fmt.Errorf("redeliver: %w", err)
	}
	e.Phase = egress.Delivered
	e.explain(ctx)
	e.remember(ctx)
	// Whoever gave their word gets their answer, and a notice that is due begins.
	err = workflow.Await(ctx, func() bool { return e.noticing == 0 && workflow.AllHandlersFinished(ctx) })
	return e.verdict(), err
}

// reopen takes up a recording whose life is over. What visibility says of it came with the
// start of the workflow.
func (w *Workflows) reopen(ctx workflow.Context, r egress.Redelivery) (*recording, error) {
	workflowID := workflow.GetInfo(ctx).WorkflowExecution.ID
	id, ok := egress.RedeliveryOf(workflowID)
	if !ok {
		return nil, invalid(egress.Invalidf("workflow ID", `want "egress-redelivery/<request ID>/<name>"`))
	}
	if err := r.Input.Validate(id); err != nil {
		return nil, invalid(err)
	}
	e := w.newRecording(ctx, id, r.Input, r.State)
	e.redelivery = strings.TrimPrefix(workflowID, egress.RedeliveriesOf(id))
	v := e.verdict()
	e.published.status, e.published.missed = v.Status, v.Missed
	if e.Corrects != "" {
		workflow.GetMetricsHandler(ctx).Counter(MetricCorrected).Inc(1)
		e.log.Warn("verdict was wrong", "egressID", e.ID, "status", v.Status, "source", v.EndedBy)
	}
	return &e, e.handleWords(ctx)
}
