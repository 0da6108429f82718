package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// bulk announces many recordings again, one after the other. One that fails does not keep the
// others from being announced.
type bulk struct {
	rec     recorder
	opts    recordings.RedeliverOptions
	rate    *rate.Limiter
	out     *printer
	span    recordings.Span // of the recordings; zero if they were named
	sum     map[outcome]int
	namedAs map[string]string // for each recording already announced, the ID by which it was named; keyed by request ID and by egress ID
}

// outcome is the result for one recording.
type outcome string

const (
	redelivered outcome = "redelivered"
	wouldBe     outcome = "would redeliver"
	skipped     outcome = "skipped"
	failed      outcome = "failed"
)

// entry is the output for one recording.
type entry struct {
	Outcome outcome `json:"outcome"`
	ID      string  `json:"id"`
	Reason  string  `json:"reason,omitempty"` // why it was skipped or has failed
	*recordings.Redelivered
}

func entryOf(r recordings.Redelivered, dry bool) entry {
	e := entry{Outcome: redelivered, ID: r.RequestID, Redelivered: &r}
	switch {
	case dry:
		e.Outcome = wouldBe
	case r.UnderWay:
		e.Outcome, e.Reason = skipped, r.WorkflowID+" is still telling them"
	}
	return e
}

// run announces all of them. It stops early if the context ends, and says where.
func (b *bulk) run(ctx context.Context, targets []target) error {
	b.sum, b.namedAs = map[outcome]int{}, map[string]string{}
	for i, t := range targets {
		// A dry run only reads.
		if !b.opts.DryRun && b.rate.Wait(ctx) != nil || ctx.Err() != nil {
			return b.stopped(i, targets)
		}
		e := b.one(ctx, t)
		if ctx.Err() != nil && e.Outcome == failed {
			return b.stopped(i, targets)
		}
		b.sum[e.Outcome]++
		if err := b.out.write(e); err != nil {
			return err
		}
	}
	b.out.end(b.counts())
	if n := b.sum[failed]; n > 0 {
		return driftError{fmt.Sprintf("%d of %d could not be redelivered", n, len(targets))}
	}
	return nil
}

// one announces one recording again, only once even if several of its IDs are named. A recording
// that is not delivered yet is skipped.
func (b *bulk) one(ctx context.Context, t target) entry {
	if before, done := b.namedAs[requestOf(t.id)]; done {
		return entry{Outcome: skipped, ID: requestOf(t.id), Reason: "it is named twice, first as " + before}
	}
	r, err := b.rec.Redeliver(ctx, t.id, b.opts)
	if err == nil {
		b.namedAs[requestOf(t.id)], b.namedAs[r.RequestID], b.namedAs[r.EgressID] = t.id, t.id, t.id
		return entryOf(r, b.opts.DryRun)
	}
	return failedEntry(t.id, withoutStep(err, "", b.opts.Step))
}

// failedEntry describes a recording that was not announced again, and why. Its ID is the request ID, or
// the egress ID if the request is unknown.
func failedEntry(id string, err error) entry {
	e := entry{Outcome: failed, ID: requestOf(id), Reason: oneLine(err)}
	if egress.ReasonOf(err) == egress.Conflict {
		e.Outcome = skipped
	}
	return e
}

// requestOf returns the request ID inside a workflow ID. It returns other IDs unchanged.
func requestOf(id string) string {
	if request, ok := egress.RequestID(id); ok {
		return request
	}
	if request, ok := egress.RedeliveryOf(id); ok {
		return request
	}
	return id
}

// stopped says where the run stopped and how to continue, in absolute times: a duration would be
// counted from the next run and would leave out the oldest recordings.
func (b *bulk) stopped(next int, targets []target) error {
	b.out.end(b.counts())
	until := b.span.Until
	if at := targets[next].at; !at.IsZero() {
		until = at.Add(time.Millisecond) // the end of a span is exclusive: the next one must be inside
	}
	on := "the same command"
	switch {
	case until.IsZero():
		on += " from " + targets[next].id + " on"
	case !b.span.Since.IsZero():
		on += " and --since " + stamp(b.span.Since) + " --until " + stamp(until)
	default:
		on += " and --until " + stamp(until)
	}
	return fmt.Errorf("stopped before %s, with %d of %d to go; go on with %s", targets[next].id, len(targets)-next, len(targets), on)
}

func (b *bulk) counts() string {
	if b.opts.DryRun {
		return fmt.Sprintf("would redeliver %d, skip %d, fail at %d", b.sum[wouldBe], b.sum[skipped], b.sum[failed])
	}
	return fmt.Sprintf("redelivered %d, skipped %d, failed %d", b.sum[redelivered], b.sum[skipped], b.sum[failed])
}
