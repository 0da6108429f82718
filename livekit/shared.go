package livekit

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// sharedList makes one call at a time for all its callers, and may keep its answer for a short time.
// Its items are read-only.
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

// get returns the answer, a list or an error, to a call made at most maxAge before its caller
// arrived, or an error once ctx has ended: a call in progress goes on without the caller. With 0,
// callers that arrive during a call share the next one, and no list is kept, since it may be large.
func (s *sharedList) get(ctx context.Context, maxAge time.Duration, ask func() ([]*livekit.EgressInfo, error)) ([]*livekit.EgressInfo, error) {
	came := time.Now()
	fresh := func(l listed) bool { return !l.asked.IsZero() && came.Sub(l.asked) < max(maxAge, 1) }
	for {
		if l := s.kept(); fresh(l) {
			return l.items, nil
		}
		call := s.calls.DoChan("", func() (any, error) {
			l := listed{asked: time.Now()}
			var err error
			if l.items, err = ask(); err == nil && maxAge > 0 {
				s.keep(l)
			}
			return l, err
		})
		select {
		case <-ctx.Done():
			return nil, &egress.Error{Reason: egress.Ambiguous, Message: "list egress: no answer in time", Err: ctx.Err()}
		case r := <-call:
			if l, _ := r.Val.(listed); fresh(l) {
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
