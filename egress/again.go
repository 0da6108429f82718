package egress

import (
	"slices"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// An end is not always the last word. LiveKit may run a failed egress a second time under its ID,
// and an egress that was settled as lost may turn out to be alive. So an end that failed is held
// until LiveKit has been asked once more, and for a while if its room is live; even a delivered
// verdict may still be corrected. Good ends are neither held nor corrected.

// Hold is the state of an end that is held because it may not be the last word.
type Hold struct {
	HeldSince time.Time `json:"held_since"` // when we heard of the end
	// HoldMore extends the hold beyond the policy's HoldFor, because LiveKit could not be asked at
	// its close. Zero: it could be, so far.
	HoldMore time.Time `json:"hold_more,omitzero"`
}

// conclude settles the egress with the end that o reports, or holds that end.
func (s *State) conclude(o Observation) {
	s.Outcome = o.outcome()
	s.note(o.beat(true))
	if s.mayRunAgain() && s.Policy.HoldFor > 0 {
		s.Phase, s.HeldSince = Held, o.HeardAt
	} else {
		s.Phase = Settled
	}
}

// HoldEarly holds an end that came before the start was answered: only the answer brought the
// policy that says how long to hold it.
func (s *State) HoldEarly() {
	if s.Phase == Settled && s.brokeOffUnasked() && s.Policy.HoldFor > 0 {
		s.Phase, s.HeldSince = Held, s.NewsAt
	}
}

// Early reports whether the end came before the start was answered, so that HoldEarly may still
// hold it.
func (s *State) Early() bool { return s.Phase == Settled && !s.Started && s.brokeOffUnasked() }

// mayRunAgain reports whether the egress failed or was aborted and nobody wanted it stopped, so
// that LiveKit may run it a second time.
func (s *State) mayRunAgain() bool { return s.Stopped == "" && s.brokeOff() }

// brokeOffUnasked reports whether the egress failed or was aborted before a stop was requested.
// Such a stop is meant for the second run.
func (s *State) brokeOffUnasked() bool {
	return s.brokeOff() && (s.Stopped == "" || !s.StoppedAt.Before(s.NewsAt))
}

// brokeOff reports whether the egress failed or was aborted, and is either a web egress or of a
// room that LiveKit knew.
func (s *State) brokeOff() bool {
	m := s.Latest.Proto()
	return Failed(m.GetStatus()) && (m.GetRoomId() != "" || isWebEgress(m)) && !s.stoppedPastUs()
}

// stoppedPastUs reports whether LiveKit says that somebody other than us stopped the egress.
func (s *State) stoppedPastUs() bool {
	return s.Evidence.Probed.IsZero() && strings.HasSuffix(s.Latest.Proto().GetDetails(), livekit.EndReasonAPI)
}

// Unasked reports whether the egress is over, and nobody wanted it to end.
func (s *State) Unasked() bool { return s.over() && s.Stopped == "" && !s.stoppedPastUs() }

// failedMidway reports whether an egress that may run again failed while there was still something
// to record: its room is not known to be gone. A web egress has no room that could go.
func (s *State) failedMidway() bool {
	return s.mayRunAgain() && (s.Evidence.RoomGone.IsZero() || isWebEgress(s.Latest.Proto()))
}

func isWebEgress(m *livekit.EgressInfo) bool {
	return m.GetWeb() != nil || m.GetEgress().GetWeb() != nil
}

// heldUntil returns when a look decides whether a held end is the last word. Once the room is
// gone, nothing more can begin in it; once a stop is wanted, nothing more should.
func (s *State) heldUntil() time.Time {
	until := s.HeldSince.Add(s.Policy.HoldFor.D())
	if gone := later(later(s.HeldSince, s.Evidence.RoomGone), s.StoppedAt); !s.failedMidway() && gone.Before(until) {
		until = gone
	}
	return later(until, s.HoldMore)
}

// dueHeld returns what a held end needs: a look at the close of the hold, in case the second run's
// webhooks are lost, and then to be settled. A stop applies to the second run, too.
func (s *State) dueHeld(now time.Time) Action {
	switch {
	case s.StopDue:
		return ActStop
	case now.Before(s.heldUntil()):
		return ActNothing
	case s.LookedAt.Before(s.heldUntil()):
		return ActLook
	default:
		return ActSettle
	}
}

// runsAgain reports whether the news is of a later run than the one that is watched, whose end may
// still be on its way to us, or than the one whose failure was not held, since we heard of it after
// a stop was requested.
func (s *State) runsAgain(o Observation) bool {
	unheld := s.over() && s.Stopped != "" && s.brokeOff() && s.Policy.HoldFor > 0
	return (s.Phase == Watching || unheld) && o.Info.RanAgain(s.Latest)
}

// superseded reports whether an answer to a stop, or a webhook of an end, is of an earlier run than
// the one known to be under way: by LiveKit's retry count, else, for an end, by both of its times,
// since clocks differ. Only these can be late; what LiveKit lists is current.
func (s *State) superseded(o Observation) bool {
	seen, known := o.Info.Proto(), s.Latest.Proto()
	theirs, ours := seen.GetRetryCount(), known.GetRetryCount()
	switch {
	case o.Source != FromWebhook && o.Source != FromStop:
		return false
	case s.rankOf(o) != rankEnded:
		return o.Source == FromStop && theirs < ours
	case theirs != ours:
		return theirs < ours
	}
	before := func(a, b int64) bool { return a != 0 && a < b }
	return before(seen.GetStartedAt(), known.GetStartedAt()) && before(seen.GetEndedAt(), known.GetUpdatedAt())
}

// Settle makes a held end the last word.
func (s *State) Settle() { s.Phase = Settled }

// Correctable reports whether a delivered verdict may still change: the egress is lost, or failed
// while its room was live.
func (s *State) Correctable() bool {
	return s.Phase == Delivered && s.Policy.CorrectFor > 0 && (s.Status == Lost || s.failedMidway())
}

// anew folds in what comes after an end that was not the last word: a later end, or a sign that
// the egress runs. LiveKit's own times tell it from what is merely late.
func (s *State) anew(o Observation) News {
	seen, known := o.Info.Proto(), s.Latest.Proto()
	again := o.Info.RanAgain(s.Latest)
	switch {
	case s.rankOf(o) == rankEnded && (again || s.Status == Lost || seen.GetEndedAt() > known.GetEndedAt()):
		probed := s.Evidence.Probed
		s.revive(o)
		if !again { // LiveKit gives the end of an egress that our probe stopped a new date
			s.Evidence.Probed = probed
		}
		s.conclude(o)
		return Moved
	case s.rankOf(o) != rankEnded && s.rankOf(o) > 0 && (again || seen.GetUpdatedAt() > known.GetUpdatedAt() && s.showsLife(o)):
		s.revive(o)
		s.Phase, s.Outcome = Watching, Outcome{}
		s.note(o.beat(false))
		if s.uploading() {
			s.ExpectEnd(o.HeardAt)
		}
		s.StopDue = s.Stopped != "" && !s.uploading() // the stop was of what came before
		return Moved
	default:
		s.cameLate(o)
		return NoNews
	}
}

// showsLife reports whether an observation that is not an end proves a lost egress alive. Being
// listed proves nothing: LiveKit lists an egress as active forever if its worker died.
func (s *State) showsLife(o Observation) bool { return s.Status != Lost || o.Source != FromReconcile }

// wrongs returns the statuses that were announced and corrected, with corrects added.
func wrongs(told []Status, corrects Status) []Status {
	if corrects == "" || slices.Contains(told, corrects) {
		return told
	}
	return append(slices.Clone(told), corrects)
}

// revive resumes the egress as the observation describes it.
func (s *State) revive(o Observation) {
	if s.Phase == Delivered {
		s.ToldAs = wrongs(s.ToldAs, s.Corrects)
		s.Corrects, s.Done, s.Skipped, s.Media, s.Results = s.Status, nil, nil, nil, nil
	}
	s.hear(o)
	s.HeldSince, s.Evidence = time.Time{}, Evidence{RoomGone: s.Evidence.RoomGone}
	switch {
	case s.Stopped == "" && s.Evidence.RoomGone.IsZero():
		s.EndExpected = time.Time{}
	case s.Status == Lost || s.Stopped != "": // evidence from before it showed life must not make it lost at once
		s.EndExpected = o.HeardAt
	}
}
