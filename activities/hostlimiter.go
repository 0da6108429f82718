package activities

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A worker runs 3,000 activities at a time, including starts and stops of recordings. Those that
// wait for a slot at a host are a small part of them, and wait only for a moment.
const (
	longestWait  = 2 * time.Second // at a consumer that takes 50 ms, a slot is free sooner
	longestQueue = 128             // per host: with the slots themselves, 100 ends at once need no second attempt
	mostWaiting  = 256             // at all hosts
)

// hostLimiter bounds the concurrent requests to each host, so that a slow or hanging consumer does
// not get all attempts of a worker at once. It holds only hosts with requests under way.
type hostLimiter struct {
	most    int // per host
	mu      sync.Mutex
	hosts   map[string]*host
	waiting int // at all hosts
}

// host is a host with requests under way.
type host struct {
	inside int
	queue  []chan struct{} // those waiting, in order; a closed channel has its slot
	silent bool            // the last request here got no answer
}

func newHostLimiter(most int) *hostLimiter {
	return &hostLimiter{most: most, hosts: map[string]*host{}}
}

// admission is the result of asking for a slot.
type admission int

const (
	admitted admission = iota
	full               // no slot is free, and those in use get answers
	silent             // no slot is free, and those in use get no answers
)

// acquire takes a slot at a host. If none is free and the host answers, it waits for a moment in
// the queue; if that fails too, the attempt must be repeated later. Whoever is admitted must
// release the slot and say whether the host answered.
func (l *hostLimiter) acquire(ctx context.Context, name string) (release func(answered bool), a admission) {
	release = func(answered bool) { l.release(name, answered) }
	turn, a := l.enqueue(name)
	if turn == nil {
		return release, a
	}
	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	select {
	case <-turn:
		return release, admitted
	case <-timer.C:
	case <-ctx.Done():
	}
	if l.dequeue(name, turn) {
		return release, full
	}
	return release, admitted // its turn came at that very moment
}

// enqueue admits at once, returns a channel that is closed when the caller's turn has come, or
// does neither.
func (l *hostLimiter) enqueue(name string) (turn chan struct{}, a admission) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hosts[name]
	switch {
	case h == nil:
		l.hosts[name] = &host{inside: 1}
		return nil, admitted
	case h.inside < l.most:
		h.inside++
		return nil, admitted
	case h.silent:
		return nil, silent
	case len(h.queue) >= longestQueue, l.waiting >= mostWaiting:
		return nil, full
	}
	turn = make(chan struct{})
	h.queue = append(h.queue, turn)
	l.waiting++
	return turn, full
}

// dequeue gives up a turn. It reports false if the turn has already come. The host exists either
// way: somebody waits there or holds a slot.
func (l *hostLimiter) dequeue(name string, turn chan struct{}) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hosts[name]
	i := slices.Index(h.queue, turn)
	if i < 0 {
		return false
	}
	h.queue = slices.Delete(h.queue, i, i+1)
	l.waiting--
	return true
}

// release passes the slot on to the first in the queue.
func (l *hostLimiter) release(name string, answered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hosts[name]
	h.silent = !answered
	switch {
	case len(h.queue) > 0:
		close(h.queue[0])
		h.queue = h.queue[1:]
		l.waiting--
	case h.inside > 1:
		h.inside--
	default:
		delete(l.hosts, name)
	}
}
