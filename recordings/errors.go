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

// errorOf makes the domain's error of whatever Temporal's client returned to who asked within
// a context. What a workflow of ours said keeps its reason and words.
func errorOf(ctx context.Context, operation string, err error) error {
	return mapped(operation, err, errors.Is(ctx.Err(), context.Canceled))
}

// asError is errorOf where the context is not at hand. Of what was cancelled it can go by the words
// alone: a server that goes by the asker's deadline, and is a little early, is told by gRPC's.
func asError(operation string, err error) error {
	canceled, ok := errors.AsType[*serviceerror.Canceled](err)
	return mapped(operation, err, ok && !strings.Contains(canceled.Message, "RST_STREAM") || errors.Is(err, context.Canceled))
}

// mapped is errorOf. interrupted says that who asked does not wait for the answer any more: Temporal's
// frontend cancels, too, and its errors are the same.
func mapped(operation string, err error, interrupted bool) error {
	if err == nil {
		return nil
	}
	if e, ok := said(err); ok {
		return e
	}
	e := &egress.Error{Reason: egress.Unavailable, Message: fmt.Sprintf("%s: %s", operation, err)}
	var (
		notFound    *serviceerror.NotFound
		noNamespace *serviceerror.NamespaceNotFound
		denied      *serviceerror.PermissionDenied
		invalid     *serviceerror.InvalidArgument
		ended       *temporal.WorkflowExecutionError
	)
	switch {
	case errors.As(err, &ended):
		return &egress.Error{Reason: egress.Internal, Message: fmt.Sprintf("%s: the workflow has no result: %s", operation, ended.Unwrap()), Err: err}
	case interrupted && timedOut(err):
		e.Reason, e.Message = egress.Ambiguous, operation+": interrupted"
	case timedOut(err):
		e.Reason, e.Code, e.Message = egress.Ambiguous, "deadline_exceeded", operation+": no answer in time"
	case errors.As(err, &noNamespace):
		e.Reason, e.Field, e.Message = egress.Invalid, "TEMPORAL_NAMESPACE", fmt.Sprintf("Temporal has no namespace %q", noNamespace.Namespace)
	case errors.As(err, &notFound):
		e.Reason = egress.NotFound
	case errors.As(err, &denied):
		e.Reason = egress.Denied
	case errors.As(err, &invalid):
		e.Reason = egress.Internal
	}
	e.Err = fmt.Errorf("%w: %w", egress.ErrTemporal, err)
	return e
}

// said is the domain's error that a workflow or an update handler of ours
// returned: its type is the reason, its first detail the error itself.
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

// timedOut reports whether the time was up, ours or the server's, or the asking was given up, by us
// or by the server.
func timedOut(err error) bool {
	var (
		update   *client.WorkflowUpdateServiceTimeoutOrCanceledError
		deadline *serviceerror.DeadlineExceeded
		canceled *serviceerror.Canceled
	)
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.As(err, &update) || errors.As(err, &deadline) || errors.As(err, &canceled)
}
