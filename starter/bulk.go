package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// bulk tells many recordings again, one after the other. One that cannot be told keeps
// none of the others from it.
type bulk struct {
	rec  recorder
	opts recordings.RedeliverOptions
	rate *rate.Limiter
	out  *told
	span recordings.Span // that the recordings are of; zero where they were named
	sum  map[outcome]int
	said map[string]string // as what each was named that was told, by its request ID and its egress ID
}

// outcome is what became of one recording.
type outcome string

const (
	redelivered outcome = "redelivered"
	wouldBe     outcome = "would redeliver"
	skipped     outcome = "skipped"
	failed      outcome = "failed"
)

// telling is what is said of one recording.
type telling struct {
	Outcome outcome `json:"outcome"`
	ID      string  `json:"id"`
	Reason  string  `json:"reason,omitempty"` // why it was skipped, or failed
	*recordings.Redelivered
}

func lineOf(r recordings.Redelivered, dry bool) telling {
	t := telling{Outcome: redelivered, ID: r.RequestID, Redelivered: &r}
	switch {
	case dry:
		t.Outcome = wouldBe
	case r.UnderWay:
		t.Outcome, t.Reason = skipped, r.WorkflowID+" tells them still"
	}
	return t
}

// run tells all of them. It ends early when the context does, and says where.
func (b *bulk) run(ctx context.Context, targets []target) error {
	b.sum, b.said = map[outcome]int{}, map[string]string{}
	for i, t := range targets {
		// A dry run only reads.
		if !b.opts.DryRun && b.rate.Wait(ctx) != nil || ctx.Err() != nil {
			return b.stopped(i, targets)
		}
		said := b.one(ctx, t)
		if ctx.Err() != nil && said.Outcome == failed {
			return b.stopped(i, targets)
		}
		b.sum[said.Outcome]++
		if err := b.out.line(said); err != nil {
			return err
		}
	}
	b.out.end(b.counts())
	if n := b.sum[failed]; n > 0 {
		return driftError{fmt.Sprintf("%d of %d could not be told again", n, len(targets))}
	}
	return nil
}

// one tells one recording again, also where several of its IDs are named. What is not
// delivered yet needs no telling again.
func (b *bulk) one(ctx context.Context, t target) telling {
	if before, told := b.said[requestOf(t.id)]; told {
		return telling{Outcome: skipped, ID: requestOf(t.id), Reason: "it is named twice, before as " + before}
	}
	r, err := b.rec.Redeliver(ctx, t.id, b.opts)
	if err == nil {
		b.said[requestOf(t.id)], b.said[r.RequestID], b.said[r.EgressID] = t.id, t.id, t.id
		return lineOf(r, b.opts.DryRun)
	}
	return untold(t.id, withoutStep(err, "", b.opts.Step))
}

// untold is a recording that was not told again, and why. Its ID is that of the request, but
// for an egress ID whose request is not known.
func untold(id string, err error) telling {
	said := telling{Outcome: failed, ID: requestOf(id), Reason: oneLine(err)}
	if egress.ReasonOf(err) == egress.Conflict {
		said.Outcome = skipped
	}
	return said
}

// requestOf is the request ID that a workflow ID has in it. Other IDs are as they were.
func requestOf(id string) string {
	if request, ok := egress.RequestID(id); ok {
		return request
	}
	if request, ok := egress.RedeliveryOf(id); ok {
		return request
	}
	return id
}

// stopped says where, and how to go on from there: by times, since a duration would be
// counted from then and leave out the oldest.
func (b *bulk) stopped(next int, targets []target) error {
	b.out.end(b.counts())
	until := b.span.Until
	if at := targets[next].at; !at.IsZero() {
		until = at.Add(time.Millisecond) // the span is open at its end: the next one is to be in it
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
