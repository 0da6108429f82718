package activities

import (
	"context"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// CallsPerPoll is how many LiveKit API calls one look takes: for the egress, and for its own
// participant. Only if the participant is not found, or the egress does not begin, does the look
// also ask for the room.
const CallsPerPoll = 2

// PollRequest is the argument of Poll.
type PollRequest struct {
	EgressID    string               `json:"egress_id"`
	Room        string               `json:"room,omitempty"` // empty for a web egress
	Have        livekit.EgressStatus `json:"have"`           // any status further along is news
	Outlook     egress.Outlook       `json:"outlook"`
	Policy      egress.Policy        `json:"policy"`
	From        time.Time            `json:"from"`           // not before; zero: at once
	Until       time.Time            `json:"until"`          // answer then, with or without news; zero: never
	WebhookSeen bool                 `json:"told,omitempty"` // a webhook of this egress has come
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
	s := recall(ctx, in)
	before := s
	stop := keepAlive(ctx, before)
	look, why := a.look(ctx, in, &s, now)
	stop()
	if s != before {
		activity.RecordHeartbeat(ctx, s)
	}
	until := s.until(in)
	if why == "" || !until.IsZero() && !clock().Before(until) {
		look.RoomGone, look.RecorderGone, look.RecorderSeen, look.EndExpected = s.RoomGone, s.RecorderGone, s.Seen, s.EndExpected
		look.Missed, look.MissedBecause = whyMissed(ctx, a.cfg.Endpoint, look.Info, egress.Miss{HeardAt: clock(), WebhookSeen: in.WebhookSeen})
		return look, nil
	}
	delay := a.wait(ctx, in, &s, look)
	if !until.IsZero() {
		delay = min(delay, max(until.Sub(clock()), time.Millisecond))
	}
	return egress.Look{}, retryIn(stillGoing(why), delay)
}

// wait returns how long to wait before the next look. While the reconciler looks after it, an
// egress that is active, or uploads for long, is left alone for longer, unless LiveKit could not
// be asked for it or did not know it.
func (a *LiveKit) wait(ctx context.Context, in PollRequest, s *sight, l egress.Look) time.Duration {
	looks, spread := s.looks(ctx, in), egress.Spread(in.EgressID)
	if watched, ok := in.Policy.Watched(a.cfg.ReconcileEvery, looks, spread); ok && l.Info.Known() && a.cfg.Reconciling(ctx) {
		switch {
		case s.outlook(in) == egress.OutlookActive:
			return watched
		case s.Ending && looks >= len(in.Policy.LookEnding):
			return in.Policy.Wait(egress.OutlookActive, looks, spread)
		}
	}
	return in.Policy.Wait(s.outlook(in), looks, spread)
}

// look asks once. why is empty if there is news; otherwise it says what was seen and is shown
// among the workflow's pending activities.
func (a *LiveKit) look(ctx context.Context, in PollRequest, s *sight, now time.Time) (l egress.Look, why string) {
	m, err := a.api.Get(ctx, in.EgressID)
	switch {
	case egress.ReasonOf(err) == egress.NotFound:
		if s.MissingSince.IsZero() {
			s.MissingSince = now
		}
		l.MissingSince = s.MissingSince
		if now.Sub(s.MissingSince) >= in.Policy.LostAfter.D() {
			return l, ""
		}
		return l, "LiveKit does not know it"
	case err != nil:
		return l, "LiveKit could not be asked: " + err.Error()
	}
	s.MissingSince = time.Time{}
	if l.Info, err = egress.NewInfo(m); err != nil {
		return l, err.Error()
	}
	status := m.GetStatus()
	s.Ending = status == livekit.EgressStatus_EGRESS_ENDING
	switch {
	case s.Ending && in.Have == livekit.EgressStatus_EGRESS_ACTIVE:
		s.expectEnd(ctx, now)
	case egress.Ahead(status, in.Have):
		s.RecorderGone = time.Time{} // it had only just begun
		return l, ""
	case in.Room != "" && !s.Ending:
		a.seek(ctx, in, s, &l, now)
	}
	a.overdue(ctx, in, s, m, now)
	if in.Doubt && (l.RecorderHere || l.RecorderAbsent) {
		return l, ""
	}
	if l.Idle = !s.IdleSince.IsZero() && now.Sub(s.IdleSince) >= idleFor; l.Idle {
		return l, ""
	}
	return l, s.still(l.Info.StatusName())
}

// still says in words what was seen of an egress without news.
func (s *sight) still(status egress.Status) string {
	why := "still " + string(status)
	switch {
	case !s.RoomGone.IsZero():
		why += ", its room is gone"
	case !s.RecorderGone.IsZero():
		why += ", its participant is not in the room"
	}
	return why
}

// seek looks for the egress's own participant, which is there as long as its worker lives, and for
// the room if it is not. Absence means something only if the participant has been there, or if
// LiveKit shows recorders that join in the same way and this one is not still on its way.
func (a *LiveKit) seek(ctx context.Context, in PollRequest, s *sight, l *egress.Look, now time.Time) {
	here, err := a.api.Present(ctx, in.Room, in.EgressID)
	if err != nil { // nothing is known of it
		return
	}
	l.RecorderHere, l.RecorderAbsent = here, !here
	switch {
	case here:
		a.cfg.Shown.Saw(l.Info.Proto())
		s.Seen = true
		s.RecorderGone, s.RoomGone, s.EndExpected = time.Time{}, time.Time{}, time.Time{}
		return
	case s.RecorderGone.IsZero() && (s.Seen || a.cfg.Shown.Tells(l.Info.Proto()) && !egress.ComesYet(l.Info.Proto(), now)):
		s.RecorderGone = now
		s.expectEnd(ctx, now)
	}
	if in.Outlook == egress.OutlookEnding || !s.RoomGone.IsZero() { // the room would tell nothing more
		return
	}
	if room, err := a.api.Room(ctx, in.Room, l.Info.Proto().GetRoomId()); err == nil && room == nil {
		s.RoomGone = now
		s.expectEnd(ctx, now)
	}
}

// overdue notes since when an egress has not begun though somebody publishes in its room.
func (a *LiveKit) overdue(ctx context.Context, in PollRequest, s *sight, m *livekit.EgressInfo, now time.Time) {
	if in.Marked || !egress.Overdue(m, now) || !s.RoomGone.IsZero() {
		s.IdleSince = time.Time{}
		return
	}
	room, err := a.api.Room(ctx, m.GetRoomName(), m.GetRoomId())
	switch {
	case err != nil: // nothing is known of it
	case room.GetNumPublishers() == 0:
		s.IdleSince = time.Time{}
	case s.IdleSince.IsZero():
		s.IdleSince = now
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
	Attempt      int32     `json:"attempt"`             // the attempt that first saw the end coming
}

func recall(ctx context.Context, in PollRequest) sight {
	var s sight
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &s) == nil {
		return s
	}
	return sight{MissingSince: in.MissingSince, Seen: in.Seen} // the first look, or the details of another version: sight starts anew
}

func (s *sight) expectEnd(ctx context.Context, now time.Time) {
	if s.EndExpected.IsZero() {
		s.EndExpected, s.Attempt = now, activity.GetInfo(ctx).Attempt
	}
}

func (s *sight) outlook(in PollRequest) egress.Outlook {
	if !s.EndExpected.IsZero() {
		return egress.OutlookEnding
	}
	return in.Outlook
}

// looks counts the looks that found nothing under the current outlook, except the one for which
// the workflow's own timer waited.
func (s *sight) looks(ctx context.Context, in PollRequest) int {
	i := activity.GetInfo(ctx)
	n := i.Attempt
	switch {
	case !s.EndExpected.IsZero():
		n -= s.Attempt
	case in.From.After(i.ScheduledTime):
		n-- // the first attempt only waited
	}
	return int(n)
}

// until returns when the workflow wants an answer, with or without news. An end in sight moves
// that forward to when the workflow weighs the evidence.
func (s *sight) until(in PollRequest) time.Time {
	if s.EndExpected.IsZero() {
		return in.Until
	}
	act := s.EndExpected.Add(in.Policy.LostAfter.D())
	if s.Ending {
		act = s.EndExpected.Add(in.Policy.GiveUpAfter.D())
	}
	if !in.Until.IsZero() && in.Until.Before(act) {
		return in.Until
	}
	return act
}
