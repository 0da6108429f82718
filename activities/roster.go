package activities

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// lag is how far visibility may be behind for a round to see at once what changed. What
// came later than that is seen when all is read.
const lag = time.Minute

// roster is our workflows, kept from one round to the next. To read all of them is most of
// what a round costs Temporal, and of those that wait nothing has changed: so only what did
// is read, until a round is deep or would act on what it sees.
type roster struct {
	mu   sync.Mutex
	last time.Time              // the last round that was done by it
	at   time.Time              // what changed before is in it. Zero: it was never read
	rows map[string]egress.Ours // those that run, by request ID

	doneFrom, doneAt time.Time // what completed between is in done. Zero: it was never read
	done             map[bond]done

	// known are egresses that LiveKit lists and of which nothing is left to do, with the
	// status that it gave them then: their workflow has closed, or was told of their end. A
	// killed one is listed as active for ever. They are left alone until that changes, and
	// those that have not ended, until a deep round begins.
	known map[string]livekit.EgressStatus
}

// bond is a workflow and the egress that it was about.
type bond struct{ requestID, egressID string }

// done is one that has completed. Nothing of it changes any more.
type done struct {
	egress.Ours
	readAt time.Time
}

// begin begins a round. What the roster has of rounds before a moment may be of before Temporal was
// restored from a backup.
func (r *roster) begin(anew time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.Before(anew) {
		r.at, r.doneAt, r.done, r.known = time.Time{}, time.Time{}, nil, nil
	}
}

// end ends a round that was done.
func (r *roster) end(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = at
}

// whole reads all.
func (r *roster) whole(ctx context.Context, from Registry) ([]egress.Ours, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read(ctx, from)
}

func (r *roster) read(ctx context.Context, from Registry) ([]egress.Ours, error) {
	at := time.Now()
	ours, err := from.Running(ctx)
	if err != nil {
		return nil, err
	}
	r.at, r.rows = at, make(map[string]egress.Ours, len(ours))
	for _, o := range ours {
		r.rows[o.RequestID] = o
	}
	return ours, nil
}

// latest reads what changed, and reports whether it had to read all.
func (r *roster) latest(ctx context.Context, from Registry) (ours []egress.Ours, all bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() {
		ours, err = r.read(ctx, from)
		return ours, true, err
	}
	at := time.Now()
	changed, err := from.Changed(ctx, r.at.Add(-lag))
	if err != nil {
		return nil, false, err
	}
	if !r.take(changed) {
		ours, err = r.read(ctx, from)
		return ours, true, err
	}
	r.at = at
	return slices.Collect(maps.Values(r.rows)), false, nil
}

// note notes that nothing is left to do of an egress, after a step that was done, or of
// which there was nothing to do.
func (r *roster) note(s egress.Measure, done bool, status livekit.EgressStatus) {
	closed := s.Deed == egress.DeedAdopt && !done
	told := (s.Deed == egress.DeedPart || s.Deed == egress.DeedTwin) && done // deep rounds tell again of what records still
	if !closed && !told {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]livekit.EgressStatus{}
	}
	r.known[s.EgressID] = status
}

// open are the listed egresses but for those of which nothing is left to do.
func (r *roster) open(listed []egress.Listed, ours []egress.Ours) []egress.Listed {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range ours { // those that run after all
		delete(r.known, o.EgressID)
	}
	return slices.DeleteFunc(listed, func(l egress.Listed) bool {
		s, known := r.known[l.ID]
		return known && s == l.Status
	})
}

// forget forgets, for a round that asks of all anew, what has not ended, and what LiveKit
// lists no more.
func (r *roster) forget(listed []egress.Listed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := make(map[string]livekit.EgressStatus, len(r.known))
	for _, l := range listed {
		if s, ok := r.known[l.ID]; ok && egress.Ended(s) {
			known[l.ID] = s
		}
	}
	r.known = known
}

// take adds what changed. It reports false where that does not say what became of a row:
// one that was not bound or was over and is not told of any more is bound or runs again.
func (r *roster) take(changed []egress.Ours) bool {
	told := make(map[string]bool, len(changed))
	for _, o := range changed {
		told[o.RequestID] = true
		if o.Closed {
			delete(r.rows, o.RequestID)
		}
	}
	for _, o := range changed { // of one ID, a run that has closed is older than one that runs
		if !o.Closed {
			r.rows[o.RequestID] = o
		}
	}
	for id, o := range r.rows {
		if !told[id] && (o.EgressID == "" || o.Over) {
			return false
		}
	}
	return true
}

// completed are those that have completed since a moment, and some from before it. Only
// what completed since the last reading is read.
func (r *roster) completed(ctx context.Context, from Registry, since time.Time) ([]egress.Ours, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, unread := time.Now(), since
	if last := r.doneAt.Add(-lag); last.After(since) && !since.Before(r.doneFrom) {
		unread = last
	}
	ours, err := from.Completed(ctx, unread)
	if err != nil {
		return nil, err
	}
	if r.doneFrom, r.doneAt = since, at; r.done == nil {
		r.done = map[bond]done{}
	}
	for _, o := range ours {
		r.done[bond{o.RequestID, o.EgressID}] = done{o, at}
	}
	maps.DeleteFunc(r.done, func(_ bond, d done) bool { return d.readAt.Before(since) })
	all := make([]egress.Ours, 0, len(r.done))
	for _, d := range r.done {
		all = append(all, d.Ours)
	}
	return all, nil
}
