package recordings

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

func TestEveryReasonOfAWorkflowReachesTheCaller(t *testing.T) {
	t.Parallel()
	for _, reason := range egress.Reasons() {
		cause := &egress.Error{Reason: reason, Code: "a_code", Message: "LiveKit's words", Field: "a field"}
		err := errorOf(t.Context(), "start", fmt.Errorf("update failed: %w", overTheWire(toCaller(cause))))
		var got *egress.Error
		if !errors.As(err, &got) {
			t.Fatalf("%s: got %v", reason, err)
		}
		if got.Reason != reason || got.Code != cause.Code || got.Message != cause.Message || got.Field != cause.Field {
			t.Errorf("%s: got %+v", reason, got)
		}
		if errors.Is(err, egress.ErrTemporal) {
			t.Errorf("%s: a workflow's error counts as Temporal's own", reason)
		}
	}
}

// overTheWire returns an error as a client receives it.
func overTheWire(err error) error {
	c := temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: payload.Converter()})
	return c.FailureToError(c.ErrorToFailure(err))
}

func TestAnErrorWithoutDetailsKeepsItsReason(t *testing.T) {
	t.Parallel()
	err := errorOf(t.Context(), "start", temporal.NewApplicationError("no luck", string(egress.Refused)))
	wantReason(t, err, egress.Refused)
	if err.Error() != "no luck" {
		t.Errorf("got %q", err)
	}
}

func TestAnErrorOfNoReasonIsInternal(t *testing.T) {
	t.Parallel()
	err := errorOf(t.Context(), "start", temporal.NewApplicationError("nil pointer", "PanicError"))
	wantReason(t, err, egress.Internal)
	if err.Error() != "nil pointer" {
		t.Errorf("got %q", err)
	}
}

func TestTemporalsOwnErrorsHaveAReason(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		err  error
		want egress.Reason
		text string
		ctx  context.Context // the caller's; nil: one that is not cancelled
	}{
		"no worker in time": {err: client.NewWorkflowUpdateServiceTimeoutOrCanceledError(errors.New("x")), want: egress.Ambiguous,
			text: "deadline_exceeded: ask: no answer in time"},
		"our deadline":                        {err: context.DeadlineExceeded, want: egress.Ambiguous, text: "deadline_exceeded: ask: no answer in time"},
		"Ctrl-C":                              {context.Canceled, egress.Ambiguous, "ask: interrupted", interrupted},
		"Ctrl-C, as Temporal's client has it": {serviceerror.NewCanceled("context canceled"), egress.Ambiguous, "ask: interrupted", interrupted},
		"Ctrl-C while an update is awaited":   {client.NewWorkflowUpdateServiceTimeoutOrCanceledError(serviceerror.NewCanceled("x")), egress.Ambiguous, "ask: interrupted", interrupted},
		"Ctrl-C, and an answer all the same":  {serviceerror.NewNotFound("no such workflow"), egress.NotFound, "ask: no such workflow", interrupted},
		"the server's own cancelling":         {err: serviceerror.NewCanceled("context canceled"), want: egress.Ambiguous, text: "deadline_exceeded: ask: no answer in time"},
		"the server's own, of an update":      {err: client.NewWorkflowUpdateServiceTimeoutOrCanceledError(serviceerror.NewCanceled("x")), want: egress.Ambiguous, text: "deadline_exceeded: ask: no answer in time"},
		"our deadline, by the server's clock": {err: serviceerror.NewCanceled("stream terminated by RST_STREAM with error code: CANCEL"), want: egress.Ambiguous, text: "deadline_exceeded: ask: no answer in time"},
		"the server's":                        {err: serviceerror.NewDeadlineExceeded("x"), want: egress.Ambiguous, text: "deadline_exceeded: ask: no answer in time"},
		"no such workflow":                    {err: serviceerror.NewNotFound("workflow not found for ID: x"), want: egress.NotFound, text: "ask: workflow not found for ID: x"},
		"no such namespace":                   {err: serviceerror.NewNamespaceNotFound("nowhere"), want: egress.Invalid, text: `TEMPORAL_NAMESPACE: Temporal has no namespace "nowhere"`},
		"no permission":                       {err: serviceerror.NewPermissionDenied("no", ""), want: egress.Denied, text: "ask: no"},
		"bad argument":                        {err: serviceerror.NewInvalidArgument("too long"), want: egress.Internal, text: "ask: too long"},
		"not reachable":                       {err: serviceerror.NewUnavailable("connection refused"), want: egress.Unavailable, text: "ask: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := errorOf(cmp.Or(tc.ctx, t.Context()), "ask", fmt.Errorf("%w", tc.err))
			wantReason(t, err, tc.want)
			if err.Error() != tc.text {
				t.Errorf("got %q, want %q", err, tc.text)
			}
			if !errors.Is(err, egress.ErrTemporal) || !errors.Is(err, tc.err) {
				t.Errorf("%v matches neither ErrTemporal nor its cause", err)
			}
		})
	}
}

func TestNoErrorHasNoReason(t *testing.T) {
	t.Parallel()
	if errorOf(t.Context(), "ask", nil) != nil || egress.ReasonOf(nil) != "" || egress.ReasonOf(errors.New("x")) != egress.Internal {
		t.Error("no error became one, or a foreign one got a reason")
	}
}
