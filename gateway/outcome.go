package gateway

import (
	"log/slog"

	"github.com/twitchtv/twirp"
)

// Outcome says what became of a request. It is the metric's label and the log's value.
type Outcome string

// The closed list of outcomes.
const (
	Durable         Outcome = "durable"         // through a workflow
	FailedOpen      Outcome = "failed_open"     // started past Temporal: an alert
	Forwarded       Outcome = "forwarded"       // names what only a newer LiveKit knows, so it went there as it came
	Direct          Outcome = "direct"          // answered by LiveKit alone: not ours, or Temporal is away
	Proxied         Outcome = "proxied"         // not ours to answer
	Refused         Outcome = "refused"         // LiveKit, or we, said no to the request itself
	Unauthenticated Outcome = "unauthenticated" // no token, a bad one, or one without the grant
	Unreadable      Outcome = "unreadable"      // a body that is too large, too slow, or no request
	Unanswered      Outcome = "unanswered"      // no answer in time: a start may go on
	Failed          Outcome = "error"           // LiveKit, Temporal or we could not do it
)

// Outcomes lists what can become of a request, and the level of its log line.
func Outcomes() map[Outcome]slog.Level {
	return map[Outcome]slog.Level{
		Durable: slog.LevelInfo, FailedOpen: slog.LevelError, Forwarded: slog.LevelWarn, Direct: slog.LevelInfo,
		Proxied: slog.LevelDebug, Refused: slog.LevelInfo, Unauthenticated: slog.LevelWarn,
		Unreadable: slog.LevelWarn, Unanswered: slog.LevelError, Failed: slog.LevelError,
	}
}

// outcomeOf is the outcome of a request that was answered with an error.
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
