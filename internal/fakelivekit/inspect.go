package fakelivekit

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
)

// Recording is what the fake knows of one accepted egress: the truth, whatever its API says.
type Recording struct {
	// Info is what LiveKit's store has, or had.
	Info *livekit.EgressInfo
	// Request is the request as it was received, with all its secrets. It is nil after a restart.
	Request proto.Message
	// Faults are those of the egress as a whole, not of its single events.
	Faults []Fault
	// Runs is how often a worker began to record.
	Runs int
	// Recorded says whether there was ever any media.
	Recorded bool
	// Told is how many endpoints accepted its egress_ended, counted since the last restart.
	Told int
	// Accepted is when a worker claimed the start, and Ended when the last run ended: zero while it is
	// running.
	Accepted, Ended time.Time
}

// Egresses returns everything that was ever accepted, oldest first.
func (s *Server) Egresses() []Recording {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Recording, 0, len(s.accepted))
	for _, e := range s.accepted {
		r := Recording{
			Info: proto.CloneOf(e.Info.EgressInfo), Faults: slices.Clone(e.Faults), Runs: e.Runs, Recorded: e.Recorded,
			Told: s.courier.toldOf(e.id()), Accepted: e.Accepted, Ended: e.Ended,
		}
		if e.request != nil {
			r.Request = proto.Clone(e.request)
		}
		list = append(list, r)
	}
	return list
}

// Deliveries counts the webhooks by event name.
func (s *Server) Deliveries() map[string]Deliveries { return s.courier.deliveries() }

// Calls counts the calls that arrived, by method, such as "StopEgress", whatever became of them.
func (s *Server) Calls() map[string]int { return s.calls.snapshot() }

// counters counts by name.
type counters struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counters) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name]++
}

func (c *counters) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}

// gate lets callers through unless it is shut.
type gate struct {
	mu   sync.Mutex
	hold chan struct{} // nil when open
}

// shut holds callers from now on.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hold == nil {
		g.hold = make(chan struct{})
	}
}

// open releases all callers.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hold != nil {
		close(g.hold)
		g.hold = nil
	}
}

// wait waits while the gate is shut.
func (g *gate) wait(ctx context.Context, closing <-chan struct{}) error {
	g.mu.Lock()
	hold := g.hold
	g.mu.Unlock()
	if hold == nil {
		return nil
	}
	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-closing:
		return errClosed
	}
}
