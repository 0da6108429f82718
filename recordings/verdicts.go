package recordings

import (
	"context"
	"iter"

	"github.com/reelkeeper/reelkeeper/egress"
)

// readAhead is how many verdicts are read at once, each by a call of its own.
const readAhead = 8

// Verdicts yields the verdicts of a span's closed recordings, in the order of Closed. They are
// read as they are consumed, at most eight ahead, and no worker is needed. For one that Temporal
// has deleted since it was listed, because its retention is over, it yields an error of reason
// NotFound and goes on; any other error ends it.
func (c *Client) Verdicts(ctx context.Context, s Span) iter.Seq2[egress.Verdict, error] {
	return func(yield func(egress.Verdict, error) bool) {
		reading, cancel := context.WithCancel(ctx)
		defer cancel()
		for turn := range c.read(reading, s) {
			a := <-turn
			over := a.err != nil && egress.ReasonOf(a.err) != egress.NotFound
			if !yield(a.verdict, a.err) || over {
				return
			}
		}
		if ctx.Err() != nil { // otherwise a part would pass for the whole
			yield(egress.Verdict{}, errorOf(ctx, "read verdicts", ctx.Err()))
		}
	}
}

// answer is a verdict that was read, or the error.
type answer struct {
	verdict egress.Verdict
	err     error
}

// read sends the answer for each verdict in order, while it is still being read. It ends with the
// context.
func (c *Client) read(ctx context.Context, s Span) <-chan chan answer {
	turns := make(chan chan answer, readAhead)
	go func() {
		defer close(turns)
		noted := latecomers{client: c, since: s.Since}
		for row, err := range c.Closed(ctx, s) {
			if err == nil {
				err = noted.join(ctx, &row)
			}
			turn := make(chan answer, 1)
			select {
			case turns <- turn:
			case <-ctx.Done():
				return
			}
			if err != nil {
				turn <- answer{err: err}
				return
			}
			go func() {
				v, err := c.verdict(ctx, row)
				if err != nil {
					turn <- answer{err: err}
					return
				}
				if row.Missed == egress.MissedLate && row.Memo != nil && v.EgressID == row.EgressID {
					v.CameLate(row.Memo.MissedBecause)
				}
				turn <- answer{verdict: *v}
			}()
		}
	}()
	return turns
}
