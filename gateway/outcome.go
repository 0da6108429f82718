package gateway

import (
	"log/slog"

	"github.com/twitchtv/twirp"
)

// Outcome says what became of a request. It is the metric's label and the log's value.
type Outcome string

// The closed list of outcomes.
const (
	Durable         Outcome = "durable"         // by a workflow
	FailedOpen      Outcome = "failed_open"     // started past Temporal: an alert
	Forwarded       Outcome = "forwarded"       // only a newer LiveKit understands all of it, so it was sent as it came
	Direct          Outcome = "direct"          // answered by LiveKit alone: not ours, or Temporal is down
	Proxied         Outcome = "proxied"         // not ours to answer
	Refused         Outcome = "refused"         // LiveKit, or we, refused the request itself
	Unauthenticated Outcome = "unauthenticated" // no token, a bad one, or one without the grant
	Unreadable      Outcome = "unreadable"      // a body that is too large, too slow, or not a request
	Unanswered      Outcome = "unanswered"      // no answer in time: a start may go on
	Failed          Outcome = "error"           // LiveKit, Temporal or we failed
)

// Outcomes returns the possible outcomes, each with the level of its log line.
func Outcomes() map[Outcome]slog.Level {
	return map[Outcome]slog.Level{
		Durable: slog.LevelInfo, FailedOpen: slog.LevelError, Forwarded: slog.LevelWarn, Direct: slog.LevelInfo,
		Proxied: slog.LevelDebug, Refused: slog.LevelInfo, Unauthenticated: slog.LevelWarn,
		Unreadable: slog.LevelWarn, Unanswered: slog.LevelError, Failed: slog.LevelError,
	}
}

// outcomeOf returns the outcome of a request answered with an error.
func outcomeOf(code twirp.ErrorCode) Outcome {
	switch code {
	case twirp.Unauthenticated, twirp.PermissionDenied:
		return Unauthenticated
	case twirp.Malformed, twirp.BadRoute:
		return Unreadable
	case twirp.DeadlineExceeded, twirp.Canceled:
		return Unanswered
	case twirp.InvalidArgument, twirp.NotFound, twirp.AlreadyExists, twirp.FailedPrecondition, twirp.OutOfRange,
		twirp.Unimplemented, twirp.ResourceExhausted:
		return Refused
	default:
		return Failed
	}
}
