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
	longestWait  = 2 * time.Second // a place at a consumer that takes 50 ms is free sooner
	longestQueue = 128             // at one host: with those inside, 100 ends at once need no second attempt
	mostWaiting  = 256             // at all hosts
)

// hostLimiter bounds the requests that are under way to each host, so that a consumer that
// is slow or hangs is not asked by all attempts of a worker at once. It knows only
// hosts where somebody is.
type hostLimiter struct {
	most    int // at one host
	mu      sync.Mutex
	hosts   map[string]*host
	waiting int // at all hosts
}

// host is where requests are under way.
type host struct {
	inside int
	queue  []chan struct{} // who waits, in their order; a closed one has its place
	silent bool            // the last request here got no answer
}

func newHostLimiter(most int) *hostLimiter {
	return &hostLimiter{most: most, hosts: map[string]*host{}}
}

// admission is what becomes of one who asks for a place.
type admission int

const (
	admitted admission = iota
	full               // no place is free, and those inside get answers
	silent             // none is free either, and those inside get no answer
)

// acquire takes a place at a host. Where none is free, it waits for a moment, in the queue and
// only at a host that answers; then its attempt is to come again later. Who is admitted must
// release the place, and say whether the host answered.
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

// enqueue admits at once, or returns a channel that is closed when its turn has come, or
// neither.
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

// dequeue gives a turn up. It reports false where it has come already. The host is known either
// way: somebody waits there, or has a place.
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

// release hands the place to the first in the queue.
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
