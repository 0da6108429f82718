package activities

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A worker runs 1,000 activities at a time, starts and stops of recordings among them.
// What waits for a place at a host is a small part of those, and only for a moment.
const (
	longestWait = 2 * time.Second // a place at a consumer that takes 50 ms is free sooner
	longestLine = 128             // at one host: with those inside, 100 ends at once need no second attempt
	mostWaiting = 256             // at all hosts
)

// places bounds the requests that are under way to each host, so that a consumer that
// is slow or hangs is not asked by all attempts of a worker at once. It knows only
// hosts where somebody is.
type places struct {
	most    int // at one host
	mu      sync.Mutex
	hosts   map[string]*host
	waiting int // at all hosts
}

// host is where requests are under way.
type host struct {
	inside int
	line   []chan struct{} // who waits, in their order; a closed one has its place
	silent bool            // the last one that left got no answer
}

func newPlaces(most int) *places { return &places{most: most, hosts: map[string]*host{}} }

// admission is what becomes of one who wants to enter.
type admission int

const (
	admitted admission = iota
	full               // and those inside get answers
	hopeless           // and those inside get none
)

// enter takes a place at a host. Where there is none, it waits for a moment, in line and
// only at a host that answers; then its attempt is to come again later. Who is admitted
// must leave, and say whether the host answered.
func (p *places) enter(ctx context.Context, name string) (leave func(answered bool), a admission) {
	leave = func(answered bool) { p.leave(name, answered) }
	turn, a := p.queue(name)
	if turn == nil {
		return leave, a
	}
	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	select {
	case <-turn:
		return leave, admitted
	case <-timer.C:
	case <-ctx.Done():
	}
	if p.unqueue(name, turn) {
		return leave, full
	}
	return leave, admitted // its turn came at that very moment
}

// queue admits at once, or returns a channel that is closed when its turn has come, or
// neither.
func (p *places) queue(name string) (turn chan struct{}, a admission) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	switch {
	case h == nil:
		p.hosts[name] = &host{inside: 1}
		return nil, admitted
	case h.inside < p.most:
		h.inside++
		return nil, admitted
	case h.silent:
		return nil, hopeless
	case len(h.line) >= longestLine, p.waiting >= mostWaiting:
		return nil, full
	}
	turn = make(chan struct{})
	h.line = append(h.line, turn)
	p.waiting++
	return turn, full
}

// unqueue gives a turn up. It reports false where it has come already.
func (p *places) unqueue(name string, turn chan struct{}) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	if h == nil {
		return false
	}
	i := slices.Index(h.line, turn)
	if i < 0 {
		return false
	}
	h.line = slices.Delete(h.line, i, i+1)
	p.waiting--
	return true
}

// leave hands the place to the first in line.
func (p *places) leave(name string, answered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	h.silent = !answered
	switch {
	case len(h.line) > 0:
		close(h.line[0])
		h.line = h.line[1:]
		p.waiting--
	case h.inside > 1:
		h.inside--
	default:
		delete(p.hosts, name)
	}
}
