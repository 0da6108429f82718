// Package recordings is the client of durable recordings: it starts, finds, watches, stops and
// lists them. It speaks to Temporal alone and reaches workflows by the names in package egress; it
// must never call LiveKit, nor store anything that Temporal does not know.
package recordings

import (
	"cmp"
	"context"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// Sealer makes a workflow's input from a request, with everything that may be a credential sealed;
// it opens what LiveKit echoes of its webhooks, and makes and verifies tokens. *seal.Keys is one.
type Sealer interface {
	SealRequest(requestID string, r egress.Request, storage, pipeline string) (egress.Input, error)
	OpenWebhooks(requestID, sealed string) ([]*livekit.WebhookConfig, error)
	Token(requestID string, part int) egress.Token
	Verify(t egress.Token) bool
}

// Config is what a Client needs.
type Config struct {
	Temporal  client.Client // made with internal/payload's converter
	Namespace string        // of the Temporal client; default: "default"
	Sealer    Sealer        // needed to start, to adopt, and for the reconciler's schedule
	// Codec is the Temporal client's own, for what is sent and read past that client: signals and
	// memos. Default: none.
	Codec converter.PayloadCodec
	// AskedBy is who asks, for reports, if a start, a stop or a redelivery names nobody. Default:
	// unknown.
	AskedBy *egress.Asker

	// AskEvery is the pause before retrying a start that no worker took, and before repeating a
	// search that found nothing; in one for an egress ID, each pause is twice the last, up to 500 ms.
	// Default: 200 ms.
	AskEvery time.Duration
	// FindFor is how long an egress ID is searched for: visibility lags by up to 0.5 s on SQLite.
	// Default: 2 s.
	FindFor time.Duration
	// AttributesFor is how long a newly created search attribute may take to be known: each
	// frontend of Temporal 1.32 rereads them every 60 s. Default: 2 min.
	AttributesFor time.Duration
	// QueryFor is how long State waits for a worker's answer. Default: 3 s.
	QueryFor time.Duration
	// AnswerFor is how long a redelivery, or a retry or skip of a step, waits for a worker's
	// answer, without which it can do nothing. Default: 15 s.
	AnswerFor time.Duration
	// WaitFor is how long Wait lets Temporal hold one long poll before it checks by itself.
	// Default: 5 s.
	WaitFor time.Duration
}

func (c Config) withDefaults() Config {
	c.Namespace = cmp.Or(c.Namespace, client.DefaultNamespace)
	c.AskEvery = cmp.Or(c.AskEvery, 200*time.Millisecond)
	c.FindFor = cmp.Or(c.FindFor, 2*time.Second)
	c.AttributesFor = cmp.Or(c.AttributesFor, 2*time.Minute)
	c.QueryFor = cmp.Or(c.QueryFor, 3*time.Second)
	c.AnswerFor = cmp.Or(c.AnswerFor, 15*time.Second)
	c.WaitFor = cmp.Or(c.WaitFor, 5*time.Second)
	return c
}

// Client asks Temporal about recordings. It is safe for concurrent use. Its errors are
// *egress.Error; those of Temporal itself, as opposed to those of our workflows, also match
// egress.ErrTemporal.
type Client struct {
	cfg  Config
	data converter.DataConverter // the same as the Temporal client's
}

// New returns a Client.
func New(c Config) *Client { return &Client{cfg: c.withDefaults(), data: converterWith(c.Codec)} }

// converterWith returns the data converter of a Temporal client with or without a codec.
func converterWith(codec converter.PayloadCodec) converter.DataConverter {
	if codec == nil {
		return payload.Converter()
	}
	return converter.NewCodecDataConverter(payload.Converter(), codec)
}

// encode encodes a payload as the Temporal client would.
func (c *Client) encode(p *commonpb.Payload) ([]*commonpb.Payload, error) {
	if c.cfg.Codec == nil {
		return []*commonpb.Payload{p}, nil
	}
	return c.cfg.Codec.Encode([]*commonpb.Payload{p})
}

// pause waits before another try. It reports false if the context ends first.
func (c *Client) pause(ctx context.Context) bool { return pauseFor(ctx, c.cfg.AskEvery) }

func pauseFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
