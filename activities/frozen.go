package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// rest waits before LiveKit is asked again, and reports false if the context ends first. If this
// process stood still meanwhile for longer than Temporal waits for a heartbeat, as in a frozen
// container or a suspended machine, another attempt may have asked LiveKit.
func (s *starting) rest(ctx context.Context, wait time.Duration) bool {
	began := s.cfg.Wall()
	if !sleep(ctx, wait) {
		return false
	}
	limit := activity.GetInfo(ctx).HeartbeatTimeout
	s.maybeSent = s.maybeSent || limit > 0 && s.cfg.Wall().Sub(began)-wait > limit
	return true
}

// wall returns the time of day alone: the monotonic clock stands still while a machine is suspended.
func wall() time.Time { return time.Now().Round(0) }
