package livekit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// sharedList keeps one answer for a short time, and lets callers that arrive meanwhile wait for the
// same call. Its items are read-only.
type sharedList struct {
	calls singleflight.Group
	mu    sync.Mutex
	last  listed
}

// listed is a list with the time at which it was requested: an egress that starts during the call
// may be missing from it.
type listed struct {
	items []*livekit.EgressInfo
	asked time.Time
}

// get returns a list requested at most maxAge before its caller arrived, or an error once ctx has
// ended. The call goes on without the caller.
func (s *sharedList) get(ctx context.Context, maxAge time.Duration, ask func() ([]*livekit.EgressInfo, error)) ([]*livekit.EgressInfo, error) {
	came := time.Now()
	for {
		l := s.kept()
		if !l.asked.IsZero() && came.Sub(l.asked) < maxAge {
			return l.items, nil
		}
		call := s.calls.DoChan("", func() (any, error) {
			l := listed{asked: time.Now()}
			var err error
			if l.items, err = ask(); err == nil {
				s.keep(l)
			}
			return l, err
		})
		select {
		case <-ctx.Done():
			return nil, &egress.Error{Reason: egress.Ambiguous, Message: "list egress: no answer in time", Err: ctx.Err()}
		case r := <-call:
			if l, _ := r.Val.(listed); r.Err != nil || came.Sub(l.asked) < maxAge {
				return l.items, r.Err
			}
		}
	}
}

func (s *sharedList) kept() listed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *sharedList) keep(l listed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = l
}

// queuedList makes one call at a time. Callers that arrive during it share the next one: nobody
// gets a list that is older than their request.
type queuedList struct {
	inLine atomic.Int64
	turn   sync.Mutex
	at     time.Time // of the last call
	items  []*livekit.EgressInfo
	err    error
}

func (q *queuedList) get(ask func() ([]*livekit.EgressInfo, error)) ([]*livekit.EgressInfo, error) {
	q.inLine.Add(1) // before taking the time: an answer requested later is kept
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
