package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// foreign deals with an egress of the request that is not the bound one.
//
//   - If it records, it is stopped: it would record the same room a second time.
//   - If the bound one is gone, it is the only recording, and takes the bound one's place.
//   - If it has ended, it is announced as an earlier part: it was recorded, and its caller may know
//     of no other.
//   - If it records another room, which somebody asked for with the same key past Temporal, it is
//     left to record until it ends.
//   - If a webhook tells of its end, and it began before this run, an earlier run of the same ID has
//     announced it. A round tells of one that none has.
func (e *run) foreign(ctx workflow.Context, o egress.Observation) {
	id := o.Info.ID()
	switch {
	case slices.Contains(e.Twins, id) && !e.CanPrecede(o) && !o.Info.RanAgain(e.asStopped[id]): // it was stopped before
		return
	case !e.Orphaned() && e.elsewhere(o) && !o.Info.Ended():
		e.log.Error("left to record, since it is of another room", "egressID", e.ID, "other", id)
		return
	case o.Source == egress.FromWebhook && o.EndsWhatBeganBefore(e.since):
		e.log.Info("began before this run", "egressID", e.ID, "other", id)
		return
	case e.Undecided(o):
		e.putAside(ctx, o)
		return
	}
	stopped, later := false, false
	if !e.Orphaned() && !e.elsewhere(o) {
		o, stopped, later = e.stopUnlessGone(ctx, o)
	}
	if e.correct(ctx, o) {
		return
	}
	switch {
	case later, e.Undecided(o): // for example, it has ended since
		e.putAside(ctx, o)
	case e.Orphaned() && !e.Followed(o):
		e.takeOver(ctx, o)
	case e.CanPrecede(o):
		e.log.Warn("ended before the bound egress, as an earlier part", "egressID", e.ID, "other", id)
		part := e.Precede(o)
		e.count(ctx, part.Verdict(e.id, e.sum))
		e.tellPart(ctx, part)
	case !stopped:
		e.putAside(ctx, o)
	default:
		if e.asStopped[id] = o.Info; !slices.Contains(e.Twins, id) {
			e.Twins = append(e.Twins, id)
		}
		workflow.GetMetricsHandler(ctx).Counter(MetricTwins).Inc(1)
		e.log.Error("twin", "egressID", e.ID, "twin", id)
	}
}

// elsewhere reports whether an egress of the request records another room than the bound one, or
// than was asked for.
func (e *run) elsewhere(o egress.Observation) bool {
	here, there := e.Room(e.sum.Room), o.Info.Proto().GetRoomName()
	return here != "" && there != "" && here != there
}

// stopUnlessGone asks LiveKit for the bound egress, unless its end is known, and stops the twin,
// unless the bound one is gone, which the state then says. It returns what is now known of the
// twin, and reports whether it has stopped, or is a later part of the recording.
func (e *run) stopUnlessGone(ctx workflow.Context, o egress.Observation) (now egress.Observation, stopped, later bool) {
	in := activities.TwinRequest{Twin: o.Info.ID(), Over: o.Final || o.Info.Ended()}
	if e.Phase == egress.Watching {
		in.Bound, in.Seen = e.ID, e.RecorderSeen
	}
	if e.Stopped == "" { // else neither is to go on
		in.Room = e.Room(e.sum.Room)
	}
	if e.MayHaveNext(e.nextPartAt(ctx)) {
		in.After = activities.AfterPart{Part: e.Part, Began: egress.Began(e.Latest.Proto())}
	}
	if in.Over && in.Bound == "" {
		return o, true, false
	}
	var a activities.TwinAnswer
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, twinOptions), livekit.StopTwin, in).Get(ctx, &a)
	if err != nil {
		e.log.Error("twin could not be stopped", "twin", in.Twin, "error", err)
	}
	at := workflow.Now(ctx)
	switch {
	case a.BoundMissing:
		e.Evidence.MissingSince = at
	case a.BoundAbsent:
		e.RecorderLeft(at)
		return o, false, false
	case a.Later: // the start of the next part finds it, once the bound one is over
		e.log.Error("left alone, since it was started as a later part", "egressID", e.ID, "other", in.Twin)
		e.failedStops++
		return o, false, true
	case a.BoundFailed.Known():
		e.fold(ctx, egress.Observation{Info: a.BoundFailed, Source: egress.FromPoll, HeardAt: at})
	case a.Ended.Known():
		return egress.Observation{Info: a.Ended, Source: egress.FromStop, HeardAt: at}, true, false
	}
	reason := reasonOf(err)
	if reason == egress.Unanswered {
		e.failedStops++
	} else {
		e.failedStops = 0
	}
	return o, err == nil || reason == egress.NotFound || reason == egress.AlreadyOver, false
}

// takeOver makes an egress the next part of the recording, since the bound one is gone. The bound
// one is announced as lost, or as it ended. An egress that cannot take its place now is left to
// record; if the start has not answered, it is put aside.
func (e *run) takeOver(ctx workflow.Context, o egress.Observation) {
	id := o.Info.ID()
	if !e.CanTakeOver(o) {
		e.log.Error("left to record, since the bound egress is gone", "egressID", e.ID, "other", id)
		if !e.Started {
			e.putAside(ctx, o)
		}
		return
	}
	e.log.Error("takes the place of the bound egress, which is gone", "egressID", e.ID, "other", id)
	workflow.GetMetricsHandler(ctx).Counter(MetricRecovered).Inc(1)
	if e.Phase != egress.Delivered {
		e.disarm()
		if e.Phase == egress.Watching {
			e.GiveUp(egress.FromTimeout, "LiveKit no longer knows the egress, and "+id+" of the same request records", workflow.Now(ctx))
		}
		e.Settle()
		if !e.toldBefore {
			e.reportEnd(ctx)
			e.tellPart(ctx, e.State)
		}
	}
	e.relays.reopen()
	e.toldBefore = false
	e.TakeOver(o)
	e.published.status = ""
	e.fold(ctx, o)
}
