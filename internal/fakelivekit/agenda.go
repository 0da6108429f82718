package fakelivekit

import (
	"container/heap"
	"slices"
	"time"
)

// stepKind names what happens next in the life of an egress or a room.
type stepKind string

// All steps; the state file uses these names.
const (
	// LiveKit stores and announces the egress.
	stepListed stepKind = "listed"
	// The egress's own participant joins.
	stepJoined stepKind = "joined"
	// The recording begins.
	stepActive stepKind = "active"
	// What was to be recorded did not come.
	stepMissed stepKind = "missed"
	// A fault occurs in mid-recording.
	stepStruck stepKind = "struck"
	// The server gives up on the participant of a dead worker.
	stepGone stepKind = "gone"
	// The second run begins.
	stepRerun stepKind = "rerun"
	// The source is gone, or a stop is confirmed.
	stepEnding stepKind = "ending"
	// The file is in its place, or cannot be.
	stepEnded stepKind = "ended"
	// LiveKit deletes the egress from its store.
	stepExpire stepKind = "expire"

	// The people of a room leave.
	stepCallEnds stepKind = "call-ends"
	// A room closes because nobody is left in it.
	stepCloses stepKind = "closes"
)

// step is one planned change. Its time is absolute, so that it stays the same across a restart.
type step struct {
	At   time.Time
	Kind stepKind
	// Reason says why an egress ends, in LiveKit's words, for stepEnding.
	Reason string `json:",omitempty"`
	seq    uint64
}

// plan holds the remaining steps of one egress or room.
type plan struct {
	Steps []step `json:",omitempty"`
}

// take removes the step with this number and reports whether it was still planned.
func (p *plan) take(seq uint64) bool {
	i := slices.IndexFunc(p.Steps, func(st step) bool { return st.seq == seq })
	if i >= 0 {
		p.Steps = slices.Delete(p.Steps, i, i+1)
	}
	return i >= 0
}

// awaits reports whether a step of this kind is planned.
func (p *plan) awaits(kind stepKind) bool {
	return slices.ContainsFunc(p.Steps, func(st step) bool { return st.Kind == kind })
}

// drop cancels all steps of these kinds.
func (p *plan) drop(kinds ...stepKind) {
	p.Steps = slices.DeleteFunc(slices.Clone(p.Steps), func(st step) bool { return slices.Contains(kinds, st.Kind) })
}

// clear cancels everything still planned for a recording, except that LiveKit stores and forgets it.
func (p *plan) clear() {
	p.drop(stepJoined, stepActive, stepMissed, stepStruck, stepGone, stepRerun, stepEnding, stepEnded)
}

// subject is an egress or a room: something with a planned life.
type subject interface {
	planned() *plan
	perform(s *Server, st step)
}

// entry is a step and its subject.
type entry struct {
	step
	of subject
}

// agenda is the heap of everything planned, soonest first. The server's mutex guards it.
type agenda struct {
	entries []entry
	seq     uint64
	wake    chan struct{}
}

func newAgenda() *agenda { return &agenda{wake: make(chan struct{}, 1)} }

// Len, Less, Swap, Push and Pop are for container/heap.
func (a *agenda) Len() int { return len(a.entries) }

// Less orders by time, and by order of planning at equal times.
func (a *agenda) Less(i, j int) bool {
	x, y := a.entries[i], a.entries[j]
	return x.At.Before(y.At) || x.At.Equal(y.At) && x.seq < y.seq
}

// Swap exchanges two entries.
func (a *agenda) Swap(i, j int) { a.entries[i], a.entries[j] = a.entries[j], a.entries[i] }

// Push appends an entry.
func (a *agenda) Push(x any) { a.entries = append(a.entries, x.(entry)) }

// Pop removes the last entry.
func (a *agenda) Pop() any {
	last := a.entries[len(a.entries)-1]
	a.entries = a.entries[:len(a.entries)-1]
	return last
}

// add plans a step for a subject.
func (a *agenda) add(of subject, st step) {
	a.seq++
	st.seq = a.seq
	of.planned().Steps = append(of.planned().Steps, st)
	a.enter(of, st)
}

// enter puts a step on the heap that is already in the subject's plan.
func (a *agenda) enter(of subject, st step) {
	heap.Push(a, entry{step: st, of: of})
	if a.entries[0].seq == st.seq {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

// restore plans again the remaining steps of a subject from the state file.
func (a *agenda) restore(of subject) {
	steps := of.planned().Steps
	for i := range steps {
		a.seq++
		steps[i].seq = a.seq
		a.enter(of, steps[i])
	}
}

// due removes and returns the first step that is due, skipping cancelled ones; otherwise it returns the time to wait for the
// next, and false.
func (a *agenda) due(now time.Time) (entry, time.Duration, bool) {
	for len(a.entries) > 0 {
		if wait := a.entries[0].At.Sub(now); wait > 0 {
			return entry{}, wait, false
		}
		e := heap.Pop(a).(entry)
		if e.of.planned().take(e.seq) {
			return e, 0, true
		}
	}
	return entry{}, time.Hour, false
}
