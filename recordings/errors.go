package recordings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// errorOf converts an error of Temporal's client to one of the domain. An error of one of our
// workflows keeps its reason and message. Temporal's frontend also cancels calls, with the same
// errors, so only a cancelled ctx means that the caller was interrupted.
func errorOf(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := said(err); ok {
		return e
	}
	e := &egress.Error{Reason: egress.Unavailable, Message: operation + ": " + Words(err)}
	var (
		noNamespace *serviceerror.NamespaceNotFound
		ended       *temporal.WorkflowExecutionError
	)
	switch {
	case errors.As(err, &ended):
		return &egress.Error{Reason: egress.Internal, Message: fmt.Sprintf("%s: the workflow has no result: %s", operation, ended.Unwrap()), Err: err}
	case timedOut(err) && errors.Is(ctx.Err(), context.Canceled):
		e.Reason, e.Message = egress.Ambiguous, operation+": interrupted"
	case timedOut(err):
		e.Reason, e.Code, e.Message = egress.Ambiguous, "deadline_exceeded", operation+": no answer in time"
	case errors.As(err, &noNamespace):
		e.Reason, e.Field, e.Message = egress.Invalid, "TEMPORAL_NAMESPACE", fmt.Sprintf("Temporal has no namespace %q", noNamespace.Namespace)
	case is[*serviceerror.NotFound](err):
		e.Reason = egress.NotFound
	case is[*serviceerror.PermissionDenied](err):
		e.Reason = egress.Denied
	case is[*serviceerror.InvalidArgument](err):
		e.Reason = egress.Internal
	}
	e.Err = fmt.Errorf("%w: %w", egress.ErrTemporal, err)
	return e
}

// Words returns what an error of Temporal's client says, or what it means where that is the settings:
// gRPC passes these on only as text, which does not show what is wrong.
func Words(err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "no children to pick from"):
		return "DNS knows no address for the host of TEMPORAL_ADDRESS"
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return "it does not speak TLS, which TEMPORAL_API_KEY, TEMPORAL_TLS or a profile turns on: set TEMPORAL_TLS=false, or name another TEMPORAL_ADDRESS"
	default:
		return text
	}
}

// said returns the domain error that one of our workflows or update handlers returned: its type is
// the reason, and its first detail the error itself.
func said(err error) (*egress.Error, bool) {
	if ours, ok := errors.AsType[*egress.Error](err); ok {
		return ours, true
	}
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return nil, false
	}
	e := &egress.Error{}
	reason := egress.Reason(app.Type())
	if !slices.Contains(egress.Reasons(), reason) {
		return &egress.Error{Reason: egress.Internal, Message: app.Message(), Err: err}, true
	}
	if !app.HasDetails() || app.Details(e) != nil {
		e = &egress.Error{Message: app.Message()}
	}
	e.Reason, e.Err = reason, err
	return e, true
}

// timedOut reports whether a time limit, ours or the server's, was reached, or the call was
// cancelled on either side.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		is[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err) || is[*serviceerror.DeadlineExceeded](err) || is[*serviceerror.Canceled](err)
}

// is reports whether an error of this type is in err's tree.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
