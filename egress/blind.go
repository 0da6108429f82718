package egress

import "time"

// Blind is what is known of looks that LiveKit did not answer when they were to decide on an end:
// at the close of a hold, or when an egress was to be given up. One that could not ask for the
// recorder is such a look, too, where that decides.
type Blind struct {
	BlindSince time.Time `json:"blind_since,omitzero"`  // when the first of them got no answer
	BlindLooks int       `json:"blind_looks,omitempty"` // how many in a row got none
}

// leastBlind is how many looks must go unanswered before they decide all the same. Two would not
// do: an outage of our own may lie between them.
const leastBlind = 5

// countBlind counts a look that LiveKit did not answer. Only those in a row count that could decide.
func (s *State) countBlind(l Look, now time.Time) {
	decides := s.HeldSince
	if s.Phase == Watching {
		decides = s.EndExpected.Add(s.Policy.GiveUpAfter.D())
	}
	news := Ahead(l.Info.Proto().GetStatus(), s.Latest.Proto().GetStatus())
	saw := l.answered() && (s.Phase != Watching || news || !s.onlyAbsent() || l.RecorderAbsent || l.RecorderHere)
	if saw || s.BlindSince.Before(decides) {
		s.Blind = Blind{}
	}
	if saw {
		return
	}
	if s.BlindLooks == 0 {
		s.BlindSince = now
	}
	s.BlindLooks++
}

// blindEnough reports whether looks have gone unanswered for so long that nobody waits for LiveKit
// any more.
func (s *State) blindEnough() bool {
	return s.BlindLooks >= leastBlind && stood(s.BlindSince, s.Policy.LostAfter, s.LookedAt)
}

// holdBlind extends the hold if LiveKit could not be asked at its close.
func (s *State) holdBlind(l Look, now time.Time) {
	if s.Phase == Held && !l.answered() && !s.blindEnough() {
		s.HoldMore = now.Add(s.Policy.Wait(OutlookEnding, 0, Spread(s.ID)))
	}
}
