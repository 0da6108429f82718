package egress

import (
	"slices"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// An end need not be the last word. LiveKit may run a failed egress a second time
// under its ID, and an egress that is settled as lost may show that it lives. So an end
// that failed is held until LiveKit was asked once more, for a while where its room is
// live, and what is delivered may still be corrected. Good ends are neither held nor
// corrected.

// Hold is what is known of an end that is held, since it need not be the last word.
type Hold struct {
	HeldSince time.Time `json:"held_since"` // when we heard of the end
	// HoldMore is until when it is held longer than by the policy, since LiveKit could not be
	// asked at the close of the hold. Zero: it could be, so far.
	HoldMore   time.Time `json:"hold_more,omitzero"`
	BlindSince time.Time `json:"blind_since,omitzero"`  // when LiveKit first left a look of this hold unanswered
	BlindLooks int       `json:"blind_looks,omitempty"` // how many looks of this hold it has left so
}

// conclude settles the egress by an end, or holds it.
func (s *State) conclude(o Observation) {
	s.Outcome = o.outcome()
	s.note(o.beat(true))
	if s.mayRunAgain() && s.Policy.HoldFor > 0 {
		s.Phase, s.HeldSince = Held, o.HeardAt
	} else {
		s.Phase = Settled
	}
}

// HoldBack holds an end that came before the start was answered: the answer brought the
// terms that say for how long.
func (s *State) HoldBack() {
	if s.Phase == Settled && s.brokeOffUnasked() && s.Policy.HoldFor > 0 {
		s.Phase, s.HeldSince = Held, s.NewsAt
	}
}

// Early reports whether an end came before the start was answered, and may be held once
// that is.
func (s *State) Early() bool { return s.Phase == Settled && !s.Started && s.brokeOffUnasked() }

// mayRunAgain reports whether the egress failed or was aborted, and nobody wanted it
// stopped: LiveKit may run it a second time.
func (s *State) mayRunAgain() bool { return s.Stopped == "" && s.brokeOff() }

// brokeOffUnasked reports whether it failed or was aborted before a stop was asked for, which
// is then for the second run.
func (s *State) brokeOffUnasked() bool {
	return s.brokeOff() && (s.Stopped == "" || !s.StoppedAt.Before(s.NewsAt))
}

// brokeOff reports whether it failed or was aborted, and was of a room that LiveKit knew, or a web
// egress.
func (s *State) brokeOff() bool {
	m := s.Latest.Proto()
	return Failed(m.GetStatus()) && (m.GetRoomId() != "" || isWebEgress(m)) && !s.stoppedPastUs()
}

// stoppedPastUs reports whether LiveKit says that it was told to stop the egress, and not by us.
func (s *State) stoppedPastUs() bool {
	return s.Evidence.Probed.IsZero() && strings.HasSuffix(s.Latest.Proto().GetDetails(), livekit.EndReasonAPI)
}

// Unasked reports whether the egress is over, and nobody wanted it to end.
func (s *State) Unasked() bool { return s.over() && s.Stopped == "" && !s.stoppedPastUs() }

// failedMidway reports whether that happened while there is still something to record:
// its room is not known to be gone. A web egress has none that could go.
func (s *State) failedMidway() bool {
	return s.mayRunAgain() && (s.Evidence.RoomGone.IsZero() || isWebEgress(s.Latest.Proto()))
}

func isWebEgress(m *livekit.EgressInfo) bool { return m.GetWeb() != nil || m.GetEgress().GetWeb() != nil }

// heldUntil is when a look decides whether an end that is held is the last word. Once the
// room is gone, nothing more can begin in it, and once it is to stop, nothing more should.
func (s *State) heldUntil() time.Time {
	until := s.HeldSince.Add(s.Policy.HoldFor.D())
	if gone := later(later(s.HeldSince, s.Evidence.RoomGone), s.StoppedAt); !s.failedMidway() && gone.Before(until) {
		until = gone
	}
	return later(until, s.HoldMore)
}

// dueHeld says what an end that is held needs: a look at its close, in case that the
// second run's webhooks are lost, and to be settled. A stop is for that run, too.
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

// leastBlind is how many looks at the close of a hold must have gone unanswered before it
// ends all the same: two may lie far apart, with an outage of our own between them.
const leastBlind = 5

// heldBlind puts off the end of the hold where LiveKit could not be asked at its close.
// It does so for a while only, from the first look that was not answered, and until five were
// not.
func (s *State) heldBlind(l Look, now time.Time) {
	if s.Phase != Held || l.answered() {
		return
	}
	if s.BlindSince.Before(s.HeldSince) {
		s.BlindSince, s.BlindLooks = now, 0
	}
	s.BlindLooks++
	if s.BlindLooks < leastBlind || !stood(s.BlindSince, s.Policy.LostAfter, now) {
		s.HoldMore = now.Add(s.Policy.Wait(OutlookEnding, 0, Spread(s.ID)))
	}
}

// runsAgain reports whether the news is of a later run than the one that is watched, whose
// end may still be on its way to us.
func (s *State) runsAgain(o Observation) bool {
	return s.Phase == Watching && o.Info.RanAgain(s.Latest)
}

// superseded reports whether a webhook tells of the end of an earlier run than the one
// that is known to be under way: by LiveKit's count, else by both of its times, since
// clocks differ. What LiveKit lists is of now: only a webhook can be late.
func (s *State) superseded(o Observation) bool {
	seen, known := o.Info.Proto(), s.Latest.Proto()
	if o.Source != FromWebhook || s.rankOf(o) != rankEnded {
		return false
	}
	if theirs, ours := seen.GetRetryCount(), known.GetRetryCount(); theirs != ours {
		return theirs < ours
	}
	before := func(a, b int64) bool { return a != 0 && a < b }
	return before(seen.GetStartedAt(), known.GetStartedAt()) && before(seen.GetEndedAt(), known.GetUpdatedAt())
}

// Settle makes an end that was held the last word.
func (s *State) Settle() { s.Phase = Settled }

// Correctable reports whether a verdict that is delivered may still change: that of an
// egress that is lost, or that failed while its room is live.
func (s *State) Correctable() bool {
	return s.Phase == Delivered && s.Policy.CorrectFor > 0 && (s.Status == Lost || s.failedMidway())
}

// anew folds in what comes after an end that need not be the last word: a later end, or
// a sign that the egress runs. LiveKit's own times tell it from what is merely late.
func (s *State) anew(o Observation) News {
	seen, known := o.Info.Proto(), s.Latest.Proto()
	again := o.Info.RanAgain(s.Latest)
	switch {
	case s.rankOf(o) == rankEnded && (again || s.Status == Lost || seen.GetEndedAt() > known.GetEndedAt()):
		probed := s.Evidence.Probed
		s.revive(o)
		if !again { // LiveKit dates the end of what our probe has stopped anew
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
		return Moved
	default:
		s.cameLate(o)
		return NoNews
	}
}

// showsLife reports whether an observation that is no end says that what is lost lives. That
// LiveKit lists it says nothing: it calls an egress active for good whose worker died.
func (s *State) showsLife(o Observation) bool { return s.Status != Lost || o.Source != FromReconcile }

// wrongs are the statuses that were told and corrected, with one more.
func wrongs(told []Status, corrects Status) []Status {
	if corrects == "" || slices.Contains(told, corrects) {
		return told
	}
	return append(slices.Clone(told), corrects)
}

// revive takes the egress up again as an observation has it.
func (s *State) revive(o Observation) {
	if s.Phase == Delivered {
		s.ToldAs = wrongs(s.ToldAs, s.Corrects)
		s.Corrects, s.Done, s.Skipped, s.Media, s.Results = s.Status, nil, nil, nil, nil
	}
	s.Latest, s.NewsAt, s.NewsBy = o.Info, o.HeardAt, o.Source
	s.WebhookSeen = s.WebhookSeen || o.Source == FromWebhook
	s.HeldSince, s.Evidence = time.Time{}, Evidence{RoomGone: s.Evidence.RoomGone}
	switch {
	case s.Stopped == "" && s.Evidence.RoomGone.IsZero():
		s.EndExpected = time.Time{}
	case s.Status == Lost: // or it would be so at once again, by what was weighed before it showed that it lives
		s.EndExpected = o.HeardAt
	}
}
