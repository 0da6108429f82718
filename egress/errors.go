package egress

import (
	"errors"
	"fmt"
	"net"
)

// Reason says why we could not do our own part. The same words serve as Temporal error types,
// metric labels and log values, so that the three cannot disagree.
type Reason string

// The closed list of reasons.
const (
	Refused        Reason = "refused"      // LiveKit rejected the request itself; asking again would not help
	Denied         Reason = "denied"       // LiveKit rejected our key or its grants
	NotFound       Reason = "not_found"    // LiveKit does not know the room or the egress
	AlreadyOver    Reason = "already_over" // stop: the egress has ended
	Unanswered     Reason = "unanswered"   // stop: LiveKit reached no worker for this egress
	Unreachable    Reason = "unreachable"  // nothing was sent: it is safe to ask again
	RateLimited    Reason = "rate_limited" // nothing was accepted, as far as LiveKit says: look for the token before asking again
	Unavailable    Reason = "unavailable"  // LiveKit could not do it now
	Ambiguous      Reason = "ambiguous"    // it may or may not have been done
	NoEcho         Reason = "no_echo"      // LiveKit started it but does not echo our token
	TooLate        Reason = "too_late"     // start_by has passed, and no earlier start of ours was found
	HandedBack     Reason = "handed_back"  // start_by passed before LiveKit was asked: the caller may ask it directly, and we only look
	Invalid        Reason = "invalid"      // the caller's input is wrong; Field names where
	Conflict       Reason = "conflict"     // another request already has this ID
	Sealed         Reason = "sealed"       // the sealed request cannot be opened with our keys, or stems from a newer starter
	StillGoing     Reason = "still_going"  // poll: no news yet
	ConsumerFailed Reason = "consumer"     // the consumer did not take the announcement
	HeldBack       Reason = "held_back"    // nobody was asked: it was not this attempt's turn
	Internal       Reason = "internal"     // a fault of ours
)

// CannotStop returns LiveKit's answer to a stop of an ended egress. If the egress is Lost, nobody
// knows whether it has ended.
func CannotStop(s Status) *Error {
	e := &Error{Reason: AlreadyOver, Code: "failed_precondition", Message: fmt.Sprintf("egress with status %s cannot be stopped", s)}
	if s == Lost {
		e.Message += " by its workflow: where LiveKit still runs it, StopEgress at the front door or `lk egress stop` ends it"
	}
	return e
}

// Reasons lists every Reason.
func Reasons() []Reason {
	return []Reason{
		Refused, Denied, NotFound, AlreadyOver, Unanswered, Unreachable, RateLimited, Unavailable, Ambiguous,
		NoEcho, TooLate, HandedBack, Invalid, Conflict, Sealed, StillGoing, ConsumerFailed, HeldBack, Internal,
	}
}

// Error is the one error type of the domain.
type Error struct {
	Reason  Reason `json:"reason"`
	Code    string `json:"code,omitempty"`    // LiveKit's Twirp code, unchanged
	Message string `json:"message,omitempty"` // LiveKit's message unchanged, or ours
	Field   string `json:"field,omitempty"`   // the field or variable at fault
	Err     error  `json:"-"`
}

// Error returns the message, prefixed with the field or LiveKit's code.
func (e *Error) Error() string {
	msg := e.Message
	if e.Err != nil && msg == "" {
		msg = e.Err.Error()
	}
	switch {
	case e.Field != "":
		return fmt.Sprintf("%s: %s", e.Field, msg)
	case e.Code != "":
		return fmt.Sprintf("%s: %s", e.Code, msg)
	default:
		return msg
	}
}

// Unwrap returns the cause, if any.
func (e *Error) Unwrap() error { return e.Err }

// ErrTemporal marks an error as Temporal's own: no workflow of ours answered.
var ErrTemporal = errors.New("Temporal")

// ReasonOf returns the reason of an error: empty for nil, Internal if the error has none.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return Internal
}

// NotConnected reports whether an HTTP request failed before there was a connection, to its host or
// to the proxy on the way: nothing was sent.
func NotConnected(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect") // the latter is net/http's
}

// Invalidf returns an Error about one field, variable or flag of the input.
func Invalidf(field, format string, args ...any) *Error {
	return &Error{Reason: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// IDTaken refuses a request whose ID another request has. Its code is the one that LiveKit's API
// would give the caller.
func IDTaken(requestID string) *Error {
	return &Error{Reason: Conflict, Code: "already_exists", Message: fmt.Sprintf("another request already has the ID %q", requestID)}
}
