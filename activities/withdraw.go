package activities

import (
	"context"

	"go.temporal.io/sdk/temporal"
)

// beyondCancel returns a context that goes on if the workflow cancels the activity: LiveKit may be
// doing what it was asked before. withdrawn reports whether the workflow has cancelled it.
func beyondCancel(ctx context.Context) (on context.Context, withdrawn func() bool, end func()) {
	withdrawn = func() bool { return temporal.IsCanceledError(context.Cause(ctx)) }
	on, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if !withdrawn() {
			cancel(context.Cause(ctx))
		}
	})
	return on, withdrawn, func() { stop(); cancel(nil) }
}
