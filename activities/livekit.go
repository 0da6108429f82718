// Package activities is everything that the workflows do to the outside world. Each
// activity says why running it twice is harmless; none decides about the life of
// an egress, which is the workflow's part.
package activities

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// API is what the activities need of LiveKit. Errors are egress.Errors.
type API interface {
	Start(ctx context.Context, r egress.Request) (*livekit.EgressInfo, error)
	Get(ctx context.Context, egressID string) (*livekit.EgressInfo, error)
	Stop(ctx context.Context, egressID string) (*livekit.EgressInfo, error)
	InRoom(ctx context.Context, room string) ([]*livekit.EgressInfo, error)
	Active(ctx context.Context) ([]*livekit.EgressInfo, error)
	Remembered(ctx context.Context) ([]*livekit.EgressInfo, error)
	Room(ctx context.Context, name, sid string) (*livekit.Room, error)
	Present(ctx context.Context, room, identity string) (bool, error)
}

// Opener opens sealed requests, and makes and knows their tokens.
type Opener interface {
	OpenRequest(requestID string, in egress.Input) (egress.Request, error)
	Token(requestID string, part int) egress.Token
	Verify(t egress.Token) bool
	SealWebhooks(requestID string, hooks []*livekit.WebhookConfig) (string, error)
}

// Config is what the LiveKit activities work with. Zero durations mean the default.
type Config struct {
	PublicURL  string // where LiveKit reaches our webhook endpoint
	SigningKey string // name of the API key with which LiveKit signs our webhooks
	// KeyNames are those of the project's API keys. A request's webhooks can name no other.
	KeyNames []string
	Terms    egress.Terms
	// Profiles are the storage profiles. Default: none.
	Profiles egress.Profiles
	// Preflight tries where media goes before a start. Default: nothing is tried.
	Preflight *Preflight
	Pipelines egress.Pipelines // of which each start takes its own

	// CallTimeout bounds one start call. Default: 90 s; the server itself tries for
	// up to 75 s under one egress ID.
	CallTimeout time.Duration
	// StartFor is how long a start is tried in all. Default: 10 min.
	StartFor time.Duration
	// SearchFor is how long an earlier start of ours is looked for after an outcome
	// that says nothing. Default: 90 s; a slow start is unlisted for up to 24 s.
	SearchFor time.Duration
	// SearchEvery is the first wait between two looks; each is twice as long as the one
	// before, up to eight times this. Default: 2 s.
	SearchEvery time.Duration

	// ReconcileEvery is the period of the reconciler's rounds. Default: there are none.
	ReconcileEvery egress.Duration
	// Reconciling reports whether the reconciler is healthy: then active egresses are
	// left alone for longer. Default: it is not.
	Reconciling func(ctx context.Context) bool

	// Shown remembers which recorders LiveKit has been seen to show. Default: one of its own.
	Shown *Shown

	// Clock makes the clock of an attempt at a poll. Default: Temporal's, by which workflows
	// judge, since those of the workers that a poll passes through differ.
	Clock func(ctx context.Context) (now func() time.Time)

	// Endpoint knows how our webhook endpoint was. Default: nobody does, and a poll
	// gives no class to a missed webhook.
	Endpoint Endpoint
}

func (c Config) withDefaults() Config {
	c.CallTimeout = cmp.Or(c.CallTimeout, 90*time.Second)
	c.StartFor = cmp.Or(c.StartFor, 10*time.Minute)
	c.SearchFor = cmp.Or(c.SearchFor, 90*time.Second)
	c.SearchEvery = cmp.Or(c.SearchEvery, 2*time.Second)
	if c.Preflight == nil {
		c.Preflight = NewPreflight(PreflightConfig{})
	}
	if c.Shown == nil {
		c.Shown = &Shown{}
	}
	if c.Clock == nil {
		c.Clock = temporalsClock
	}
	if c.Reconciling == nil {
		c.Reconciling = func(context.Context) bool { return false }
	}
	return c
}

// temporalsClock goes on from the moment at which Temporal began the attempt.
func temporalsClock(ctx context.Context) func() time.Time {
	here, there := time.Now(), activity.GetInfo(ctx).StartedTime
	return func() time.Time { return there.Add(time.Since(here)) }
}

// LiveKit holds the activities that talk to LiveKit.
type LiveKit struct {
	cfg    Config
	api    API
	opener Opener
	noEcho atomic.Bool // LiveKit has been seen not to echo our token
}

// NewLiveKit makes the activities.
func NewLiveKit(cfg Config, api API, opener Opener) *LiveKit {
	return &LiveKit{cfg: cfg.withDefaults(), api: api, opener: opener}
}
