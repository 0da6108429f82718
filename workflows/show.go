package workflows

import (
	"slices"

	livekitpb "github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

var (
	attributeRoom    = temporal.NewSearchAttributeKeyKeyword(egress.AttributeRoom)
	attributeKind    = temporal.NewSearchAttributeKeyKeyword(egress.AttributeKind)
	attributeID      = temporal.NewSearchAttributeKeyKeyword(egress.AttributeID)
	attributeStatus  = temporal.NewSearchAttributeKeyKeyword(egress.AttributeStatus)
	attributeEndedBy = temporal.NewSearchAttributeKeyKeyword(egress.AttributeEndedBy)
	attributeMissed  = temporal.NewSearchAttributeKeyKeyword(egress.AttributeMissed)
	attributeStuck   = temporal.NewSearchAttributeKeyBool(egress.AttributeStuck)
)

// Metrics that the workflows count.
const (
	// MetricStarts counts what became of starts, but not of those of later parts, which are
	// announced as ends. Label: outcome; StartBegan, or an egress.Reason.
	MetricStarts = "reelkeeper_egress_starts_total"

	MetricEnded = "reelkeeper_egress_ended_total" // labels: status, source
	MetricTwins = "reelkeeper_egress_twins_total"
	// MetricCorrected counts verdicts that a late sign of life has changed.
	MetricCorrected = "reelkeeper_egress_corrected_total"
	// MetricRecovered counts parts that were started because the one before failed or is lost,
	// and egresses that took the place of one that is gone. A part after a limit is not counted:
	// nothing went wrong.
	MetricRecovered = "reelkeeper_egress_recovered_total"
	MetricStuck     = "reelkeeper_egress_stuck_total" // times that an egress was marked for a person; label: why

	MetricMissed = "reelkeeper_webhook_missed_total"         // label: class
	MetricLag    = "reelkeeper_egress_detection_lag_seconds" // label: source; from the end to when we heard of it
)

// StartBegan is the outcome of a start after which an egress runs.
const StartBegan = "began"

// countStart counts what became of a start.
func countStart(ctx workflow.Context, outcome string) {
	workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"outcome": outcome}).Counter(MetricStarts).Inc(1)
}

// introduce sets the search attributes that our own starter sets at the start, if something else
// started the workflow.
func (e *recording) introduce(ctx workflow.Context) {
	if workflow.GetTypedSearchAttributes(ctx).ContainsKey(attributeKind) {
		return
	}
	e.upsert(ctx, attributeKind.ValueSet(string(e.sum.Kind)), attributeRoom.ValueSet(egress.Keyword(e.sum.Room)),
		attributeStatus.ValueSet(livekitpb.EgressStatus_EGRESS_STARTING.String()), attributeStuck.ValueSet(false))
}

// reportMove shows a change of state in the log and the UI. The end is left to reportEnd, which has
// the verdict.
func (e *recording) reportMove(ctx workflow.Context) {
	e.explain(ctx)
	e.log.Info("egress moved", "egressID", e.ID, "status", e.Latest.StatusName(), "source", e.NewsBy)
}

// publish shows the egress's status in the search attributes. Each upsert is an event and a write
// to visibility, so there is none for a status that usually lasts a moment: an egress that has
// begun is given time to become active, and one that is ENDING is given time to end.
func (e *run) publish(ctx workflow.Context) {
	status := e.Latest.StatusName()
	switch {
	case e.Phase != egress.Watching, status == e.published.status:
	case e.Outlook() == egress.OutlookStarting && e.polling == nil:
	case e.published.status != "" && status == egress.Status(livekitpb.EgressStatus_EGRESS_ENDING.String()):
	default:
		e.published.status = status
		e.upsert(ctx, attributeID.ValueSet(e.ID), attributeStatus.ValueSet(string(status)))
	}
}

// reportEnd shows the verdict in the log, the metrics and the UI, and tells people of it if it
// concerns them.
func (e *recording) reportEnd(ctx workflow.Context) {
	v := e.verdict()
	e.log.Info("egress settled", "egressID", e.ID, "status", v.Status, "source", v.EndedBy, "late", v.Late.String(), "reason", v.Because,
		"missed", v.Missed, "missedBecause", v.MissedBecause)
	e.explain(ctx)
	e.count(ctx, v)
	e.notify(ctx, e.EndConcern(), 0, "")
}

// count counts the end of an egress.
func (e *recording) count(ctx workflow.Context, v egress.Verdict) {
	metrics := workflow.GetMetricsHandler(ctx)
	metrics.WithTags(map[string]string{"status": string(v.Status), "source": string(v.EndedBy)}).Counter(MetricEnded).Inc(1)
	if v.Status == egress.Lost { // nobody knows when that ended, and LiveKit had no end to report
		return
	}
	metrics.WithTags(map[string]string{"source": string(v.EndedBy)}).Timer(MetricLag).Record(v.Late.D())
	if v.Missed != "" {
		metrics.WithTags(map[string]string{"class": string(v.Missed)}).Counter(MetricMissed).Inc(1)
	}
}

// publishVerdict shows the verdict in the search attributes. Once it has, only what they say of a
// missed webhook changes, if that webhook comes after all.
func (e *recording) publishVerdict(ctx workflow.Context) {
	if !e.over() { // the step is of an earlier part, while this one records
		return
	}
	v := e.verdict()
	if e.published.status == e.Status {
		if v.Missed != e.published.missed {
			e.published.missed = v.Missed
			e.upsert(ctx, attributeMissed.ValueSet(string(v.Missed)))
		}
		return
	}
	e.published.status, e.published.missed = e.Status, v.Missed
	updates := []temporal.SearchAttributeUpdate{
		attributeID.ValueSet(e.ID), attributeStatus.ValueSet(string(v.Status)), attributeEndedBy.ValueSet(string(v.EndedBy)),
	}
	if v.Missed != "" {
		updates = append(updates, attributeMissed.ValueSet(string(v.Missed)))
	}
	e.upsert(ctx, updates...)
}

// publishLate shows what has changed since the verdict was published: a missed webhook came after
// all, or an earlier part ended.
func (e *recording) publishLate(ctx workflow.Context) {
	e.publishVerdict(ctx)
	if m := e.verdict().Memo(); m.Missed != e.remembered.Missed || !slices.Equal(m.Earlier, e.remembered.Earlier) {
		e.remember(ctx)
	}
}

// remember keeps in the memo what a report needs of a recording that is over. It is called at the
// end of the workflow, whose own write to visibility then covers it, or sooner if a step did not
// succeed at once. It cannot fail on what we write: every Memo can be encoded as JSON and
// encrypted.
func (e *recording) remember(ctx workflow.Context) {
	if !e.over() {
		return
	}
	e.remembered = e.verdict().Memo()
	if err := workflow.UpsertMemo(ctx, map[string]any{egress.MemoVerdict: e.remembered}); err != nil {
		e.log.Error("verdict not recorded", "egressID", e.ID, "error", err)
	}
}

// mark lets a person find the egress, and says why in words. If a step waits for them, it is named.
func (e *recording) mark(ctx workflow.Context, why, step string) {
	e.Stuck = why
	workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"why": string(e.Mark())}).Counter(MetricStuck).Inc(1)
	e.log.Error("needs a person", "egressID", e.ID, "reason", why)
	e.explain(ctx)
	e.upsert(ctx, attributeStuck.ValueSet(true))
	e.notify(ctx, egress.ConcernStuck, 0, step)
}

// clear removes the mark.
func (e *recording) clear(ctx workflow.Context) {
	if e.Stuck == "" {
		return
	}
	e.Stuck = ""
	e.explain(ctx)
	e.upsert(ctx, attributeStuck.ValueSet(false))
}

// upsert cannot fail: the names and types that we send are constants.
func (e *recording) upsert(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		e.log.Error("search attributes not set", "egressID", e.ID, "error", err)
	}
}
