package activities

import (
	"sync"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Shown remembers which recorders LiveKit has shown in their rooms. A recorder's absence means
// something only if another one that joins in the same way (egress.Joins) has been seen there, or,
// for a request's own page, that recorder itself. The zero value is ready to use. Shown is safe
// for concurrent use.
type Shown struct {
	mu   sync.Mutex
	ways map[string]bool
	own  map[string]bool // egress IDs
}

// mostOwn bounds the memory of requests' own pages. When it is full, all are forgotten; the next
// look sees those that are there again.
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

// Tells reports whether the absence of an egress's own participant means something.
func (s *Shown) Tells(m *livekit.EgressInfo) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if way := egress.Joins(m); way != "" {
		return s.ways[way]
	}
	return s.own[m.GetEgressId()]
}
