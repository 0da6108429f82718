// Package gateway is the front door for agents: LiveKit's own Egress API at the root of its host,
// so that an agent in any language changes one URL and every recording it starts is durable. It
// passes all other requests to LiveKit unchanged. It keeps nothing but an hour's memory of the
// starts that it sent past Temporal, and never makes a caller wait longer than LiveKit would without
// it: while Temporal is down, a start goes straight to LiveKit.
package gateway

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"go.opentelemetry.io/otel/metric"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	// defaultRequestTimeout is below the 10 s after which LiveKit's SDKs give up.
	defaultRequestTimeout = 9 * time.Second

	// defaultMaxBody caps a request's body, in bytes. The longest real request that we have seen is
	// under 4 KiB; a page in a data URL may need more. A decoded request can take a hundred times
	// as much memory.
	defaultMaxBody = 1 << 20
)

// Recordings are the durable recordings. Errors are *egress.Error, with LiveKit's own code and
// message if LiveKit has answered. An error that comes from Temporal also matches
// egress.ErrTemporal: Temporal is unreachable, slow, or has no worker. A start may then go straight
// to LiveKit.
type Recordings interface {
	// Begin returns once a worker has accepted the start: from then on it is durable.
	Begin(ctx context.Context, s egress.StartOptions) (Pending, error)
	// StopEgress ends the egress of a request and returns LiveKit's answer. Reason AlreadyOver
	// means that exactly this egress has ended well. If the request has no workflow, or the workflow has
	// closed without knowing how this egress ended, the reason is NotFound.
	StopEgress(ctx context.Context, requestID, egressID, room string, by *egress.Asker) (egress.Info, error)
	// Adopt creates the workflow for a request of ours whose start went past Temporal, from what
	// LiveKit lists of its egress. It reports false if there is nothing to create.
	Adopt(ctx context.Context, requestID string, m *livekit.EgressInfo) (bool, error)
	// RequestOf returns the ID of the request that an egress belongs to, as far as Temporal's search
	// attributes know it, or "" if they know none.
	RequestOf(ctx context.Context, egressID string) (requestID string, err error)
	// Lost returns, with the evidence in words, those of the given egresses that are settled as
	// lost, although LiveKit may call them active. With an error, it returns those that it is sure
	// of.
	Lost(ctx context.Context, egressIDs []string) (map[string]string, error)
	// Ended lists the ended egresses that Temporal remembers, by egress ID or by room, newest
	// first, bounded, and without those already known. LiveKit forgets them after 24 h.
	Ended(ctx context.Context, egressID, room string, known ...string) ([]egress.Info, error)
}

// Pending is a start that is already durable.
type Pending interface {
	// Started waits until LiveKit has answered or ctx ends: then the error has the reason
	// Ambiguous, and the start goes on. After HandedBack (the start's moment has passed) and Sealed
	// (its worker cannot open the request), no worker asks LiveKit, and the caller may.
	Started(ctx context.Context) (egress.Info, error)
}

// LiveKit is the LiveKit behind the door. Errors are *egress.Error.
type LiveKit interface {
	Start(ctx context.Context, r egress.Request) (*livekit.EgressInfo, error)
	Get(ctx context.Context, egressID string) (*livekit.EgressInfo, error)
	InRoom(ctx context.Context, room string) ([]*livekit.EgressInfo, error)
	Active(ctx context.Context) ([]*livekit.EgressInfo, error)
	// Remembered lists everything that LiveKit remembers, which may be large: callers at the same
	// time share one list, requested after they came.
	Remembered(ctx context.Context) ([]*livekit.EgressInfo, error)
	Stop(ctx context.Context, egressID string) (*livekit.EgressInfo, error)
}

// Marker makes and recognizes our tokens.
type Marker interface {
	// Token returns the token for a part of a request.
	Token(requestID string, part int) egress.Token
	// Verify reports whether we made the token.
	Verify(t egress.Token) bool
	// OpenWebhooks returns the caller's own webhooks, which ours replaces.
	OpenWebhooks(requestID, sealed string) ([]*livekit.WebhookConfig, error)
}

// Config holds what the door needs.
type Config struct {
	Keys       auth.KeyProvider // LiveKit's API keys, with which callers sign. Required.
	Recordings Recordings       // Required.
	LiveKit    LiveKit          // Required.
	Marker     Marker           // Required.
	Log        *slog.Logger     // Required.
	Meter      metric.Meter     // Required.
	// Upstream is LiveKit's http or https URL, to which everything else is proxied. Its user and
	// query are dropped. Required.
	Upstream *url.URL
	// PublicURL is where LiveKit reaches our webhook endpoint. Required.
	PublicURL string
	// SigningKey is the name of the API key with which LiveKit signs our webhooks. Required.
	SigningKey string

	// Profiles are the storage profiles for a start that goes straight to LiveKit. Defaults to
	// none: a start that names one is then refused while Temporal is down.
	Profiles egress.Profiles

	// RequestTimeout is the time within which a caller is answered. Defaults to 9 s.
	RequestTimeout time.Duration
	// FailOpenAfter is how long Temporal has to accept a start before it goes straight to LiveKit
	// (one second later, so that only one of them starts it). Zero: it never does.
	FailOpenAfter time.Duration
	// DeleteRoomWait is how long DeleteRoom waits for the room's egresses to end. Zero:
	// it does not stop them.
	DeleteRoomWait time.Duration
	// MaxBody caps a body, in bytes. Defaults to 1 MiB.
	MaxBody int64
}

func (c Config) withDefaults() Config {
	c.RequestTimeout = cmp.Or(c.RequestTimeout, defaultRequestTimeout)
	c.MaxBody = cmp.Or(c.MaxBody, defaultMaxBody)
	return c
}

// Validate names the first invalid field.
func (c Config) Validate() error {
	switch {
	case c.Keys == nil || c.Recordings == nil || c.LiveKit == nil || c.Marker == nil || c.Log == nil || c.Meter == nil:
		return &egress.Error{Reason: egress.Internal, Message: "gateway: Keys, Recordings, LiveKit, Marker, Log and Meter are required"}
	case c.Upstream == nil || c.PublicURL == "" || c.SigningKey == "":
		return &egress.Error{Reason: egress.Internal, Message: "gateway: Upstream, PublicURL and SigningKey are required"}
	case c.Upstream.Scheme != "http" && c.Upstream.Scheme != "https":
		return egress.Invalidf("LIVEKIT_URL", "want a URL that begins with ws:// or wss:// or http:// or https://, in lower case")
	case c.RequestTimeout < 0 || c.FailOpenAfter < 0 || c.DeleteRoomWait < 0 || c.MaxBody < 0:
		return &egress.Error{Reason: egress.Internal, Message: "gateway: a duration or size is negative"}
	case c.FailOpenAfter > 0 && c.FailOpenAfter >= c.RequestTimeout-egress.FailOpenMargin:
		return egress.Invalidf("REELKEEPER_FAIL_OPEN_AFTER", "must be more than %s below REELKEEPER_REQUEST_TIMEOUT (%s), got %s", egress.FailOpenMargin, c.RequestTimeout, c.FailOpenAfter)
	}
	return nil
}
