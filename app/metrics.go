package app

import (
	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// announceMetrics makes what workflows and activities count exist from the start,
// with every label value: an alert on a series that is not there never fires.
func (a *App) announceMetrics() {
	m := a.tel.TemporalMetrics()
	m.Counter(workflows.MetricTwins).Inc(0)
	m.Counter(activities.MetricNoEcho).Inc(0)
	for _, status := range endedStatuses() {
		for _, source := range egress.Sources() {
			m.WithTags(map[string]string{"status": string(status), "source": string(source)}).Counter(workflows.MetricEnded).Inc(0)
		}
	}
}

func endedStatuses() []egress.Status {
	return []egress.Status{
		egress.Status(livekit.EgressStatus_EGRESS_COMPLETE.String()),
		egress.Status(livekit.EgressStatus_EGRESS_FAILED.String()),
		egress.Status(livekit.EgressStatus_EGRESS_ABORTED.String()),
		egress.Status(livekit.EgressStatus_EGRESS_LIMIT_REACHED.String()),
		egress.Lost,
	}
}
