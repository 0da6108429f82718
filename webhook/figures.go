package webhook

import (
	"sync"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Figures are the endpoint's figures, minute by minute: how many webhooks it accepted, refused and
// could not take, and how long it took at most. They are safe for concurrent use.
type Figures struct {
	instance string
	every    time.Duration
	now      func() time.Time // wall clock, which continues while a machine sleeps

	mu     sync.Mutex
	minute egress.Minute   // in progress
	over   []egress.Minute // completed since the last Take
	seen   time.Time       // when this process is last known to have run
	asked  time.Time       // when the last webhook arrived, or the process began
}

// attentive is for how many minutes after a webhook the figures are also taken before a minute is
// over.
const attentive = 5

// NewFigures begins the figures of one process, named instance. Its minutes last every, and begin
// with the clock's own. now is time.Now, except in tests.
func NewFigures(instance string, every time.Duration, now func() time.Time) *Figures {
	f := &Figures{instance: instance, every: every, now: func() time.Time { return now().UTC().Round(0) }}
	f.seen = f.now()
	f.asked = f.seen
	f.begin(f.seen)
	return f
}

func (f *Figures) begin(at time.Time) {
	f.minute = egress.Minute{From: at, Instance: f.instance, Every: egress.Duration(f.every)}
}

// roll completes the current minute once it is over. It leaves out a gap of more than a minute, in
// which the process did not run or its clock was set.
func (f *Figures) roll(now time.Time) {
	if frozen := now.Sub(f.seen).Abs() > f.every; frozen {
		f.end(f.seen)
		f.begin(now)
		if f.asked.After(now) {
			f.asked = now
		}
	}
	for {
		next := f.minute.From.Truncate(f.every).Add(f.every)
		if now.Before(next) {
			break
		}
		f.end(next)
		f.begin(next)
	}
	f.seen = now
}

func (f *Figures) end(at time.Time) {
	if f.minute.Until = at; at.After(f.minute.From) {
		f.over = append(f.over, f.minute)
	}
}

// count counts one request that was answered.
func (f *Figures) count(g group, took time.Duration) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	f.roll(now)
	switch g {
	case accepted:
		f.minute.Accepted++
	case refused:
		f.minute.Refused++
	case unavailable:
		f.minute.Unavailable++
	case nobody:
		return
	}
	f.minute.Slowest = max(f.minute.Slowest, egress.Duration(took))
	f.asked = now
}

// alive records that the process is running, even if nothing is taken and no webhook arrives.
func (f *Figures) alive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roll(f.now())
}

// Take returns what has not been taken yet: the completed minutes and, within five minutes of a
// webhook, the current one so far. With all, it always adds the current one.
func (f *Figures) Take(all bool) []egress.Minute {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	f.roll(now)
	taken := f.over
	f.over = nil
	part, until := f.every/egress.MinuteParts, f.asked.Add(attentive*f.every)
	busy := !now.After(until)
	if soFar := f.minute; (all || busy) && now.After(soFar.From) {
		soFar.Until = now
		taken = append(taken, soFar)
	}
	due := f.every
	if !now.Add(2 * part).After(until) { // otherwise the next Take may come only at the end of the minute
		due = part
	}
	for i := range taken {
		taken[i].Due = egress.Duration(due)
	}
	return taken
}

// group is what a reason says about the endpoint.
type group int

const (
	accepted    group = iota + 1
	refused           // LiveKit drops an event answered like this, unless a key or clock is corrected
	unavailable       // we could not take it at the time
	nobody            // it was not a webhook
)
