package egress

import (
	"slices"
	"time"
)

// An egress with our token that is not bound is a twin, and is stopped. But if LiveKit no longer
// knows the bound egress, or that one is lost or broke off, the other may be the only recording: a
// second start of the request may have gone past Temporal, for example. It then becomes the next
// part of the recording. One that has ended by itself becomes an earlier part.

// Orphaned reports whether the bound egress is gone as far as we know, or failed or was aborted.
func (s *State) Orphaned() bool {
	return s.Phase == Watching && !s.Evidence.MissingSince.IsZero() || s.Status == Lost || Failed(s.Latest.Proto().GetStatus())
}

// CanTakeOver reports whether another egress can take the place of a bound one that is gone now:
// the start has answered, and the other is not an earlier part itself.
func (s *State) CanTakeOver(o Observation) bool {
	return s.Started && s.Orphaned() &&
		s.earlier(o.Info.ID()) < 0 && s.rankOf(o) > 0
}

// TakeOver turns the state into that of a next part that an egress has already begun, into which
// an observation of it is to be folded. A lost egress may have been delivered; the part is
// announced all the same. A stop that was requested applies to it, too.
func (s *State) TakeOver(o Observation) {
	stopped, at, by, delivered := s.Stopped, s.StoppedAt, s.StoppedBy, s.Phase == Delivered
	s.NextPart()
	s.Started = true
	s.noTwin(o.Info.ID())
	if s.Stopped, s.StoppedAt, s.StoppedBy, s.StopDue = stopped, at, by, stopped != ""; s.StopDue {
		s.ExpectEnd(o.HeardAt)
	}
	if delivered {
		s.Done, s.Skipped = nil, nil
	}
}

// noTwin notes that an egress is a twin no longer.
func (s *State) noTwin(id string) {
	s.Twins = slices.DeleteFunc(slices.Clone(s.Twins), func(twin string) bool { return twin == id })
}

// CanPrecede reports whether another egress has ended, so that it can become an earlier part. One
// that already is such a part is not announced a second time.
func (s *State) CanPrecede(o Observation) bool {
	return s.rankOf(o) == rankEnded && s.earlier(o.Info.ID()) < 0
}

// Followed reports whether another egress ended before the bound one did or was last heard of, so
// that it cannot be its successor. A twin was stopped while the bound egress was well; for it, the
// times count as well at which the bound egress's end was first expected, or LiveKit first did not
// know that egress.
func (s *State) Followed(o Observation) bool {
	ended, known := o.Info.Proto().GetEndedAt(), s.Latest.Proto()
	last := max(known.GetEndedAt(), known.GetUpdatedAt())
	if slices.Contains(s.Twins, o.Info.ID()) {
		for _, at := range []time.Time{s.EndExpected, s.Evidence.MissingSince} {
			if !at.IsZero() {
				last = max(last, at.UnixNano())
			}
		}
	}
	return s.CanPrecede(o) && ended != 0 && ended <= last
}

// Undecided reports whether another egress has to wait: one that has ended, until it is known whom
// to tell; one that records, while it may be the only one because the next part has not begun or
// the recorder of the bound one has left its room.
func (s *State) Undecided(o Observation) bool {
	if s.rankOf(o) == rankEnded {
		return !s.Started
	}
	return s.Phase == Requested || !s.Orphaned() && s.Phase == Watching && !s.Evidence.RecorderGone.IsZero() && s.Stopped == "" && !s.uploading()
}

// Precede adds another egress of the request that ended by itself as the part before the bound
// one, and returns it as a state to be delivered: it was recorded, and the caller may have been
// told of it.
func (s *State) Precede(o Observation) State {
	past := s.pastPart(s.Part, o)
	s.Parts = append(slices.Clone(s.Parts), past.part())
	s.Part++
	return past
}
