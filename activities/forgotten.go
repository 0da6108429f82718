package activities

import (
	"context"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// promptly is how soon a worker takes a start in normal operation, with much to spare. A database
// or region that fails over without its last transactions takes longer, and has then forgotten
// that a worker had already taken the start: it sends it once more as the first attempt. By then
// LiveKit mostly lists what that worker began, since it takes 0.55 s as a rule.
const promptly = 5 * time.Second

// maybeForgotten reports whether a start has waited for a worker for so long (promptly) that
// Temporal may have forgotten an attempt in between.
func maybeForgotten(i activity.Info) bool { return i.StartedTime.Sub(i.ScheduledTime) > promptly }

// glance returns what a forgotten attempt began, or nil if LiveKit lists nothing of it. While LiveKit
// cannot be reached or is busy, it is asked again: it would hardly take a start meanwhile. A page
// that has ended since is not found, since looking for it would take all that LiveKit remembers.
func (s *starting) glance(ctx context.Context) (*livekit.EgressInfo, error) {
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		items, err := s.list(ctx, false)
		passes := slices.Contains([]egress.Reason{egress.Unreachable, egress.RateLimited, egress.Unavailable, egress.Ambiguous}, egress.ReasonOf(err))
		if m := s.ours(items); m != nil || !passes || s.withdrawn() || s.late() {
			return m, nil
		}
		if !s.rest(ctx, wait) {
			return nil, s.gaveUp(ctx, err)
		}
	}
}
