package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// patience returns how long Temporal waits for a heartbeat, after which it gives the start to another
// attempt. Zero: for ever.
func patience(ctx context.Context) time.Duration { return activity.GetInfo(ctx).HeartbeatTimeout }

// maybeReplaced reports whether another attempt may have asked LiveKit while this one waited: if a
// network lets this worker reach LiveKit and not Temporal, neither knows of the other.
func (s *starting) maybeReplaced(ctx context.Context) bool {
	limit := patience(ctx)
	return limit > 0 && time.Since(s.looked) > limit
}

// rest waits before LiveKit is asked again, and reports false if the context ends first. If this
// process stood still meanwhile for longer than Temporal waits for a heartbeat, as in a frozen
// container or a suspended machine, another attempt may have asked LiveKit.
func (s *starting) rest(ctx context.Context, wait time.Duration) bool {
	began := s.cfg.Wall()
	if !sleep(ctx, wait) {
		return false
	}
	limit := patience(ctx)
	s.maybeSent = s.maybeSent || limit > 0 && s.cfg.Wall().Sub(began)-wait > limit
	return true
}

// wall returns the time of day alone: the monotonic clock stands still while a machine is suspended.
func wall() time.Time { return time.Now().Round(0) }
