package webhook

import (
	"sync"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Figures are the endpoint's own, minute by minute: how many webhooks it took, refused
// and could not take, and how long it was about them. They are safe for concurrent use.
type Figures struct {
	instance string
	every    time.Duration
	now      func() time.Time // by the wall clock, which goes on while a machine sleeps

	mu     sync.Mutex
	minute egress.Minute   // under way
	over   []egress.Minute // since the last Take
	seen   time.Time       // when this process last ran for certain
	asked  time.Time       // when a webhook last came, or the process began
}

// attentive is how many minutes after a webhook the figures are still taken in parts.
const attentive = 5

// NewFigures begins the figures of one process, which is called instance. Its minutes
// are every long, and begin with the clock's own. now is time.Now, but in tests.
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

// roll ends the minute under way where it is over. A process that was not run for
// longer than a minute was not there, so that time is left out; likewise one whose clock was set.
func (f *Figures) roll(now time.Time) {
	if frozen := now.Sub(f.seen).Abs() > f.every; frozen {
		f.end(f.seen)
		f.begin(now)
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

// count takes one request that was answered.
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

// alive says that the process runs, where nothing is taken and nothing may come.
func (f *Figures) alive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roll(f.now())
}

// Take is what nobody has taken yet: the minutes that are over and, within five minutes
// of a webhook, the one under way so far. all adds that in any case.
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
	if !now.Add(2 * part).After(until) { // else the next one may be that of the whole minute
		due = part
	}
	for i := range taken {
		taken[i].Due = egress.Duration(due)
	}
	return taken
}

// group says what a reason tells of the endpoint.
type group int

const (
	accepted    group = iota + 1
	refused           // it was answered so that LiveKit's event is lost, unless a key or clock is mended
	unavailable       // we could not take it then
	nobody            // it was no webhook
)
