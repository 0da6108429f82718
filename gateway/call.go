package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lithammer/shortuuid/v4"
	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	// HeaderKey holds a start's idempotency key, which becomes its request ID.
	HeaderKey = "Idempotency-Key"

	// HeaderStorage names the storage profile that a start's media goes to.
	HeaderStorage = "X-Reelkeeper-Storage"
	// HeaderPipeline names the pipeline to run at the recording's end, one of those that the
	// workers know. Default: the workers' default pipeline.
	HeaderPipeline = "X-Reelkeeper-Pipeline"
)

// call is one request of ours in progress. It travels in the context, which is all that Twirp
// passes to a service.
type call struct {
	method   string
	began    time.Time
	deadline time.Time // by which the caller is answered
	caller
	key      string        // from HeaderKey
	storage  string        // from HeaderStorage
	pipeline string        // from HeaderPipeline
	request  proto.Message // what LiveKit's refusal may quote; nil or empty if only URLs need masking

	// The result, for the request's log line.
	outcome   Outcome
	requestID string
	egressID  string
	room      string
	code      twirp.ErrorCode
	cause     error // why it failed, or why it went past Temporal
}

type callKey struct{}

// callOf returns the call from a context that serve passed to Twirp. serve has checked that its
// caller may record.
func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// lasting returns a context that ends when the caller's answer is due, and not before: a caller
// that hangs up has still asked.
func (c *call) lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(context.WithoutCancel(ctx), c.deadline)
}

// share returns the moment by which the given share of the caller's time is used up.
func (c *call) share(part, of int) time.Time {
	return c.began.Add(c.deadline.Sub(c.began) * time.Duration(part) / time.Duration(of))
}

// name fixes the request ID of a start, the caller's own or a new one, and puts it into the header
// of every answer, even a refusal: the caller can ask again under that ID.
func (c *call) name(asked, header http.Header) (err error) {
	if c.key, err = only(asked, HeaderKey); err != nil {
		return err
	}
	if _, given := asked[HeaderKey]; given && c.key == "" {
		return egress.Invalidf(HeaderKey, "is empty: give it a value, or leave it out")
	}
	if c.requestID = c.key; c.key == "" {
		c.requestID = shortuuid.New()
	}
	if err := egress.ValidateRequestID(c.requestID); err != nil {
		c.requestID = ""
		return inHeader(HeaderKey, err)
	}
	header.Set(egress.HeaderRequestID, c.requestID)
	return nil
}

// only returns the value of one of our headers on a start, or "" if it is absent. Two different
// values are an error: otherwise the mistake would show only in the recording.
func only(asked http.Header, header string) (string, error) {
	values := asked.Values(header)
	if len(slices.Compact(slices.Clone(values))) > 1 {
		return "", egress.Invalidf(header, "is set more than once, with different values")
	}
	return strings.TrimSpace(asked.Get(header)), nil
}

// readHeaders reads what the headers of a start say: its idempotency key, its pipeline and its storage
// profile. It refuses a name that none of them can have.
func (c *call) readHeaders(asked, answer http.Header) (err error) {
	if err = c.name(asked, answer); err != nil {
		return err
	}
	if c.pipeline, err = only(asked, HeaderPipeline); err != nil {
		return err
	}
	if c.storage, err = only(asked, HeaderStorage); err != nil {
		return err
	}
	if c.pipeline != "" && !egress.ValidName(c.pipeline) {
		return inHeader(HeaderPipeline, egress.BadPipeline(c.pipeline))
	}
	if c.storage == "" {
		return nil
	}
	if err := egress.ValidateProfile(c.storage); err != nil {
		return inHeader(HeaderStorage, err)
	}
	return nil
}

// permit returns the one error that LiveKit uses both for a missing token and for a token without
// the grant.
func (c *call) permit() twirp.Error {
	if !c.grant.RoomRecord {
		return twirp.NewError(twirp.Unauthenticated, "permissions denied")
	}
	return nil
}

// failed records an error that the caller receives. Where we accept the caller's token, and LiveKit
// denies it or ours, LiveKit has other keys than we have.
func (c *call) failed(err twirp.Error) {
	c.code, c.outcome = err.Code(), outcomeOf(err.Code())
	if c.outcome == Unauthenticated && c.grant.RoomRecord {
		c.outcome = Failed
	}
	if c.cause == nil {
		c.cause = err
	}
}
