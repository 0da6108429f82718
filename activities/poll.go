package activities

import (
	"context"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// CallsPerPoll is how many LiveKit API calls one look takes: for the egress, and for its own
// participant. Only if the participant is not found, or nobody answers for it, or the egress does not
// begin, does the look also ask for the room, and twice before it calls the room gone.
const CallsPerPoll = 2

// PollRequest is the argument of Poll.
type PollRequest struct {
	EgressID    string               `json:"egress_id"`
	Room        string               `json:"room,omitempty"` // empty for a web egress
	Have        livekit.EgressStatus `json:"have"`           // any status further along is news
	Outlook     egress.Outlook       `json:"outlook"`
	Policy      egress.Policy        `json:"policy"`
	From        time.Time            `json:"from"`                   // not before; zero: at once
	Until       time.Time            `json:"until"`                  // answer then, with or without news; zero: never
	WebhookSeen bool                 `json:"webhook_seen,omitempty"` // a webhook of this egress has come
	// Doubt asks for an answer as soon as it is known whether the recorder is in its room.
	Doubt bool `json:"doubt,omitempty"`
	// Seen says that the egress's own participant has been in the room.
	Seen bool `json:"seen,omitempty"`
	// Marked says that a person has already been called, so that it is no news that the egress does
	// not begin.
	Marked bool `json:"marked,omitempty"`
	// MissingSince is since when LiveKit is known not to know the egress; zero: it did.
	MissingSince time.Time `json:"missing_since,omitzero"`
}

// Poll asks LiveKit until there is news. Between its looks nothing runs and nothing is recorded:
// each look without news is a failed attempt that Temporal's server retries after the delay that
// the policy names. It only reads, so any number of attempts is harmless.
//
// An end that comes into sight, because the room is gone or the upload began, is not yet news:
// Poll continues with the waits of an ending egress until the egress has ended, or has not ended
// for so long that the workflow must act.
func (a *LiveKit) Poll(ctx context.Context, in PollRequest) (egress.Look, error) {
	clock := a.cfg.Clock(ctx)
	now := clock()
	if now.Before(in.From) {
		return egress.Look{}, retryIn(stillGoing("first look is not due"), in.From.Sub(now))
	}
	p := poll{LiveKit: a, in: in, info: activity.GetInfo(ctx), now: now, sight: recall(ctx, in)}
	before := p.sight
	stop := keepAlive(ctx, before)
	why := p.ask(ctx)
	stop()
	if p.sight != before {
		activity.RecordHeartbeat(ctx, p.sight)
	}
	until := p.until()
	if why == "" || !until.IsZero() && !clock().Before(until) {
		p.look.RoomGone, p.look.RecorderGone, p.look.RecorderSeen, p.look.EndExpected = p.RoomGone, p.RecorderGone, p.Seen, p.EndExpected
		p.look.Missed, p.look.MissedBecause = whyMissed(ctx, a.cfg.Endpoint, p.look.Info, egress.Miss{HeardAt: clock(), WebhookSeen: in.WebhookSeen})
		return p.look, nil
	}
	delay := p.wait(ctx)
	if !until.IsZero() {
		delay = min(delay, max(until.Sub(clock()), time.Millisecond))
	}
	return egress.Look{}, retryIn(stillGoing(why), delay)
}

// poll is one attempt of a poll: what earlier looks saw, and what this one sees.
type poll struct {
	*LiveKit
	sight
	in   PollRequest
	info activity.Info // Temporal's, of this attempt
	now  time.Time     // when the attempt began
	look egress.Look   // what it sees
}

// wait returns how long to wait before the next look. While the reconciler looks after it, an
// egress that is active, or uploads for long, is left alone for longer, unless LiveKit could not
// be asked for it or did not know it.
func (p *poll) wait(ctx context.Context) time.Duration {
	policy, outlook, looks, spread := p.in.Policy, p.outlook(), p.looks(), egress.Spread(p.in.EgressID)
	if watched, ok := policy.Watched(p.cfg.ReconcileEvery, looks, spread); ok && p.look.Info.Known() && p.cfg.Reconciling(ctx) {
		switch {
		case outlook == egress.OutlookActive:
			return watched
		case p.Ending && looks >= len(policy.LookEnding):
			outlook = egress.OutlookActive
		}
	}
	return policy.Wait(outlook, looks, spread)
}

// ask looks once. why is empty if there is news; otherwise it says what was seen and is shown
// among the workflow's pending activities.
func (p *poll) ask(ctx context.Context) (why string) {
	m, err := p.api.Get(ctx, p.in.EgressID)
	switch {
	case egress.ReasonOf(err) == egress.NotFound:
		if p.MissingSince.IsZero() {
			p.MissingSince = p.now
		}
		p.look.MissingSince = p.MissingSince
		if p.now.Sub(p.MissingSince) >= p.in.Policy.LostAfter.D() {
			return ""
		}
		return "LiveKit does not know it"
	case err != nil:
		return "LiveKit could not be asked: " + err.Error()
	}
	p.MissingSince = time.Time{}
	if p.look.Info, err = egress.NewInfo(m); err != nil {
		return err.Error()
	}
	status := m.GetStatus()
	// LiveKit lists as active what uploads at its limit (see Stop).
	p.Ending = status == livekit.EgressStatus_EGRESS_ENDING || p.in.Have == livekit.EgressStatus_EGRESS_ENDING
	switch {
	case p.Ending && p.in.Have == livekit.EgressStatus_EGRESS_ACTIVE:
		p.expectEnd()
	case egress.Ahead(status, p.in.Have):
		p.RecorderGone = time.Time{} // it had only just begun
		return ""
	case p.in.Room != "" && !p.Ending:
		p.seek(ctx)
	}
	p.noteIdle(ctx, m)
	if p.in.Doubt && (p.look.RecorderHere || p.look.RecorderAbsent) {
		return ""
	}
	if p.look.Idle = !p.IdleSince.IsZero() && p.now.Sub(p.IdleSince) >= idleFor; p.look.Idle {
		return ""
	}
	return p.still()
}

// still says in words what was seen of an egress without news.
func (p *poll) still() string {
	why := "still " + string(p.look.Info.StatusName())
	switch {
	case !p.RoomGone.IsZero():
		why += ", its room is gone"
	case !p.RecorderGone.IsZero():
		why += ", its participant is not in the room"
	}
	return why
}

// seek looks for the egress's own participant, which is there as long as its worker lives, and for
// the room if it is not. Absence means something only if the participant has been there, or if
// LiveKit shows recorders that join in the same way and this one is not still on its way.
func (p *poll) seek(ctx context.Context) {
	m := p.look.Info.Proto()
	here, roomGone, err := recorderIn(ctx, p.api, p.in.Room, m.GetRoomId(), p.in.EgressID)
	if err != nil { // nothing is known of it
		return
	}
	p.look.RecorderHere, p.look.RecorderAbsent = here, !here
	switch {
	case here:
		p.cfg.Shown.Saw(m)
		p.Seen = true
		p.RecorderGone, p.RoomGone, p.EndExpected = time.Time{}, time.Time{}, time.Time{}
		return
	case p.RecorderGone.IsZero() && (p.Seen || p.cfg.Shown.Tells(m) && !egress.ComesYet(m, p.now)):
		p.RecorderGone = p.now
		p.expectEnd()
	}
	if p.in.Outlook == egress.OutlookEnding { // the room would tell nothing more
		return
	}
	var room *livekit.Room
	if !roomGone {
		room, err = liveRoom(ctx, p.api, p.in.Room, m.GetRoomId())
	}
	switch {
	case err != nil: // nothing is known of it
	case room == nil && p.RoomGone.IsZero():
		p.RoomGone = p.now
		p.expectEnd()
	case room != nil && !p.RoomGone.IsZero(): // LiveKit had lost it for a moment, or the answer was not LiveKit's
		if p.RoomGone = (time.Time{}); p.RecorderGone.IsZero() {
			p.EndExpected = time.Time{}
		}
	}
}

// noteIdle notes since when an egress has not begun though somebody publishes in its room.
func (p *poll) noteIdle(ctx context.Context, m *livekit.EgressInfo) {
	if p.in.Marked || !egress.Overdue(m, p.now) || !p.RoomGone.IsZero() {
		p.IdleSince = time.Time{}
		return
	}
	room, err := p.api.Room(ctx, m.GetRoomName(), m.GetRoomId())
	switch {
	case err != nil: // nothing is known of it
	case room.GetNumPublishers() == 0:
		p.IdleSince = time.Time{}
	case p.IdleSince.IsZero():
		p.IdleSince = p.now
	}
}

// idleFor is how long somebody must have been publishing in the room of an egress that does not
// begin: normally it begins seconds after the first track is published.
const idleFor = 30 * time.Second

func stillGoing(why string) error { return &egress.Error{Reason: egress.StillGoing, Message: why} }

// sight is what a poll knows from its earlier looks. Temporal keeps it for the next attempt as
// heartbeat details. A zero time means that this was not seen.
type sight struct {
	MissingSince time.Time `json:"missing_since"` // since when LiveKit does not know the egress
	RoomGone     time.Time `json:"room_gone"`
	RecorderGone time.Time `json:"recorder_gone"`
	Seen         bool      `json:"seen,omitempty"` // its own participant has been in the room
	EndExpected  time.Time `json:"end_expected"`
	IdleSince    time.Time `json:"idle_since,omitzero"` // since when it has not begun though somebody publishes
	Ending       bool      `json:"ending"`              // it is uploading, which may take as long as it needs
	EndAttempt   int32     `json:"end_attempt"`         // the attempt that first saw the end coming
}

func recall(ctx context.Context, in PollRequest) sight {
	var s sight
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &s) == nil {
		return s
	}
	return sight{MissingSince: in.MissingSince, Seen: in.Seen} // the first look, or the details of another version: sight starts anew
}

func (p *poll) expectEnd() {
	if p.EndExpected.IsZero() {
		p.EndExpected, p.EndAttempt = p.now, p.info.Attempt
	}
}

func (p *poll) outlook() egress.Outlook {
	if !p.EndExpected.IsZero() {
		return egress.OutlookEnding
	}
	return p.in.Outlook
}

// looks counts the looks that found nothing under the current outlook, except the one for which
// the workflow's own timer waited.
func (p *poll) looks() int {
	n := p.info.Attempt
	switch {
	case !p.EndExpected.IsZero():
		n -= p.EndAttempt
	case p.in.From.After(p.info.ScheduledTime):
		n-- // the first attempt only waited
	}
	return int(n)
}

// until returns when the workflow wants an answer, with or without news. An end in sight moves
// that forward to when the workflow weighs the evidence.
func (p *poll) until() time.Time {
	if p.EndExpected.IsZero() {
		return p.in.Until
	}
	act := p.EndExpected.Add(p.in.Policy.LostAfter.D())
	if p.Ending {
		act = p.EndExpected.Add(p.in.Policy.GiveUpAfter.D())
	}
	if !p.in.Until.IsZero() && p.in.Until.Before(act) {
		return p.in.Until
	}
	return act
}
