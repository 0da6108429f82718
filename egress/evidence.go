package egress

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Evidence speaks for an egress being dead although LiveKit has not said that it ended. A zero
// time means that this was not seen.
type Evidence struct {
	MissingSince time.Time `json:"missing_since"`   // since when LiveKit answers not_found for the egress ID
	RoomGone     time.Time `json:"room_gone"`       // when its room finished, or was no longer listed
	RecorderGone time.Time `json:"recorder_gone"`   // since when its own participant is not in the room
	Absent       time.Time `json:"absent,omitzero"` // when the last look did not find its participant, if it could ask
	Probed       time.Time `json:"probed"`          // when a worker was last told to stop, or may have been
	Asked        time.Time `json:"asked,omitzero"`  // when a worker was last asked whether it lives, and not told to stop
	Unanswered   time.Time `json:"unanswered"`      // when StopEgress last reached no worker
}

// WhyLost reports whether the egress is lost, and why in words. A worker that does not answer a
// stop counts as dead only once the evidence has stood for LostAfter; an upload in ENDING may take
// as long as it needs, up to GiveUpAfter.
//
// The evidence must have stood at the last look: while none of our workers ran, nobody heard what
// happened since.
func (s *State) WhyLost() (string, bool) {
	var why []string
	switch {
	case stood(s.Evidence.MissingSince, s.Policy.LostAfter, s.LookedAt):
		why = append(why, "LiveKit no longer knows the egress")
	case s.dead() && stood(s.EndExpected, s.Policy.LostAfter, s.LookedAt):
		why = append(why, "its worker does not answer StopEgress")
	case stood(s.EndExpected, s.Policy.GiveUpAfter, s.decidedAt()):
		why = append(why, fmt.Sprintf("LiveKit still calls it %s %s after its end was expected",
			statusOf(s.Latest.Proto().GetStatus()), s.Policy.GiveUpAfter))
	case stood(s.EndExpected, s.Policy.GiveUpAfter, s.LookedAt) && s.blindEnough():
		what := "cannot be asked"
		if s.AnsweredAt.After(s.BlindSince) {
			what = "does not say whether its recorder is in its room"
		}
		why = append(why, fmt.Sprintf("LiveKit %s, and its end was expected over %s ago", what, s.Policy.GiveUpAfter))
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

// decidedAt returns when LiveKit's last answer came by which an egress may be given up. A recorder
// that was out of its room may be back, so that answer must also say that it is not there.
func (s *State) decidedAt() time.Time {
	if s.onlyAbsent() {
		return s.Evidence.Absent
	}
	return s.AnsweredAt
}

// onlyAbsent reports whether nothing but the recorder's absence could speak for an end.
func (s *State) onlyAbsent() bool {
	return s.Stopped == "" && s.Evidence.RoomGone.IsZero() && !s.uploading() && !isWebEgress(s.Latest.Proto())
}

// MayProbe reports whether we may probe the worker with a StopEgress: only if nothing is left to
// record, or nobody who could record it, so that no good recording is ever ended unasked. A web
// egress has no room, so it is probed only after a requested stop.
//
// What a webhook or an earlier look said may no longer hold, since a recorder that lost its
// connection comes back. So the last look must have asked for the recorder and not found it.
func (s *State) MayProbe(now time.Time) bool {
	return s.probeable() && stood(s.probeFrom(), s.Policy.LostAfter, now) && (s.Stopped != "" || s.absentWhenDue())
}

// NoteProbe notes how a probe ended whose worker was asked before it was stopped: with how the egress
// then is, or for a reason. Whatever leaves open whether the worker was stopped counts as a stop.
func (e *Evidence) NoteProbe(info Info, why Reason, now time.Time) {
	stopped := slices.Contains([]Reason{Unanswered, Ambiguous, Internal}, why)
	if stopped || Ahead(info.Proto().GetStatus(), livekit.EgressStatus_EGRESS_ACTIVE) {
		e.Probed = now
	} else {
		e.Asked = now
	}
}

// TakeAnswer takes how an egress is after a probe, whose worker was asked before it was stopped. It
// reports whether the egress goes on: then its worker answered, and LiveKit has lost sight of a
// recorder that is at work.
func (s *State) TakeAnswer(info Info) (goesOn bool) {
	if s.Phase != Watching || s.uploading() || Ahead(info.Proto().GetStatus(), livekit.EgressStatus_EGRESS_ACTIVE) {
		return false
	}
	s.recorderBack()
	s.Evidence.Absent, s.Evidence.Asked = time.Time{}, time.Time{}
	return true
}

// InDoubt reports whether a probe would be due, but the last look could not ask for the recorder.
// The next look that can is news, whatever it sees.
func (s *State) InDoubt() bool {
	return s.probeable() && s.Stopped == "" && stood(s.probeFrom(), s.Policy.LostAfter, s.LookedAt) && !s.absentWhenDue()
}

// Decisive returns when the next look is due that decides whether to probe, or whether the egress
// is lost. Zero: there is none.
func (s *State) Decisive() time.Time {
	var first earliest
	first.since(s.probeFrom(), s.Policy.LostAfter, s.probeable() && s.Stopped == "" && !s.InDoubt() && !s.absentWhenDue())
	s.mayBeLost(&first)
	return first.Time
}

// mayBeLost adds the times from which WhyLost may report a loss. Once an egress is to be given up,
// each look that LiveKit does not answer may be the last.
func (s *State) mayBeLost(first *earliest) {
	first.since(s.EndExpected, s.Policy.LostAfter, s.dead())
	if stood(s.EndExpected, s.Policy.GiveUpAfter, s.LookedAt) {
		outlook := OutlookEnding
		if s.BlindLooks == 0 { // the recorder could not be asked for; where a look can, InDoubt makes that news
			outlook = OutlookActive
		}
		first.since(s.LookedAt, Duration(s.Policy.Wait(outlook, s.BlindLooks, Spread(s.ID))), true)
	} else {
		first.since(s.EndExpected, s.Policy.GiveUpAfter, true)
	}
	first.since(s.Evidence.MissingSince, s.Policy.LostAfter, true)
}

func (s *State) absentWhenDue() bool {
	return stood(s.probeFrom(), s.Policy.LostAfter, s.Evidence.Absent)
}

// probeable reports whether a stop can end nothing good and its answer would be news: an end is
// expected, nothing is left to record or nobody to record it, nothing is being uploaded, and the
// worker is not known to be dead.
func (s *State) probeable() bool {
	nothingLeft := s.Stopped != "" || !s.Evidence.RoomGone.IsZero() || !s.Evidence.RecorderGone.IsZero()
	return nothingLeft && !s.uploading() && !s.dead() && !s.EndExpected.IsZero()
}

// probeFrom returns when the last thing happened that a worker may still be reacting to.
func (s *State) probeFrom() time.Time {
	gone := later(s.Evidence.RoomGone, s.Evidence.RecorderGone)
	return later(later(s.EndExpected, gone), later(s.Evidence.Probed, s.Evidence.Asked))
}

// dead reports whether a stop went unanswered after the end had been expected for LostAfter. An
// earlier stop, of a recording to be stopped, may have met a briefly slow message bus, and is sent
// again.
func (s *State) dead() bool {
	return stood(s.EndExpected, s.Policy.LostAfter, s.Evidence.Unanswered) && !s.uploading()
}

func (s *State) uploading() bool {
	return s.Latest.Proto().GetStatus() == livekit.EgressStatus_EGRESS_ENDING
}

// stood reports whether something true since the given time has been so for d.
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
