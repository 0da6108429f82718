package gateway

import (
	"context"
	"errors"
	"strings"

	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// codes maps reasons to Twirp codes where LiveKit itself has given none.
var codes = map[egress.Reason]twirp.ErrorCode{
	egress.Refused:        twirp.InvalidArgument,
	egress.Denied:         twirp.Unauthenticated,
	egress.NotFound:       twirp.NotFound,
	egress.AlreadyOver:    twirp.FailedPrecondition,
	egress.Unanswered:     twirp.DeadlineExceeded,
	egress.Unreachable:    twirp.Unavailable,
	egress.RateLimited:    twirp.ResourceExhausted,
	egress.Unavailable:    twirp.Unavailable,
	egress.Ambiguous:      twirp.DeadlineExceeded,
	egress.NoEcho:         twirp.FailedPrecondition, // a caller that asks again with the same key might get two
	egress.TooLate:        twirp.Unavailable,
	egress.HandedBack:     twirp.Unavailable,
	egress.Invalid:        twirp.InvalidArgument,
	egress.Conflict:       twirp.AlreadyExists,
	egress.Sealed:         twirp.Internal,
	egress.StillGoing:     twirp.Internal,
	egress.ConsumerFailed: twirp.Internal,
	egress.HeldBack:       twirp.Internal,
	egress.Internal:       twirp.Internal,
}

// toTwirp is the one place that decides what a caller sees of an error: LiveKit's own code and
// message if LiveKit has answered, else our reason in Twirp's terms. Temporal's messages and our
// addresses never reach a caller.
func toTwirp(err error) twirp.Error {
	var said twirp.Error
	e := asEgress(err)
	switch {
	case e == nil && errors.As(err, &said) && strings.Contains(said.Msg(), whereto):
		return twirp.NewError(said.Code(), withoutAddress(said.Msg()))
	case e == nil && errors.As(err, &said):
		return said
	case e == nil && errors.Is(err, context.DeadlineExceeded):
		return twirp.NewError(twirp.DeadlineExceeded, "no answer in time")
	case e == nil:
		return twirp.NewError(twirp.Internal, "internal error")
	case temporalAway(err) && e.Reason == egress.Ambiguous:
		return twirp.NewError(twirp.DeadlineExceeded, "Temporal does not answer")
	case temporalAway(err):
		return twirp.NewError(twirp.Unavailable, "Temporal does not answer")
	}
	switch {
	case unheard(e):
		return twirp.NewError(codes[e.Reason], "no answer in time")
	case strings.HasPrefix(e.Message, notSent):
		return twirp.NewError(codes[e.Reason], "LiveKit not reached")
	}
	code := codes[e.Reason]
	if own := twirp.ErrorCode(e.Code); own != twirp.NoError && twirp.IsValidErrorCode(own) {
		code = own
	}
	return twirp.NewError(code, message(e))
}

// temporalAway reports whether no workflow has answered. NotFound from Temporal is an answer (to a
// start it is not: the recordings client then says Ambiguous). If the context ended before Temporal
// was asked, the error lacks ErrTemporal.
func temporalAway(err error) bool {
	return errors.Is(err, egress.ErrTemporal) && egress.ReasonOf(err) != egress.NotFound ||
		asEgress(err) == nil && errors.Is(err, context.DeadlineExceeded)
}

// notSent begins the message of Twirp's client, not of LiveKit, for a call without an answer. An
// address follows.
const notSent = "failed to do request"

// unheard reports whether LiveKit may have done what was asked: the call was sent, but no answer
// came.
func unheard(e *egress.Error) bool {
	return e.Reason == egress.Ambiguous && strings.HasPrefix(e.Message, notSent)
}

// whereto begins the end of Twirp's message for a redirect sent in LiveKit's place. The address
// follows.
const whereto = ", Location="

func message(e *egress.Error) string {
	switch {
	case e.Field != "":
		return e.Field + ": " + e.Message
	case e.Message == "":
		return string(e.Reason)
	default:
		return withoutAddress(e.Message)
	}
}

func withoutAddress(said string) string {
	said, _, _ = strings.Cut(said, whereto)
	return said
}

// inHeader turns an error about a name into one about the header that holds it.
func inHeader(header string, err error) error {
	return egress.Invalidf(header, "%s", asEgress(err).Message)
}

// asEgress returns the *egress.Error in err, or nil if there is none.
func asEgress(err error) *egress.Error {
	e, _ := errors.AsType[*egress.Error](err)
	return e
}
