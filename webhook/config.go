package webhook

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/livekit/protocol/auth"
	"go.opentelemetry.io/otel/metric"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	// defaultTimeout is far below the time that LiveKit's sender waits (10 s, or for ever in older
	// versions), so that a slow answer never makes the events queued behind it too old.
	defaultTimeout = 2 * time.Second

	// defaultMaxBody is half of Temporal's payload limit (2 MiB); the longest event that we have
	// recorded is under 2 KiB.
	defaultMaxBody = 1 << 20
)

// Recordings gives the endpoint access to the workflows. *recordings.Client implements it. Each
// call must return when its context ends.
type Recordings interface {
	// Signal returns once the signal is durable. Repeating a request ID sends no second signal to
	// that workflow. If the workflow has closed, the error is an *egress.Error of reason
	// AlreadyOver; if it never existed, of reason NotFound.
	Signal(ctx context.Context, workflowID, signal, requestID string, e egress.Event) error
	// Adopt creates a workflow for an egress of ours that none watches, since it was started while
	// Temporal was down. It returns once a workflow that has the event is durable. If the request's
	// workflow has completed, the error is an *egress.Error of reason AlreadyOver, unless that
	// workflow never knew of the egress, which is then adopted under its own ID.
	Adopt(ctx context.Context, requestID string, x egress.Extras, e egress.Event) error
	// ByEgressID finds an egress's workflow, running or closed, and ByRoom those that run, by their
	// search attributes. These lag behind, so an empty answer does not prove that there is none.
	ByEgressID(ctx context.Context, egressID string) (workflowID string, found bool, err error)
	ByRoom(ctx context.Context, room string) (workflowIDs []string, err error)
	// Late records that the webhook of an end arrived after its workflow had closed, and returns
	// once that is durable. Repeating it changes nothing. If the egress has another workflow, which
	// runs, that one gets the event.
	Late(ctx context.Context, workflowID string, e egress.Event) error
}

// MACs verifies the MAC of a token. seal.Keys implements it.
type MACs interface {
	Verify(t egress.Token) bool
}

// Config holds what the endpoint needs.
type Config struct {
	Keys       auth.KeyProvider // LiveKit's API keys, with which it signs. Required.
	MACs       MACs             // Required.
	Recordings Recordings       // Required.
	Log        *slog.Logger     // Required.
	Meter      metric.Meter     // Required.
	// Previous are secrets that still verify after a rotation, under any key name.
	// Default: none.
	Previous []string
	// Timeout bounds a request from its header to its answer. Defaults to 2 s.
	Timeout time.Duration
	// MaxBody caps a body, in bytes. Defaults to 1 MiB.
	MaxBody int64
	// Figures count what is answered. Default: none.
	Figures *Figures
}

func (c Config) withDefaults() Config {
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.MaxBody = cmp.Or(c.MaxBody, defaultMaxBody)
	return c
}

// Validate names the invalid field or variable.
func (c Config) Validate() error {
	switch {
	case c.Keys == nil || c.MACs == nil || c.Recordings == nil || c.Log == nil || c.Meter == nil:
		return &egress.Error{Reason: egress.Internal, Message: "webhook: Keys, MACs, Recordings, Log and Meter are required"}
	case slices.Contains(c.Previous, ""):
		return egress.Invalidf("REELKEEPER_PREVIOUS_SECRETS", "has an empty entry")
	case c.Timeout <= 0:
		return egress.Invalidf("Timeout", "must be positive, got %s", c.Timeout)
	case c.MaxBody <= 0:
		return egress.Invalidf("MaxBody", "must be positive, got %d", c.MaxBody)
	}
	return nil
}
