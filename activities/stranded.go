package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// MetricStranded counts recordings pinned to a worker version that nobody runs, each once per deep
// round but the first that finds it so.
const MetricStranded = "reelkeeper_stranded_recordings_total"

// strandedAfter is how long no worker of a version must have polled: Temporal remembers a worker
// for 5 min, and a worker polls at least once a minute. It is longer than the doctor's limit,
// since it pages somebody: a restart is no reason for that. Nor is one of Temporal, which then
// remembers no worker: so deep rounds must have found the same for as long.
const strandedAfter = 4 * time.Minute

// strand looks for recordings that wait for a worker version that nobody runs: no round helps
// them, since its signals wait with them. A Temporal that cannot tell does not fail the round.
func (r *round) strand(ctx context.Context) {
	if !r.Deep {
		return
	}
	defer r.alive(ctx)()
	log := activity.GetLogger(ctx)
	stranded, err := r.temporal.Stranded(ctx, r.clock().Add(-strandedAfter))
	if err != nil {
		r.Round.Stranded = nil
		log.Warn("reconcile: recordings of versions that nobody runs are not looked for", "error", err)
		return
	}
	now, before := r.clock(), r.Round.Stranded
	r.Round.Stranded = map[string]time.Time{}
	versions := slices.Sorted(maps.Keys(stranded))
	for _, version := range versions[:min(len(versions), egress.MaxWords)] {
		since := before[version]
		if since.IsZero() || since.Before(r.Round.Anew) {
			since = now
		}
		r.Round.Stranded[version] = since
		if now.Sub(since) < strandedAfter {
			continue
		}
		n := stranded[version]
		r.Round.Words = egress.AppendBounded(r.Round.Words, fmt.Sprintf("no worker of version %s polls, and recordings wait for one: %d", version, n))
		log.Error("reconcile: recordings wait for a version of workers that nobody runs", "version", version, "recordings", n)
		activity.GetMetricsHandler(ctx).Counter(MetricStranded).Inc(n)
	}
}
