package webhook

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// mostWaiting is how many reports are kept until Temporal is back: as many minutes as are kept
// there.
const mostWaiting = 26 * 60

// lastWord bounds the last report of a process that is ending: it is sent alongside the requests
// still in progress, and must not delay the end.
const lastWord = time.Second

// Keeper stores reports of the endpoint's state.
type Keeper interface {
	// ReportMinute returns once the report is durable. Repeating a report changes nothing. It must
	// return when ctx ends.
	ReportMinute(ctx context.Context, m egress.Minute) error
}

// Report sends the figures until ctx ends: each completed minute, and the current one a few times
// while webhooks arrive, since an egress that has just ended is judged by it. What cannot be sent
// waits, so that an outage of Temporal does not look like one of the endpoint.
func Report(ctx context.Context, f *Figures, to Keeper, log *slog.Logger) {
	r := &reporter{figures: f, to: to, log: log}
	tick := time.NewTicker(max(f.every/egress.MinuteParts, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.flush(ctx, false)
		case <-ctx.Done():
			if r.failing {
				return
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
			defer cancel()
			r.flush(ctx, true)
			return
		}
	}
}

// reporter holds the reports that wait to be sent.
type reporter struct {
	figures *Figures
	to      Keeper
	log     *slog.Logger
	waiting []egress.Minute
	failing bool
}

// flush sends the waiting reports, oldest first.
func (r *reporter) flush(ctx context.Context, all bool) {
	for _, m := range r.figures.Take(all) {
		r.wait(m)
	}
	for len(r.waiting) > 0 {
		if err := r.send(ctx, r.waiting[0]); err != nil {
			if ctx.Err() != nil { // our own end interrupted it, which says nothing about Temporal
				return
			}
			if !r.failing {
				r.log.Warn("how the endpoint was could not be reported; it waits", "error", err)
			}
			r.failing = true
			return
		}
		r.failing, r.waiting = false, r.waiting[1:]
		r.figures.alive() // sending a day's reports takes minutes
	}
}

// send takes less than a minute; otherwise the process would seem to have stood still.
func (r *reporter) send(ctx context.Context, m egress.Minute) error {
	ctx, cancel := context.WithTimeout(ctx, m.Every.D()/2)
	defer cancel()
	return r.to.ReportMinute(ctx, m)
}

// wait queues a minute, replacing what was known of it before.
func (r *reporter) wait(m egress.Minute) {
	if n := len(r.waiting) - 1; n >= 0 && r.waiting[n].From.Equal(m.From) {
		r.waiting[n] = m
		return
	}
	r.waiting = append(r.waiting, m)
	if over := len(r.waiting) - mostWaiting; over > 0 {
		r.waiting = slices.Delete(r.waiting, 0, over)
	}
}
