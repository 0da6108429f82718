package activities

import (
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// retriable says for every reason whether Temporal should retry the activity. Nothing else decides
// that.
var retriable = map[egress.Reason]bool{
	egress.Refused:     false,
	egress.Denied:      false, // for a start; a poll goes on anyway
	egress.NotFound:    false,
	egress.AlreadyOver: false,
	egress.NoEcho:      false,
	egress.TooLate:     false,
	egress.HandedBack:  false,
	egress.Invalid:     false,
	egress.Conflict:    false,
	egress.Sealed:      false,

	egress.Unanswered:     true, // for a stop: one lost answer does not mean a dead worker
	egress.Unreachable:    true,
	egress.RateLimited:    true,
	egress.Unavailable:    true,
	egress.Ambiguous:      true, // every activity first finds out what the last attempt did
	egress.StillGoing:     true,
	egress.ConsumerFailed: true,
	egress.HeldBack:       true,
	egress.Internal:       true,
}

// toTemporal turns an error into Temporal's retry decision. The error type is the reason, and the
// first detail is the egress.Error, so that LiveKit's own code and message reach the caller.
func toTemporal(err error) error { return retryIn(err, 0) }

// retryIn is toTemporal with the delay before the next attempt, if one is due.
func retryIn(err error, delay time.Duration) error {
	if err == nil {
		return nil
	}
	e := &egress.Error{Reason: egress.Internal, Message: err.Error()}
	errors.As(err, &e)
	category := temporal.ApplicationErrorCategoryUnspecified
	if slices.Contains([]egress.Reason{egress.StillGoing, egress.HeldBack, egress.HandedBack}, e.Reason) {
		category = temporal.ApplicationErrorCategoryBenign // a look without news, a wait, or somebody else's turn is not a failure to log or count
	}
	return temporal.NewApplicationErrorWithOptions(e.Error(), string(e.Reason), temporal.ApplicationErrorOptions{
		NonRetryable:   !retriable[e.Reason],
		Category:       category,
		Details:        []any{*e},
		NextRetryDelay: delay,
	})
}
