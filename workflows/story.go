package workflows

import (
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// explain tells the story so far as the workflow's current details. The UI asks for
// them by a query: they cost neither an event nor an action.
func (e *recording) explain(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, e.Details(e.id))
}

// longestWords is the most that is kept of what an activity said, in bytes. A user's step may say
// as much as Temporal takes in one payload, and the whole state has to fit into one.
const longestWords = 2000

// inWords is an activity's failure for a person: what the activity said, without
// what Temporal wraps around it.
func inWords(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return egress.Clip(app.Message(), longestWords)
	}
	if late, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return timeoutInWords(late.TimeoutType())
	}
	return err.Error()
}

func timeoutInWords(t enumspb.TimeoutType) string {
	switch t {
	case enumspb.TIMEOUT_TYPE_START_TO_CLOSE:
		return "an attempt took longer than it may"
	case enumspb.TIMEOUT_TYPE_HEARTBEAT:
		return "its worker no longer showed that it lives"
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
		return "no worker took it, or none was done with it, in all the time that it has"
	default:
		return "it ran out of time"
	}
}
