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
	// HeaderPipeline names the pipeline that is run at the recording's end, of those that
	// the workers know. Default: theirs.
	HeaderPipeline = "X-Reelkeeper-Pipeline"
)

// call is one request of ours on its way. It goes through the context, since that
// is all that Twirp hands to a service.
type call struct {
	method   string
	began    time.Time
	deadline time.Time // by which the caller is answered
	caller
	key      string        // of HeaderKey
	storage  string        // of HeaderStorage
	pipeline string        // of HeaderPipeline
	request  proto.Message // what LiveKit's refusal may quote; nil or empty where URLs alone are to be masked

	// What became of it, for its line in the log.
	outcome   Outcome
	requestID string
	egressID  string
	room      string
	code      twirp.ErrorCode
	cause     error // why it failed, or why it went past Temporal
}

type callKey struct{}

// callOf is the call of a context that serve handed to Twirp. Its caller may record: serve has
// seen to that.
func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// lasting is a context that ends when the caller is to be answered, and not before:
// a caller that gives up has still asked.
func (c *call) lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(context.WithoutCancel(ctx), c.deadline)
}

// share is the moment by which a part of the caller's time is over.
func (c *call) share(part, of int) time.Time {
	return c.began.Add(c.deadline.Sub(c.began) * time.Duration(part) / time.Duration(of))
}

// name fixes the request ID of a start, the caller's own or a new one, and says it in
// the header of every answer to it, a refusal too: under that ID it can be asked again.
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
	if err := egress.ValidateID(c.requestID); err != nil {
		c.requestID = ""
		return inHeader(HeaderKey, err)
	}
	header.Set(egress.HeaderRequestID, c.requestID)
	return nil
}

// only is what a start says by a header of ours, empty where it says nothing. Two things are a
// mistake that would show in the recording alone.
func only(asked http.Header, header string) (string, error) {
	values := asked.Values(header)
	if len(slices.Compact(slices.Clone(values))) > 1 {
		return "", egress.Invalidf(header, "is there more than once, with different values")
	}
	return strings.TrimSpace(asked.Get(header)), nil
}

// checkNames refuses a name that no pipeline or storage profile can have.
func (c *call) checkNames(asked http.Header) (err error) {
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

// permit is LiveKit's one error for no token and for a token without the grant.
func (c *call) permit() twirp.Error {
	if !c.grant.RoomRecord {
		return twirp.NewError(twirp.Unauthenticated, "permissions denied")
	}
	return nil
}

// failed notes an error that the caller is answered with.
func (c *call) failed(err twirp.Error) {
	c.code, c.outcome = err.Code(), outcomeOf(err.Code())
	if c.cause == nil {
		c.cause = err
	}
}
