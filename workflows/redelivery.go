package workflows

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Redelivery announces once more what became of a recording, or reruns a step of its pipeline, or
// corrects what was announced of a recording that was lost or ran again. It is a workflow of its
// own because that of the egress has closed: what was delivered there stays as it was, and nobody
// looks for the media again. The steps, their retries and a person's word work as in that workflow.
// Cancelling it ends the redelivery.
func (w *Workflows) Redelivery(ctx workflow.Context, r egress.Redelivery) (egress.Verdict, error) {
	e, err := w.reopen(ctx, r)
	if err != nil {
		return egress.Verdict{}, err
	}
	steps, _ := workflow.NewDisconnectedContext(ctx) // else a cancel would fail each step, and let it wait for a person
	for _, part := range e.Before() {
		e.tellSteps(steps, &part, egress.PartSuffix(part.Part))
	}
	e.tellSteps(steps, &e.State, "")
	if len(e.Pipeline.Steps) > 0 {
		e.beside(steps, "steps", e.runSteps) // beside the wait below, which a cancel ends
	}
	e.explain(ctx)
	if err := workflow.Await(ctx, func() bool { return len(e.telling) == 0 }); err != nil {
		return egress.Verdict{}, fmt.Errorf("redeliver: %w", err)
	}
	e.Phase = egress.Delivered
	e.explain(ctx)
	e.remember(ctx)
	// Before the end, callers get their answers, and a notice that is due begins.
	err = workflow.Await(ctx, func() bool { return e.quiet(ctx) })
	return e.verdict(), err
}

// reopen takes up a recording whose own workflow has closed. The search attributes already show its
// verdict: they came with the start of this workflow.
func (w *Workflows) reopen(ctx workflow.Context, r egress.Redelivery) (*recording, error) {
	workflowID := workflow.GetInfo(ctx).WorkflowExecution.ID
	id, ok := egress.RedeliveryOf(workflowID)
	if !ok {
		return nil, invalid(egress.Invalidf("workflow ID", `want "egress-redelivery/<request ID>/<name>"`))
	}
	var in egress.Input
	if err := json.Unmarshal(r.Input, &in); r.Input != nil && err != nil { // the task fails, and waits for a worker that can read it
		panic(fmt.Errorf("what another version took cannot be read here: %w", err))
	}
	if in.Plain == nil && in.Summary == nil { // every other input is one that a run has admitted, by an older rule perhaps
		return nil, invalid(egress.Invalidf("input", "is missing; want that of the recording"))
	}
	e := w.newRecording(ctx, id, in, r.State)
	e.redelivery = strings.TrimPrefix(workflowID, egress.RedeliveriesOf(id))
	v := e.verdict()
	e.published.status, e.published.missed = v.Status, v.Missed
	if egress.IsCorrection(workflowID) {
		workflow.GetMetricsHandler(ctx).Counter(MetricCorrected).Inc(1)
		e.log.Warn("verdict was wrong", "egressID", e.ID, "status", v.Status, "source", v.EndedBy)
	}
	return &e, e.handleWords(ctx)
}
