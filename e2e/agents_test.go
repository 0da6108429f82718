package e2e

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// agents ask at the door for recordings, each of a room of its own, with the room's name as the
// key. One whose call fails asks again, as the error says.
type agents struct {
	w        *world
	mu       sync.Mutex
	accepted map[string]string // egress ID by key
	ended    map[string]bool
}

func (w *world) agents() *agents {
	return &agents{w: w, accepted: map[string]string{}, ended: map[string]bool{}}
}

func keyOf(when string, n int) string { return fmt.Sprintf("%s-%d", when, n) }

// ask asks for n recordings at once, and returns when all are accepted.
func (a *agents) ask(when string, n int) {
	a.w.t.Helper()
	a.askInTheBackground(when, n).wait()
}

// onTheirWay are calls in progress.
type onTheirWay struct {
	first chan struct{} // closed when the first is accepted
	wait  func()
}

func (a *agents) askInTheBackground(when string, n int) onTheirWay {
	a.w.t.Helper()
	var wg sync.WaitGroup
	first := make(chan struct{})
	var once sync.Once
	for i := range n {
		key := keyOf(when, i)
		a.w.room(key, fakelivekit.RoomScript{})
		wg.Go(func() {
			a.askUntilAccepted(key)
			once.Do(func() { close(first) })
		})
	}
	return onTheirWay{first: first, wait: wg.Wait}
}

func (a *agents) askUntilAccepted(key string) {
	ctx := a.w.ctx()
	for ctx.Err() == nil {
		info, err := a.w.ask(ctx, key, key)
		if err == nil {
			a.mu.Lock()
			a.accepted[key] = info.GetEgressId()
			a.mu.Unlock()
			return
		}
	}
	a.w.t.Errorf("%s is never accepted", key)
}

func (a *agents) egressOf(key string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.accepted[key]
}

// end ends the calls numbered from, up to but not including to.
func (a *agents) end(when string, from, to int) {
	a.w.t.Helper()
	for n := from; n < to; n++ {
		a.endCall(keyOf(when, n))
	}
}

func (a *agents) endAll() {
	a.w.t.Helper()
	for key := range a.accepted {
		a.endCall(key)
	}
}

func (a *agents) endCall(key string) {
	a.w.t.Helper()
	if a.ended[key] {
		return
	}
	a.ended[key] = true
	a.w.becomes(a.egressOf(key), livekit.EgressStatus_EGRESS_ACTIVE)
	require.NoError(a.w.t, a.w.fake.EndCall(key))
}

// verdict waits for the end of a recording, of which nobody may have heard yet.
func (a *agents) verdict(key string) (v egress.Verdict) {
	a.w.t.Helper()
	a.w.want("a verdict of "+key, func() bool {
		ctx, cancel := context.WithTimeout(a.w.ctx(), 3*time.Second)
		defer cancel()
		var err error
		v, err = a.w.client.Wait(ctx, key)
		return err == nil
	})
	return v
}
