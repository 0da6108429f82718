package workflows

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// start asks LiveKit for the egress. It does not wait for the answer: a webhook may come first.
func (e *run) start(ctx workflow.Context) {
	opts, onlyLook := startOptions, e.handedBack != nil || e.withdrawn
	if onlyLook {
		opts = searchOptions
	}
	ctx, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, opts))
	var before egress.Part
	var notAfter time.Time
	since := e.since
	if n := len(e.Parts); e.Part > 1 {
		before, notAfter = e.Parts[n-1], e.Until()
		since = time.Unix(0, egress.Began(before.Info.Proto()))
	}
	if e.withdrawn {
		notAfter = e.StoppedAt
	}
	in := inputOf(e.in, e.Part, workflow.GetInfo(ctx), workflow.Now(ctx))
	in.Again = in.Again || e.overdue(ctx, before) || e.Part > 1 && len(e.aside) > 0
	e.lookedFor = in.Again
	e.starting = &pending{kind: started, cancel: cancel, future: workflow.ExecuteActivity(ctx, livekit.Start, activities.StartRequest{
		RequestID: e.id, Part: e.Part, Input: in, RunID: workflow.GetInfo(ctx).WorkflowExecution.RunID,
		RoomID: before.Info.Proto().GetRoomId(), Published: before.Status.Good(), NotAfter: notAfter, OnlyLook: onlyLook,
		Since: since, Parts: egressIDs(e.Parts), Began: began(workflow.GetInfo(ctx), workflow.Now(ctx)),
	})}
}

// takeStart takes the answer to the start. A refusal ends the run, unless a webhook has already
// shown that the egress runs: then only the answer was lost.
func (e *run) takeStart(ctx workflow.Context, ev event) error {
	e.starting = nil
	var s activities.Started
	err := ev.future.Get(ctx, &s)
	if reasonOf(err) == egress.HandedBack { // its caller may start it now, and we look for that
		e.handedBack = plainly("start egress", err)
		e.start(ctx)
		return nil
	}
	if id := s.Info.ID(); e.ID == "" && id != "" && e.NumberOf(id) > 0 {
		err = toCaller(&egress.Error{Reason: egress.AlreadyOver, Message: "egress " + id + " is a part that was told before"})
	}
	if err != nil && e.Phase == egress.Requested { // LiveKit does not send again the webhooks that came meanwhile: we have accepted them
		e.takeIn(ctx)
	}
	switch {
	case err == nil || e.Phase != egress.Requested:
		e.takeBegun(ctx, s, err)
	case e.withdrawn && interrupted(err):
		e.start(ctx) // only looks
	default:
		return plainly("start egress", err)
	}
	return nil
}

// takeBegun takes the answer to a start whose egress runs. With an error, only the answer was lost.
func (e *run) takeBegun(ctx workflow.Context, s activities.Started, err error) {
	e.Started, e.before, e.handedBack, e.failedStops = true, nil, nil, 0
	if e.Part == 1 {
		countStart(ctx, StartBegan)
	} else if e.recovers {
		workflow.GetMetricsHandler(ctx).Counter(MetricRecovered).Inc(1)
	}
	if err != nil {
		e.log.Warn("start failed, although a webhook shows that the egress runs", "egressID", e.ID, "error", err)
		e.ownTerms(ctx)
		e.HoldEarly()
	} else {
		e.agree(s.Terms)
		e.HoldEarly()
		for _, note := range s.Notes {
			e.Note(workflow.Now(ctx), note)
		}
		if e.ID == "" && slices.Contains(e.Twins, s.Info.ID()) { // it is bound now
			e.log.Error("a part was stopped as a twin of the one before", "egressID", s.Info.ID())
			e.Note(workflow.Now(ctx), "it had been stopped as a twin of the part before")
		}
		e.fold(ctx, egress.Observation{Info: s.Info, Source: egress.FromStart, HeardAt: workflow.Now(ctx)})
		if e.lookedFor { // what an earlier start began has recorded for a while
			e.BoundSince(s.Info, time.Time{})
		}
	}
	e.foldAside(ctx)
}

// ownTerms takes this worker's own terms for an egress whose start brought none. It is too late to
// refuse a pipeline that the worker does not know, so the default runs instead.
func (e *run) ownTerms(ctx workflow.Context) {
	var t egress.Terms
	if err := workflow.SideEffect(ctx, func(workflow.Context) any {
		t := e.worker.Terms
		t.Pipeline, _ = e.worker.Pipelines.Choose(e.in.Pipeline) // the default, if it does not know this one
		return t
	}).Get(&t); err != nil { // the task fails, and waits for a worker that can read them
		panic(fmt.Errorf("terms of a newer version cannot be read here: %w", err))
	}
	t.Storage = cmp.Or(e.Storage, e.in.Storage)
	if name := e.in.Pipeline; !e.Terms.Known() && name != "" && name != t.Pipeline.Name {
		e.log.Error("pipeline not known here, the default runs", "pipeline", name)
		e.Note(workflow.Now(ctx), "its worker does not know pipeline "+name+", so the default runs instead")
	}
	e.agree(t)
}

// agree takes the terms, and adds the caller's own webhooks to the steps.
func (e *run) agree(t egress.Terms) {
	if e.Terms.Known() { // the first part's stay, except for where the media goes
		e.Storage = t.Storage
		return
	}
	e.Terms = t
	switch {
	case e.in.Adopted: // there is no request to start again
		e.Recover = 0
	case e.in.Recover != nil:
		e.Recover = *e.in.Recover
	}
	for n := range e.sum.Webhooks {
		e.Steps = append(e.Steps, egress.WebhookStep(n))
	}
}

// takeWebhooks takes the webhooks that have arrived.
func (e *run) takeWebhooks(ctx workflow.Context) { takeAll(ctx, e.observations, e.takeWebhook) }

// takeAll takes the signals that have arrived on a channel.
func takeAll(ctx workflow.Context, from workflow.ReceiveChannel, take func(workflow.Context, egress.Event)) {
	for ev := (egress.Event{}); from.ReceiveAsync(&ev); ev = (egress.Event{}) {
		take(ctx, ev)
	}
}

func (e *run) takeWebhook(ctx workflow.Context, ev egress.Event) {
	o, err := egress.ObserveEvent(ev, workflow.Now(ctx))
	if err != nil {
		e.log.Error("webhook event cannot be read", "error", err)
		return
	}
	if !o.Final && e.IsOfThisPart(o) && len(egress.Webhooks(o.Info.Proto())) == 0 { // else LiveKit serves them
		e.relays.take(ev, workflow.GetInfo(ctx).GetContinueAsNewSuggested() && e.quiet(ctx))
	}
	if part, waits := e.unheard[o.Info.ID()]; waits && !o.Info.RanAgain(part.Latest) {
		part.Observe(o)
	}
	e.fold(ctx, o)
}

// takeListed takes what the reconciler saw in LiveKit's list.
func (e *run) takeListed(ctx workflow.Context, ev egress.Event) {
	o, suspect, err := egress.ObserveListed(ev, workflow.Now(ctx))
	switch {
	case err != nil:
		e.log.Error("listed egress cannot be read", "error", err)
	case suspect:
		e.Suspect(o.Info.ID(), o.HeardAt)
	default:
		e.fold(ctx, o)
	}
}

// fold takes news of an egress from any source but a poll, which is for takeLook. While nobody
// knows which egress is the bound one, news of one in another room is put aside, and so is the end
// of one from before this run.
func (e *run) fold(ctx workflow.Context, o egress.Observation) {
	if e.ID == "" && !e.Started && (e.elsewhere(o) || o.EndsWhatBeganBefore(e.since)) {
		e.putAside(ctx, o)
		return
	}
	n := e.Observe(o)
	if e.in.Adopted && e.MaxDuration > 0 { // it has recorded for a while
		e.BoundSince(o.Info, time.Time{})
	}
	e.followUp(ctx, n, o)
}

// followUp does what an observation calls for, by what it changed.
func (e *run) followUp(ctx workflow.Context, n egress.News, o egress.Observation) {
	switch n {
	case egress.NoNews:
	case egress.Foreign:
		e.foreign(ctx, o)
	case egress.Past:
		e.past(ctx, o)
	case egress.Moved:
		e.BoundSince(o.Info, workflow.GetInfo(ctx).WorkflowStartTime) // we may hear of it late, if no worker ran
		if e.Stuck == egress.WhyIdle {
			e.clear(ctx)
		}
		e.reportMove(ctx)
	}
}

// takeHint takes an event that announces an end: the egress will follow.
func (e *run) takeHint(ctx workflow.Context, ev egress.Event) {
	if e.Hint(ev, workflow.Now(ctx)) {
		e.log.Info("end expected", "egressID", e.ID, "event", ev.Proto().GetEvent())
	}
}

// takeLook takes what a poll saw. If a poll failed for good, the egress has not failed: the next
// poll is due after the usual wait.
func (e *run) takeLook(ctx workflow.Context, ev event) {
	e.polling, e.AskedFrom = nil, time.Time{}
	var l egress.Look
	if err := ev.future.Get(ctx, &l); err != nil {
		e.log.Warn("poll failed", "egressID", e.ID, "error", err)
	}
	now := workflow.Now(ctx)
	e.followUp(ctx, e.Looked(l, now), l.Observation(now))
	if l.Idle && e.Stuck == "" {
		e.mark(ctx, egress.WhyIdle, "")
	}
}

// stop tells LiveKit to end the egress, and any other egress or later run that takes its place
// meanwhile.
func (e *run) stop(ctx workflow.Context) {
	if e.Stopped == "" {
		e.WantStop(egress.StopMaxDuration, workflow.Now(ctx))
	}
	e.log.Info("stopping", "egressID", e.ID, "reason", e.Stopped)
	for e.Due(workflow.Now(ctx)) == egress.ActStop {
		e.StopDue = false
		e.sendStop(ctx, stopOptions, false)
	}
	e.answered.stops++
}

// probe learns whether the worker still answers, when there seems to be nothing left that it could
// record. Unless a stop was asked for, it is stopped only if it does not answer a question first.
func (e *run) probe(ctx workflow.Context) {
	e.log.Info("probing", "egressID", e.ID)
	e.sendStop(ctx, probeOptions, e.Stopped == "")
	if e.StopDue { // for what took its place
		e.doDue(ctx)
	}
}

// sendStop sends a stop; with ask set, only to a worker that does not answer a question. If another
// egress or a later run took the place of the stopped one meanwhile, LiveKit's answer says nothing of
// that.
func (e *run) sendStop(ctx workflow.Context, opts workflow.ActivityOptions, ask bool) {
	e.explain(ctx) // LiveKit may take a while to answer
	var info egress.Info
	id, before := e.ID, e.Latest
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), livekit.Stop, id, ask).Get(ctx, &info)
	now := workflow.Now(ctx)
	e.answered.err, e.answered.info = err, info
	if ask {
		e.Evidence.NoteProbe(info, reasonOf(err), now)
	} else {
		e.Evidence.Probed = now
	}
	e.takeWebhooks(ctx) // if LiveKit's webhook of the end has come, it counts before the answer
	other := e.ID != id || e.Latest.RanAgain(before) || before.Ended() && !e.Latest.Ended()
	if other {
		e.answered.forget()
	}
	switch why := reasonOf(err); {
	case why == "":
		if ask && !other && e.TakeAnswer(info) {
			e.log.Warn("its worker answers, although LiveKit does not show it in its room", "egressID", id)
		}
		e.fold(ctx, egress.Observation{Info: info, Source: egress.FromStop, HeardAt: now})
	case other:
	case why == egress.Unanswered:
		e.Evidence.Unanswered = now
	case why == egress.NotFound:
		if e.Evidence.MissingSince.IsZero() {
			e.Evidence.MissingSince = now
		}
	default:
		e.log.Warn("stop failed", "egressID", id, "error", err)
	}
}

// lose settles the egress as lost.
func (e *run) lose(ctx workflow.Context) {
	now := workflow.Now(ctx)
	why, _ := e.WhyLost()
	e.GiveUp(egress.FromTimeout, why, now)
	e.log.Error("lost", "egressID", e.ID, "reason", why)
	e.reportMove(ctx)
}

// plan is when the run wakes by itself: by a timer that runs until news is overdue, or by a poll
// that the server repeats.
type plan struct {
	look    time.Time
	alarm   time.Time
	outlook egress.Outlook
	doubt   bool // a poll answers once it knows whether the recorder is in its room
}

func (e *run) plan() plan {
	return plan{look: e.NextLook(), alarm: e.Alarm(), outlook: e.Outlook(), doubt: e.InDoubt()}
}

// wake returns when the timer is to fire.
func (p plan) wake() time.Time {
	if !p.alarm.IsZero() && p.alarm.Before(p.look) {
		return p.alarm
	}
	return p.look
}

// sleep returns the timer's summary.
func (p plan) sleep() string {
	return "sleep until " + p.wake().UTC().Format("2006-01-02 15:04:05 MST") + ", unless LiveKit reports sooner"
}

// arm makes the run wake when the state says so. It leaves what is armed alone if that has not
// changed: each change costs history.
func (e *run) arm(ctx workflow.Context) {
	if !e.Started || e.Phase != egress.Watching && e.Phase != egress.Held {
		e.disarm()
		return
	}
	p := e.plan()
	if e.polling != nil && p == e.armed || e.wake != nil && p.wake().Equal(e.armed.wake()) {
		return
	}
	e.disarm()
	e.armed = p
	// Webhooks do not come, so a poll can do the waiting, unless something is to be done at an exact
	// time.
	if e.NewsBy == egress.FromPoll && e.Phase == egress.Watching && p.wake().Equal(p.look) && !p.look.Equal(e.Decisive()) {
		e.poll(ctx)
		return
	}
	e.wake = timer(ctx, woke, p.wake(), p.sleep())
}

// armLimit keeps a timer at the recording's longest duration while a poll does the waiting: the stop
// must not wait for the poll's turn, which the rate of all polls may put off.
func (e *run) armLimit(ctx workflow.Context) {
	at := e.Until()
	switch {
	case !at.After(workflow.Now(ctx)) || e.polling == nil || e.Phase != egress.Watching || e.Stopped != "":
		return
	case e.limit != nil && at.Equal(e.limitAt):
		return
	case e.limit != nil: // it began earlier than was known
		e.limit.cancel()
	}
	e.limit, e.limitAt = timer(ctx, outlasted, at, "until its max_duration has passed"), at
}

func timer(ctx workflow.Context, kind eventKind, at time.Time, summary string) *pending {
	ctx, cancel := workflow.WithCancel(ctx)
	return &pending{kind: kind, cancel: cancel, future: workflow.NewTimerWithOptions(ctx, at.Sub(workflow.Now(ctx)),
		workflow.TimerOptions{Summary: summary})}
}

func (e *run) disarm() {
	for _, p := range []*pending{e.wake, e.polling} {
		if p != nil {
			p.cancel()
		}
	}
	e.wake, e.polling, e.armed, e.AskedFrom = nil, nil, plan{}, time.Time{}
}

// poll starts an activity that looks, and that the server repeats until there is news.
func (e *run) poll(ctx workflow.Context) {
	if e.polling != nil {
		return
	}
	p := e.plan()
	e.disarm()
	e.armed, e.AskedFrom = p, p.look
	opts := as(pollOptions, pollOptions.Summary+" ("+string(p.outlook)+")")
	if e.Phase == egress.Held || p.outlook == egress.OutlookEnding { // a next part, or a verdict, waits for it
		opts.Priority = urgent
	}
	ctx, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, opts))
	e.polling = &pending{kind: looked, cancel: cancel, future: workflow.ExecuteActivity(ctx, livekit.Poll, activities.PollRequest{
		EgressID: e.ID, Room: e.Room(e.sum.Room), Have: e.Latest.Proto().GetStatus(), Outlook: p.outlook, Policy: e.Policy, From: p.look, Until: p.alarm, WebhookSeen: e.WebhookSeen, Doubt: p.doubt,
		Seen: e.RecorderSeen, Marked: e.Stuck != "", MissingSince: e.Evidence.MissingSince,
	})}
}
