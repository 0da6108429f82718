package egress

import (
	"fmt"
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/encoding/protojson"
)

// Action is what an egress needs now.
type Action string

// What can be due.
const (
	ActNothing  Action = "nothing"
	ActWithdraw Action = "withdraw" // take back the start of its next part
	ActStop     Action = "stop"     // tell LiveKit to stop it
	ActProbe    Action = "probe"    // send a stop to learn whether its worker still answers
	ActLose     Action = "lose"     // settle it as lost
	ActMark     Action = "mark"     // mark it for a person: it runs longer than it should
	ActLook     Action = "look"     // news is overdue: ask LiveKit
	ActSettle   Action = "settle"   // make the held end the last word
)

// Due returns what the egress needs at the given time. It is the whole policy of the watch.
func (s *State) Due(now time.Time) Action {
	switch {
	case s.Phase == Held:
		return s.dueHeld(now)
	case s.Phase == Requested && s.Part > 1 && s.StopDue: // the start may be waiting for somebody who publishes
		return ActWithdraw
	case s.Phase != Watching:
		return ActNothing
	case s.StopDue && !s.stopTried():
		return ActStop
	}
	if _, lost := s.WhyLost(); s.Started && lost {
		return ActLose
	}
	switch {
	case s.StopDue:
		return ActStop
	case !s.Started: // the start's answer brings the terms by which the rest is judged
		return ActNothing
	case s.Stopped == "" && s.outlasted(now):
		return ActStop
	case s.MayProbe(now):
		return ActProbe
	case s.Stuck == "" && stood(s.BoundAt, s.Policy.StuckAfter, now):
		return ActMark
	case !now.Before(s.NextLook()):
		return ActLook
	default:
		return ActNothing
	}
}

// stopTried reports whether LiveKit has been told to stop the egress since a stop was first
// wanted: repeated stop requests must not keep it from being settled as lost.
func (s *State) stopTried() bool {
	return !s.Evidence.Probed.IsZero() && !s.Evidence.Probed.Before(s.StoppedAt)
}

// NextLook returns when news is overdue and LiveKit is to be asked. That time is past if the
// reconciler suspects something and nothing has been heard since. It is zero until the start is
// answered, which brings the policy.
func (s *State) NextLook() time.Time {
	switch {
	case !s.Started:
		return time.Time{}
	case s.Phase == Held:
		return s.heldUntil()
	}
	since := later(s.NewsAt, s.LookedAt)
	if s.SuspectedAt.After(since) {
		return s.SuspectedAt
	}
	if !s.EndExpected.IsZero() { // earlier stages of ending do not put the end off
		since = later(s.EndExpected, s.LookedAt)
	}
	next := since.Add(s.Policy.Wait(s.Outlook(), 0, Spread(s.ID)))
	if due := s.Decisive(); !due.IsZero() && due.Before(next) {
		return due
	}
	return next
}

// Alarm returns the first time at which, if nothing is heard until then, Due may ask for something
// other than a look, or for the look that decides on it. Zero: there is none.
func (s *State) Alarm() time.Time {
	if s.Phase == Held {
		return s.heldUntil()
	}
	var first earliest
	first.since(s.BoundAt, s.MaxDuration, s.Stopped == "" && s.MaxDuration > 0)
	first.since(s.BoundAt, s.Policy.StuckAfter, s.Stuck == "")
	first.since(s.probeFrom(), s.Policy.LostAfter, s.probeable() && !s.InDoubt())
	s.mayBeLost(&first)
	return first.Time
}

// earliest is the first of several times, or zero.
type earliest struct{ time.Time }

// since adds the time at which something true since at has been so for d, if that applies.
func (e *earliest) since(at time.Time, d Duration, applies bool) {
	if t := at.Add(d.D()); applies && !at.IsZero() && (e.IsZero() || t.Before(e.Time)) {
		e.Time = t
	}
}

// StopAsked notes that somebody asks for a stop; by is nil if nobody knows who.
func (s *State) StopAsked(by *Asker, now time.Time) {
	if s.Stopped == "" && by != nil {
		s.StoppedBy = AskedBy(by.APIKey, by.Identity) // AskedBy cuts long names, whoever sent them
	}
	s.WantStop(StopRequested, now)
}

// WantStop notes that the egress is to be stopped. It keeps the first reason; asking again neither
// moves the expected end nor buys more time.
func (s *State) WantStop(why StopReason, now time.Time) {
	if s.Stopped == "" {
		s.Stopped, s.StoppedAt = why, now
		s.note(Beat{At: now, What: why.words(s.StoppedBy)})
	}
	s.StopDue = true
	s.ExpectEnd(now)
}

// AsHint returns the event with only the fields that Hint needs. The metadata of rooms and
// participants does not belong in a recording's history.
func (e Event) AsHint() (Event, error) {
	b, err := protojson.Marshal(&livekit.WebhookEvent{
		Event: e.msg.GetEvent(), Id: e.msg.GetId(), CreatedAt: e.msg.GetCreatedAt(),
		Room:        &livekit.Room{Sid: e.msg.GetRoom().GetSid(), Name: e.msg.GetRoom().GetName()},
		Participant: &livekit.ParticipantInfo{Identity: e.msg.GetParticipant().GetIdentity()},
	})
	if err != nil {
		return Event{}, fmt.Errorf("encode hint: %w", err)
	}
	return parseEvent(b)
}

// Hint takes a webhook event that announces an end: our room finished, or the egress's own
// participant left it. It reports whether that was news; an event of another room with the same
// name never is.
func (s *State) Hint(e Event, now time.Time) bool {
	m := e.Proto()
	if s.Phase == Settled || isWebEgress(s.Latest.Proto()) || m.GetRoom().GetSid() != s.Latest.Proto().GetRoomId() || m.GetRoom().GetSid() == "" {
		return false
	}
	news := s.EndExpected.IsZero()
	switch m.GetEvent() {
	case EventRoomFinished:
		if s.Evidence.RoomGone.IsZero() {
			s.Evidence.RoomGone = now
			s.note(Beat{At: now, What: "its room finished", By: FromWebhook})
		}
	case EventParticipantLeft:
		if m.GetParticipant().GetIdentity() != s.ID {
			return false
		}
		if s.Evidence.RecorderGone.IsZero() {
			s.Evidence.RecorderGone = now
		}
		if news {
			s.note(Beat{At: now, What: "it left its room", By: FromWebhook})
		}
	default:
		return false
	}
	s.ExpectEnd(now)
	return news
}

// RecorderLeft notes that the egress's own participant is not in its room.
func (s *State) RecorderLeft(now time.Time) {
	s.recorderGone(now, now)
	s.ExpectEnd(now)
}

// recorderGone notes since when the participant is gone. Zero: it is not, or nobody knows.
func (s *State) recorderGone(at, now time.Time) {
	if at.IsZero() || !s.Evidence.RecorderGone.IsZero() {
		return
	}
	s.Evidence.RecorderGone = at
	if s.Phase == Watching {
		s.noteOnce(Beat{At: now, What: "its participant is not in the room", By: FromPoll})
	}
}

// Look is what a poll saw. A zero time means that the poll did not see it.
type Look struct {
	Info         Info      `json:"info"`                    // zero if LiveKit could not be asked, or no longer knows the egress
	RoomGone     time.Time `json:"room_gone"`               // since when its room is not listed
	RecorderGone time.Time `json:"recorder_gone"`           // since when its own participant is not in the room
	RecorderHere bool      `json:"recorder_here"`           // its own participant is in the room
	RecorderSeen bool      `json:"recorder_seen,omitempty"` // the participant was in the room, in this look or an earlier one
	// RecorderAbsent says that this very look did not find the participant in the room;
	// RecorderGone and RoomGone may be from an earlier look.
	RecorderAbsent bool      `json:"recorder_absent,omitempty"`
	Idle           bool      `json:"idle,omitempty"` // the egress is overdue, and somebody has been publishing in its room for two looks
	EndExpected    time.Time `json:"end_expected"`   // since when an end is in sight: the room is gone, or the egress is ENDING
	MissingSince   time.Time `json:"missing_since"`  // since when LiveKit answers not_found, as it did to this look

	Missed        Missed `json:"missed,omitempty"`         // why the webhook of the end that this look saw did not come
	MissedBecause string `json:"missed_because,omitempty"` // the evidence in words
}

// answered reports whether LiveKit could be asked.
func (l Look) answered() bool { return l.Info.Known() || !l.MissingSince.IsZero() }

// recorderBack withdraws the expectation of an end, since the recorder is at work: it had only lost
// its connection, or runs a second time.
func (s *State) recorderBack() {
	s.Evidence.RecorderGone, s.Evidence.RoomGone, s.Evidence.Unanswered = time.Time{}, time.Time{}, time.Time{}
	if s.Stopped != "" || s.uploading() {
		return
	}
	s.EndExpected = time.Time{}
	if s.Phase == Watching {
		s.Evidence.Probed = time.Time{} // a stop of ours has not reached it
	}
}

// Observation returns what a poll saw of the egress, as news.
func (l Look) Observation(at time.Time) Observation {
	return Observation{Info: l.Info, Source: FromPoll, HeardAt: at, Missed: l.Missed, MissedBecause: l.MissedBecause}
}

// Looked folds what a poll saw into the state.
func (s *State) Looked(l Look, now time.Time) News {
	s.LookedAt = now
	if l.answered() {
		s.AnsweredAt = now
	}
	if s.Phase == Watching && !l.EndExpected.IsZero() {
		s.ExpectEnd(l.EndExpected)
	}
	s.countBlind(l, now)
	s.holdBlind(l, now)
	if s.Phase == Watching && s.Evidence.RoomGone.IsZero() && !l.RoomGone.IsZero() {
		s.noteOnce(Beat{At: now, What: "its room is gone", By: FromPoll})
	}
	if s.Evidence.RoomGone.IsZero() {
		s.Evidence.RoomGone = l.RoomGone
	}
	if s.Phase == Watching && s.Evidence.MissingSince.IsZero() && !l.MissingSince.IsZero() {
		s.note(Beat{At: now, What: "LiveKit no longer knows it", By: FromPoll})
	}
	s.Evidence.MissingSince, s.Evidence.Absent = l.MissingSince, time.Time{}
	if l.RecorderAbsent {
		s.Evidence.Absent = now
	}
	s.RecorderSeen = s.RecorderSeen || l.RecorderSeen
	if l.RecorderHere {
		s.recorderBack()
	} else {
		s.recorderGone(l.RecorderGone, now)
	}
	return s.Observe(l.Observation(now))
}
