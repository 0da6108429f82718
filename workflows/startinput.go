package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// inputOf returns the input of a part's start. What the request says of the time of its start, and
// of earlier starts, is about the first part alone.
func inputOf(in egress.Input, part int, info *workflow.Info, now time.Time) egress.Input {
	if part > 1 {
		in.StartBy, in.Again, in.Unlisted = nil, false, false
	}
	if !wasReset(info) {
		return in
	}
	in.Again, in.Unlisted = true, part == 1 // the run that was reset may just have asked for it
	if part == 1 && now.Sub(began(info, now)) > egress.Remembered {
		return in.OnlyLook() // what it recorded may have ended so long ago that LiveKit no longer lists it
	}
	return in
}

// overdue reports whether a start comes so late that Temporal may have been restored from a backup
// in between: then it was already made, and LiveKit lists it by now. A first part with a StartBy is
// refused as too late instead.
func (e *run) overdue(ctx workflow.Context, before egress.Part) bool {
	since := workflow.GetInfo(ctx).WorkflowStartTime
	if e.Part > 1 {
		since = time.Unix(0, before.Info.Proto().GetEndedAt()) // zero if it was lost, which counts as long ago
	}
	return (e.Part > 1 || e.in.StartBy == nil) && workflow.Now(ctx).Sub(since) > egress.LateStart
}

// egressIDs returns the egress IDs of parts.
func egressIDs(parts []egress.Part) (ids []string) {
	for _, p := range parts {
		ids = append(ids, p.EgressID)
	}
	return ids
}

// sinceOf returns when the run began, or zero if an earlier one may have asked for its first part.
func sinceOf(info *workflow.Info, in egress.Input, now time.Time) time.Time {
	if in.Again || in.Unlisted || wasReset(info) {
		return time.Time{}
	}
	return began(info, now)
}

// began returns when the run began. One that a cron schedule began was there since the last one
// ended, but asks for nothing before its time.
func began(info *workflow.Info, now time.Time) time.Time {
	if info.CronSchedule != "" {
		return now
	}
	return info.WorkflowStartTime
}

// wasReset reports whether the run continues from a point in the history of an earlier one, which
// may have started this part.
func wasReset(info *workflow.Info) bool {
	return info.OriginalRunID != "" && info.OriginalRunID != info.WorkflowExecution.RunID // empty in the SDK's test environment
}
