package livekit

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// classify answers the one question that matters about a failed call: may LiveKit have done it all
// the same? It keeps Twirp's code and message unchanged, except for credentials in URLs that
// LiveKit quotes.
func classify(op string, err error) error { return classifyMasked(op, err, egress.MaskURLs) }

func classifyMasked(op string, err error, mask func(string) string) error {
	if err == nil {
		return nil
	}
	e := &egress.Error{Err: fmt.Errorf("%s: %w", op, err), Message: err.Error()}
	var te twirp.Error
	if errors.As(err, &te) {
		e.Code, e.Message = string(te.Code()), te.Msg()
	}
	e.Message = mask(e.Message)
	e.Reason = reason(err, te)
	return e
}

func reason(err error, te twirp.Error) egress.Reason {
	switch {
	case egress.NotConnected(err):
		return egress.Unreachable // nothing was sent
	case te == nil:
		return egress.Internal // our own failure: a token that cannot be signed, say
	}
	switch te.Code() {
	case twirp.InvalidArgument, twirp.Malformed, twirp.OutOfRange, twirp.FailedPrecondition,
		twirp.Unimplemented, twirp.BadRoute:
		return egress.Refused
	case twirp.Unauthenticated, twirp.PermissionDenied:
		return egress.Denied
	case twirp.NotFound:
		return egress.NotFound
	case twirp.ResourceExhausted:
		return egress.RateLimited
	}
	if turnedAway(te) {
		return egress.Refused
	}
	// unavailable, deadline_exceeded, internal, a broken connection, a 5xx; and already_exists,
	// since livekit-server retries with its workers under the same egress ID if one has not
	// answered
	return egress.Ambiguous
}

// turnedAway reports whether something in front of LiveKit answered with a redirect or a 4xx, so
// that LiveKit has not seen the call. Twirp maps most of them to internal or unknown. A 408 proves
// nothing.
func turnedAway(te twirp.Error) bool {
	status, err := strconv.Atoi(te.Meta("status_code")) // Twirp sets it only if the reply is not LiveKit's
	return err == nil && status >= 300 && status < 500 && status != http.StatusRequestTimeout
}

// noResponse are psrpc's words for a worker that does not answer. livekit-server passes them on under
// the code unavailable, to a stop only before 1.9.1; 1.13.5 puts "twirp error unknown: " before them.
const noResponse = "no response from servers"

// noStreams are in the answer of a worker that has no streams to update.
const noStreams = "non-streaming egress"

// classifyAsked handles the answers to a question that only a worker can answer.
func classifyAsked(err error) error {
	err = classifyWorkers("update stream", err)
	if e, ok := errors.AsType[*egress.Error](err); ok && e.Code == string(twirp.InvalidArgument) && strings.Contains(e.Message, noStreams) {
		return nil
	}
	return err
}

// classifyWorkers handles the answers of calls that LiveKit passes on to the egress's worker.
func classifyWorkers(op string, err error) error {
	err = classify(op, err)
	if e, ok := errors.AsType[*egress.Error](err); ok {
		switch code := twirp.ErrorCode(e.Code); {
		case code == twirp.FailedPrecondition:
			e.Reason = egress.AlreadyOver
		case code == twirp.DeadlineExceeded, code == twirp.Unavailable && strings.HasSuffix(e.Message, noResponse):
			e.Reason = egress.Unanswered
		}
	}
	return err
}
