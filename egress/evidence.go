package egress

import (
	"fmt"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Evidence is what speaks for an egress being dead although LiveKit has not said
// that it ended. A zero time means that this was not seen.
type Evidence struct {
	MissingSince time.Time `json:"missing_since"`   // LiveKit answers not_found for the egress ID
	RoomGone     time.Time `json:"room_gone"`       // its room finished, or is not listed
	RecorderGone time.Time `json:"recorder_gone"`   // its own participant is not in the room
	Absent       time.Time `json:"absent,omitzero"` // when the last look did not find its participant, if it could ask
	Probed       time.Time `json:"probed"`          // the last time that a worker was asked by a stop
	Unanswered   time.Time `json:"unanswered"`      // StopEgress reached no worker
}

// WhyLost judges whether the egress is lost, and says why in words. A worker that
// does not answer a stop is dead only when the evidence has stood for LostAfter;
// an upload in ENDING may take as long as it takes, up to GiveUpAfter.
//
// The evidence must have stood at the last look: while no worker of ours ran, nobody
// heard of what happened since.
func (s *State) WhyLost() (string, bool) {
	var why []string
	switch {
	case stood(s.Evidence.MissingSince, s.Policy.LostAfter, s.LookedAt):
		why = append(why, "LiveKit no longer knows the egress")
	case s.dead() && stood(s.EndExpected, s.Policy.LostAfter, s.LookedAt):
		why = append(why, "its worker does not answer StopEgress")
	case stood(s.EndExpected, s.Policy.GiveUpAfter, s.AnsweredAt):
		why = append(why, fmt.Sprintf("LiveKit still calls it %s %s after its end was expected",
			statusOf(s.Latest.Proto().GetStatus()), s.Policy.GiveUpAfter))
	case stood(s.EndExpected, s.Policy.unasked(), s.LookedAt):
		why = append(why, fmt.Sprintf("LiveKit cannot be asked, and its end was expected %s ago", s.Policy.unasked()))
	default:
		return "", false
	}
	switch {
	case !s.Evidence.RoomGone.IsZero():
		why = append(why, "its room is gone")
	case !s.Evidence.RecorderGone.IsZero():
		why = append(why, "its participant has left the room")
	}
	return strings.Join(why, ", "), true
}

// MayProbe reports whether we may ask the worker by a StopEgress: only when there
// is nothing left to record, or nobody left who could, so that no good recording is
// ever ended unasked. A web egress has no room, and is only probed after a stop that
// was asked for.
//
// What a webhook or an earlier look said may be over: a recorder that lost its connection
// comes back. So the last look must have asked for it then, and not have found it.
func (s *State) MayProbe(now time.Time) bool {
	return s.probeable() && stood(s.probeFrom(), s.Policy.LostAfter, now) && (s.Stopped != "" || s.absentWhenDue())
}

// InDoubt reports whether a probe is due but for the last look, which could not ask for the
// recorder. The next one that can is news, whatever it sees.
func (s *State) InDoubt() bool {
	return s.probeable() && s.Stopped == "" && stood(s.probeFrom(), s.Policy.LostAfter, s.LookedAt) && !s.absentWhenDue()
}

// Decisive is when the next look is due that settles whether to probe, or whether the egress
// is lost. Zero: there is none.
func (s *State) Decisive() time.Time {
	var first earliest
	first.since(s.probeFrom(), s.Policy.LostAfter, s.probeable() && s.Stopped == "" && !s.InDoubt() && !s.absentWhenDue())
	s.mayBeLost(&first)
	return first.Time
}

// mayBeLost adds the moments from which WhyLost may say so.
func (s *State) mayBeLost(first *earliest) {
	first.since(s.EndExpected, s.Policy.LostAfter, s.dead())
	first.since(s.EndExpected, s.Policy.GiveUpAfter, !stood(s.EndExpected, s.Policy.GiveUpAfter, s.LookedAt))
	first.since(s.EndExpected, s.Policy.unasked(), true)
	first.since(s.Evidence.MissingSince, s.Policy.LostAfter, true)
}

// unasked is when an egress is given up by looks that LiveKit did not answer: it may be down
// at that very moment, and is not waited for without an end.
func (p Policy) unasked() Duration { return p.GiveUpAfter + p.LostAfter }

func (s *State) absentWhenDue() bool {
	return stood(s.probeFrom(), s.Policy.LostAfter, s.Evidence.Absent)
}

// probeable reports whether a stop can end nothing good, and its answer says something new: an end
// is expected, nothing is left to record, or nobody who could, nothing is being uploaded, and the
// worker is not known to be dead.
func (s *State) probeable() bool {
	nothingLeft := s.Stopped != "" || !s.Evidence.RoomGone.IsZero() || !s.Evidence.RecorderGone.IsZero()
	return nothingLeft && !s.uploading() && !s.dead() && !s.EndExpected.IsZero()
}

// probeFrom is when the last thing happened that a worker may still be acting on.
func (s *State) probeFrom() time.Time {
	gone := later(s.Evidence.RoomGone, s.Evidence.RecorderGone)
	return later(later(s.EndExpected, gone), s.Evidence.Probed)
}

// dead says that nobody answered a stop that was asked once the end had been expected for
// LostAfter: an earlier one, of a recording to be stopped, may have met a bus that was slow
// for a moment, and is asked again.
func (s *State) dead() bool {
	return stood(s.EndExpected, s.Policy.LostAfter, s.Evidence.Unanswered) && !s.uploading()
}

func (s *State) uploading() bool {
	return s.Latest.Proto().GetStatus() == livekit.EgressStatus_EGRESS_ENDING
}

// stood reports whether something seen at since has been so for d.
func stood(since time.Time, d Duration, now time.Time) bool {
	return !since.IsZero() && now.Sub(since) >= d.D()
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// GiveUp settles the egress as lost, with its evidence in words.
func (s *State) GiveUp(by Source, why string, now time.Time) {
	s.Phase, s.NewsAt, s.NewsBy = Settled, now, by
	s.Outcome = Outcome{Status: Lost, EndedBy: by, LostBecause: why}
	s.note(Beat{At: now, What: "lost: " + why, By: by})
}
