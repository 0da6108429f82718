package egress

import (
	"slices"
	"time"
)

// An egress of our token that nobody bound is a twin, and is stopped. But where LiveKit
// no longer knows the one that is bound, or that is lost or broke off, it may be the only
// recording there is: a second start of the request went past Temporal, say. Then it is
// the next part of the recording. One that has ended by itself is an earlier part.

// Orphaned reports whether the bound egress is gone, as far as we know, or failed or was
// aborted.
func (s *State) Orphaned() bool {
	return s.Phase == Watching && !s.Evidence.MissingSince.IsZero() || s.Status == Lost || Failed(s.Latest.Proto().GetStatus())
}

// CanTakeOver reports whether another egress can take the place of a bound one that is
// gone now: its start has answered, and the other is no earlier part itself.
func (s *State) CanTakeOver(o Observation) bool {
	return s.Started && s.Orphaned() &&
		s.earlier(o.Info.ID()) < 0 && s.rankOf(o) > 0
}

// TakeOver makes the state that of a next part which an egress has begun already, and
// which an observation of it is to be folded into. What is lost may have been delivered:
// then the part is told all the same. A stop that was asked for is meant for it, too.
func (s *State) TakeOver(o Observation) {
	stopped, at, by, delivered := s.Stopped, s.StoppedAt, s.StoppedBy, s.Phase == Delivered
	paths := s.PathsOf()
	s.NextPart()
	s.Started, s.Paths = true, paths
	id := o.Info.ID()
	s.Twins = slices.DeleteFunc(slices.Clone(s.Twins), func(twin string) bool { return twin == id }) // it is none any more
	if s.Stopped, s.StoppedAt, s.StoppedBy, s.StopDue = stopped, at, by, stopped != ""; s.StopDue {
		s.ExpectEnd(o.HeardAt)
	}
	if delivered {
		s.Done, s.Skipped = nil, nil
	}
}

// CanPrecede reports whether another egress has ended, so that it can be taken as an
// earlier part. One that is such a part already is not told a second time.
func (s *State) CanPrecede(o Observation) bool {
	return s.rankOf(o) == rankEnded && s.earlier(o.Info.ID()) < 0
}

// Followed reports whether another egress ended before the bound one did, or was last heard of:
// it cannot be what went on in its place. For a twin, which was stopped while the bound one
// was well, the moments count as well at which the end of that one was first expected, or
// LiveKit was first found not to know it.
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

// Undecided reports whether another egress has to wait: one that has ended until it is known
// whom to tell; one that records while it may be the only one, since the next part has not
// begun, or the recorder of the bound one has left its room.
func (s *State) Undecided(o Observation) bool {
	if s.rankOf(o) == rankEnded {
		return !s.Started
	}
	return s.Phase == Requested || !s.Orphaned() && s.Phase == Watching && !s.Evidence.RecorderGone.IsZero() && s.Stopped == "" && !s.uploading()
}

// Precede takes another egress of the request that has ended by itself as the part before
// the bound one, and returns it as a state to be delivered: it was recorded, and its caller
// may have been told of it.
func (s *State) Precede(o Observation) State {
	past := s.pastPart(s.Part, s.Paths, o)
	s.Parts = append(slices.Clone(s.Parts), past.part())
	s.Paths, s.Part = s.PathsOf(), s.Part+1
	return past
}
