package workflows

import "go.temporal.io/sdk/workflow"

// explain shows the story so far as the workflow's current details. The UI asks for them by a
// query, so they cost neither an event nor an action.
func (e *recording) explain(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, e.Details(e.id))
}
