package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// explain tells the story so far as the workflow's current details. The UI asks for
// them by a query: they cost neither an event nor an action.
func (e *run) explain(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, e.Details(e.id))
}

// inWords is an activity's failure for a person: what the activity said, without
// what Temporal wraps around it.
func inWords(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	return err.Error()
}
