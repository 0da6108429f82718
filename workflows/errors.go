package workflows

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// toCaller returns an error of ours with the type and details by which a caller knows its reason.
func toCaller(err *egress.Error) error {
	return temporal.NewNonRetryableApplicationError(err.Error(), string(err.Reason), nil, *err)
}

// invalid returns what is wrong with a workflow's argument, for its caller.
func invalid(err error) error {
	e, ok := errors.AsType[*egress.Error](err)
	if !ok {
		e = &egress.Error{Reason: egress.Invalid, Message: err.Error()}
	}
	return toCaller(e)
}

// plainly returns an activity's failure as the workflow's own, without the activity around it, so
// that callers in every language see reason and details first.
func plainly(op string, err error) error {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	switch {
	case !ok && temporal.IsCanceledError(err):
		return fmt.Errorf("%s: %w", op, err)
	case !ok:
		return toCaller(&egress.Error{Reason: reasonOf(err), Message: op + ": " + inWords(err)})
	}
	var details egress.Error
	if err := app.Details(&details); err != nil {
		return temporal.NewNonRetryableApplicationError(app.Message(), app.Type(), app)
	}
	return temporal.NewNonRetryableApplicationError(app.Message(), app.Type(), nil, details)
}

// reasonOf returns the reason of an activity's failure, empty if it did not fail.
func reasonOf(err error) egress.Reason {
	if err == nil {
		return ""
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return egress.Reason(app.Type())
	}
	return egress.Internal
}

// mayPass reports whether an activity failed that may succeed if it is tried again.
func mayPass(err error) bool {
	if _, failed := errors.AsType[*temporal.ActivityError](err); !failed {
		return false
	}
	app, said := errors.AsType[*temporal.ApplicationError](err)
	return !said || !app.NonRetryable()
}

// ranOut reports whether an activity failed because the time for all of its attempts was over.
func ranOut(err error) bool {
	late, ok := errors.AsType[*temporal.TimeoutError](err)
	return ok && late.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
}

// askedFor returns how long a failed activity wants the next try to wait, and what it said. An
// attempt that died says nothing.
func askedFor(err error) (wait time.Duration, because string) {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.NextRetryDelay(), app.Message()
	}
	return 0, ""
}

// longestWords is the most that is kept of what an activity said, in bytes. A user's step may say
// as much as fits into one payload of Temporal's, and the whole state has to fit into one.
const longestWords = 2000

// inWords returns an activity's failure for a person: what the activity said, without what
// Temporal wraps around it.
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
		return "an attempt took too long"
	case enumspb.TIMEOUT_TYPE_HEARTBEAT:
		return "its worker stopped sending heartbeats"
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
		return "no worker took it, or none finished it, in the time that it has"
	default:
		return "it ran out of time"
	}
}
