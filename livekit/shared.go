package livekit

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/livekit/protocol/livekit"
)

// sharedList keeps one answer for a short time and lets callers who come meanwhile
// wait for the same call. Its items are read only.
type sharedList struct {
	calls singleflight.Group
	mu    sync.Mutex
	items []*livekit.EgressInfo
	at    time.Time
}

func (s *sharedList) get(maxAge time.Duration, ask func() ([]*livekit.EgressInfo, error)) ([]*livekit.EgressInfo, error) {
	if items, fresh := s.kept(maxAge); fresh {
		return items, nil
	}
	v, err, _ := s.calls.Do("active", func() (any, error) {
		asked := time.Now() // an egress that starts during the call may be missing in the answer
		items, err := ask()
		if err == nil {
			s.mu.Lock()
			s.items, s.at = items, asked
			s.mu.Unlock()
		}
		return items, err
	})
	items, _ := v.([]*livekit.EgressInfo)
	return items, err
}

func (s *sharedList) kept(maxAge time.Duration) ([]*livekit.EgressInfo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items, !s.at.IsZero() && time.Since(s.at) < maxAge
}

// queuedList has one call under way at a time. Who comes during it waits for the next one, which
// all of them share: nobody gets a list that is older than their asking.
type queuedList struct {
	inLine atomic.Int64
	turn   sync.Mutex
	at     time.Time // of the last call
	items  []*livekit.EgressInfo
	err    error
}

func (q *queuedList) get(ask func() ([]*livekit.EgressInfo, error)) ([]*livekit.EgressInfo, error) {
	q.inLine.Add(1) // before the time: what was asked for after it is kept
	came := time.Now()
	q.turn.Lock()
	defer q.turn.Unlock()
	if !q.at.After(came) {
		q.at = time.Now()
		q.items, q.err = ask()
	}
	items, err := q.items, q.err
	if q.inLine.Add(-1) == 0 {
		q.items = nil // it may be large
	}
	return items, err
}
