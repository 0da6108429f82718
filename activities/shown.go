package activities

import (
	"sync"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Shown remembers how recorders have been seen to join their rooms (egress.Joins). That one
// is absent tells something only where another one that joins as it does has been there. Its
// zero value is ready, and it is safe for concurrent use.
type Shown struct{ ways sync.Map }

// Saw notes that an egress's own participant is in its room.
func (s *Shown) Saw(m *livekit.EgressInfo) { s.ways.Store(egress.Joins(m), true) }

// Tells reports whether the absence of an egress's own participant tells something.
func (s *Shown) Tells(m *livekit.EgressInfo) bool {
	way := egress.Joins(m)
	_, seen := s.ways.Load(way)
	return seen && way != ""
}
