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

// lag is how far visibility may be behind for a round to see a change at once. Later changes are
// seen when everything is read.
const lag = time.Minute

// roster is our workflows, kept from one round to the next. Reading all of them is most of what a
// round costs Temporal, and nothing changes while they wait. So only changes are read, until a
// round is deep or would act on what it sees.
type roster struct {
	mu   sync.Mutex
	last time.Time              // the last round that was done with it
	at   time.Time              // earlier changes are in it. Zero: it was never read
	rows map[string]egress.Ours // the running ones, by request ID

	doneFrom, doneAt time.Time // those completed in between are in done. Zero: it was never read
	done             map[bond]done

	// known are listed egresses that need nothing more. LiveKit lists a killed one as active forever.
	// They are left alone until the status changes or, if they have not ended, until a deep round
	// begins.
	known map[string]known
}

// known says why a listed egress needs nothing more: its workflow has closed, or was told of its
// end.
type known struct {
	status livekit.EgressStatus // that LiveKit gave it then
	once   bool                 // told once: the next deep round tells it again
}

// bond is a workflow and the egress that it was about.
type bond struct{ requestID, egressID string }

// done is a completed workflow, which no longer changes.
type done struct {
	egress.Ours
	readAt time.Time
}

// begin begins a round. What the roster holds from rounds before anew may be from before Temporal
// was restored from a backup.
func (r *roster) begin(anew time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.Before(anew) {
		r.at, r.doneAt, r.done, r.known = time.Time{}, time.Time{}, nil, nil
	}
}

// end ends a completed round.
func (r *roster) end(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = at
}

// whole reads all workflows, as they are at that time or later.
func (r *roster) whole(ctx context.Context, from Registry, at time.Time) ([]egress.Ours, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read(ctx, from, at)
}

func (r *roster) read(ctx context.Context, from Registry, at time.Time) ([]egress.Ours, error) {
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

// latest reads what has changed until that time, and reports whether it had to read everything.
func (r *roster) latest(ctx context.Context, from Registry, at time.Time) (ours []egress.Ours, all bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() {
		ours, err = r.read(ctx, from, at)
		return ours, true, err
	}
	changed, err := from.Changed(ctx, r.at.Add(-lag))
	if err != nil {
		return nil, false, err
	}
	if !r.take(changed) {
		ours, err = r.read(ctx, from, at)
		return ours, true, err
	}
	r.at = at
	return slices.Collect(maps.Values(r.rows)), false, nil
}

// note notes that an egress needs nothing more, after a measure was taken or turned out to be
// unnecessary. It reports whether its workflow was told of the same before. That is done twice: a
// failover may have cost Temporal the first signal, and it recognizes the second one otherwise.
func (r *roster) note(m egress.Measure, done bool, status livekit.EgressStatus) (again bool) {
	closed := m.Deed == egress.DeedAdopt && !done
	told := (m.Deed == egress.DeedPart || m.Deed == egress.DeedTwin) && done // deep rounds tell again of those still recording
	if !closed && !told {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]known{}
	}
	again = told && r.known[m.EgressID] == known{status: status, once: true}
	r.known[m.EgressID] = known{status: status, once: told && !again}
	return again
}

// open returns the listed egresses except those that need nothing more. A deep round also gets
// those whose workflow was told once.
func (r *roster) open(listed []egress.Listed, ours []egress.Ours, deep bool) []egress.Listed {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range ours { // those that run after all
		delete(r.known, o.EgressID)
	}
	return slices.DeleteFunc(listed, func(l egress.Listed) bool {
		k, ok := r.known[l.ID]
		return ok && k.status == l.Status && (!deep || !k.once)
	})
}

// forget drops, for a round that checks everything anew, the egresses that have not ended and
// those that LiveKit no longer lists.
func (r *roster) forget(listed []egress.Listed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := make(map[string]known, len(r.known))
	for _, l := range listed {
		if k, ok := r.known[l.ID]; ok && egress.Ended(k.status) {
			kept[l.ID] = k
		}
	}
	r.known = kept
}

// take adds what changed. It reports false if that leaves a row in doubt: one that was unbound or
// over and is no longer reported is bound or runs again.
func (r *roster) take(changed []egress.Ours) bool {
	told := make(map[string]bool, len(changed))
	for _, o := range changed {
		told[o.RequestID] = true
		if o.Closed() {
			delete(r.rows, o.RequestID)
		}
	}
	for _, o := range changed { // of two runs with one ID, the closed one is older than the running one
		if !o.Closed() {
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

// completed returns the workflows that have completed from since until at, and some earlier ones.
// It reads only those that completed since the last reading.
func (r *roster) completed(ctx context.Context, from Registry, since, at time.Time) ([]egress.Ours, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	unread := since
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
