package activities

import (
	"context"

	"go.temporal.io/sdk/activity"
)

// Metrics of the reconciler.
const (
	MetricRounds     = "reelkeeper_reconcile_rounds_total" // labels: depth, outcome
	MetricCalls      = "reelkeeper_reconcile_livekit_calls_total"
	MetricUndone     = "reelkeeper_reconcile_failed_steps_total" // label: depth
	MetricStrays     = "reelkeeper_strays_total"                 // label: action, an egress.Deed
	MetricUnrecorded = "reelkeeper_unrecorded_rooms_total"       // label: action
)

// What is counted of rooms that should be recorded and are not: each once per round, by whether
// that round started to record it.
const (
	RoomReported = "reported"
	RoomRecorded = "recorded"
)

// The depths and outcomes of a round.
const (
	DepthActive   = "active"
	DepthAll      = "all"
	OutcomeDone   = "done"
	OutcomeFailed = "failed"
)

// count counts an attempt, with the calls and the failed steps of this attempt alone.
func (r *round) count(ctx context.Context, calls, failed int, err error) {
	depth, outcome := DepthActive, OutcomeDone
	if r.Deep {
		depth = DepthAll
	}
	if err != nil {
		outcome = OutcomeFailed
	}
	activity.GetMetricsHandler(ctx).Counter(MetricCalls).Inc(int64(calls))
	m := activity.GetMetricsHandler(ctx).WithTags(map[string]string{"depth": depth})
	m.WithTags(map[string]string{"outcome": outcome}).Counter(MetricRounds).Inc(1)
	m.Counter(MetricUndone).Inc(int64(failed))
}
