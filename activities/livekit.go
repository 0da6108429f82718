// Package activities holds everything that the workflows do to the outside world. Each activity
// says why running it twice is harmless; none decides about the life of an egress, which is up to
// the workflow.
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
	Answers(ctx context.Context, egressID string) error
	InRoom(ctx context.Context, room string) ([]*livekit.EgressInfo, error)
	Active(ctx context.Context) ([]*livekit.EgressInfo, error)
	Remembered(ctx context.Context) ([]*livekit.EgressInfo, error)
	Room(ctx context.Context, name, sid string) (*livekit.Room, error)
	Present(ctx context.Context, room, identity string) (bool, error)
}

// Opener opens sealed requests, and makes and verifies their tokens.
type Opener interface {
	OpenRequest(requestID string, in egress.Input) (egress.Request, error)
	Token(requestID string, part int) egress.Token
	Verify(t egress.Token) bool
	SealWebhooks(requestID string, hooks []*livekit.WebhookConfig) (string, error)
}

// Config configures the LiveKit activities. Zero durations mean the default.
type Config struct {
	PublicURL  string // where LiveKit reaches our webhook endpoint
	SigningKey string // name of the API key that signs LiveKit's requests to our webhooks
	// KeyNames are the names of the project's API keys. A request's webhooks can name no others.
	KeyNames []string
	Terms    egress.Terms
	// Profiles are the storage profiles. Default: none.
	Profiles egress.Profiles
	// Preflight probes the storage before a start. Default: nothing is probed.
	Preflight *Preflight
	Pipelines egress.Pipelines // from which each start takes its own

	// CallTimeout bounds one start call. Default: 90 s; the server itself tries for up to 75 s
	// under one egress ID.
	CallTimeout time.Duration
	// StartFor is how long a start is tried in all. Default: 10 min.
	StartFor time.Duration
	// SearchFor is how long an earlier start of ours is searched for after an inconclusive outcome.
	// Default: 90 s; a slow start is unlisted for up to 24 s.
	SearchFor time.Duration
	// SearchEvery is the first wait between two looks; it doubles each time, up to eight times
	// this. Default: 2 s.
	SearchEvery time.Duration

	// ReconcileEvery is the interval of the reconciler's rounds. Default: there are none.
	ReconcileEvery egress.Duration
	// Reconciling reports whether the reconciler is healthy; active egresses are then left alone
	// for longer. Default: it is not.
	Reconciling func(ctx context.Context) bool

	// Shown remembers which recorders LiveKit has shown as participants. Default: a new one.
	Shown *Shown

	// Clock returns the clock of one attempt of a poll. Default: Temporal's, by which workflows
	// judge; a poll passes through several workers, whose clocks differ.
	Clock func(ctx context.Context) (now func() time.Time)

	// Wall returns the time of day, by which an attempt sees that its process stood still. Default:
	// this machine's.
	Wall func() time.Time

	// Endpoint knows how our webhook endpoint fared. Default: nobody does, and a poll does not
	// classify missed webhooks.
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
	if c.Wall == nil {
		c.Wall = wall
	}
	if c.Reconciling == nil {
		c.Reconciling = func(context.Context) bool { return false }
	}
	return c
}

// temporalsClock continues from the time at which Temporal started the attempt.
func temporalsClock(ctx context.Context) func() time.Time {
	here, there := time.Now(), activity.GetInfo(ctx).StartedTime
	return func() time.Time { return there.Add(time.Since(here)) }
}

// LiveKit holds the activities that talk to LiveKit.
type LiveKit struct {
	cfg    Config
	api    API
	opener Opener
	noEcho atomic.Bool // LiveKit has failed to echo our token
}

// NewLiveKit returns the activities.
func NewLiveKit(cfg Config, api API, opener Opener) *LiveKit {
	return &LiveKit{cfg: cfg.withDefaults(), api: api, opener: opener}
}
