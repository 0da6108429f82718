package workflows

import (
	"encoding/json"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// runSteps runs the pipeline's own steps one after the other, once the media was looked for and
// every consumer was tried: neither does a consumer that is down hold up the steps, nor do they
// hold up a consumer.
func (e *recording) runSteps(ctx workflow.Context) {
	if len(e.Pipeline.Steps) == 0 {
		return
	}
	until(ctx, func() bool { return e.untried == 0 && e.verifying == 0 })
	if slices.ContainsFunc(e.Pipeline.Steps, func(s egress.Step) bool { return s.RunsFor(e.Status) }) {
		e.publishVerdict(ctx) // the steps may take hours
		e.remember(ctx)
	}
	for _, s := range e.Pipeline.Steps {
		if !s.RunsFor(e.Status) {
			e.LeaveOut(s, workflow.Now(ctx))
			continue
		}
		e.Doing = s.Name
		e.explain(ctx)
		e.runStep(ctx, s)
		e.explain(ctx)
	}
}

// runStep runs a step of the pipeline until it is done, or a person skips it. Each attempt gets the
// same input, whatever changes meanwhile.
func (e *recording) runStep(ctx workflow.Context, s egress.Step) {
	in := e.StepInput(e.id, e.sum, s)
	try := func() error { return e.execute(ctx, s, in) }
	if e.insist(ctx, s.Name, try(), try) != nil {
		e.PassOver(s, workflow.Now(ctx))
	}
}

// execute runs a step with its own options, on one of the user's workers.
func (e *recording) execute(ctx workflow.Context, s egress.Step, in egress.StepInput) error {
	ctx = workflow.WithActivityOptions(ctx, stepOptions(s))
	if s.Clear && e.worker.Clear != nil {
		ctx = workflow.WithDataConverter(ctx, e.worker.Clear)
	}
	var result json.RawMessage
	if err := workflow.ExecuteActivity(ctx, s.Activity, in).Get(ctx, &result); err != nil {
		return err
	}
	return e.FinishStep(s, result, workflow.Now(ctx))
}
