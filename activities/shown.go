package activities

import (
	"sync"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Shown remembers which recorders LiveKit has been seen to show in their rooms. That one is
// absent tells something only where another one that joins as it does has been there
// (egress.Joins); of a page of the request's own, where it has itself. Its zero value is
// ready, and it is safe for concurrent use.
type Shown struct {
	mu   sync.Mutex
	ways map[string]bool
	own  map[string]bool // egress IDs
}

// mostOwn bounds the memory of pages of requests' own, all of which are forgotten then: the
// next look sees those again that are there.
const mostOwn = 10_000

// Saw notes that an egress's own participant is in its room.
func (s *Shown) Saw(m *livekit.EgressInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ways == nil {
		s.ways = map[string]bool{}
	}
	if s.own == nil || len(s.own) == mostOwn {
		s.own = map[string]bool{}
	}
	if way := egress.Joins(m); way != "" {
		s.ways[way] = true
	} else {
		s.own[m.GetEgressId()] = true
	}
}

// Tells reports whether the absence of an egress's own participant tells something.
func (s *Shown) Tells(m *livekit.EgressInfo) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if way := egress.Joins(m); way != "" {
		return s.ways[way]
	}
	return s.own[m.GetEgressId()]
}
