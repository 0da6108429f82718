package recordings

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Span selects recordings, of those that have a verdict.
type Span struct {
	Since time.Time // those whose workflow closed at that time or later; zero: all that Temporal keeps
	Until time.Time // those whose workflow closed earlier; zero: all until now
	Where string    // an additional condition in Temporal's query language, such as EgressRoom = 'standup'
}

// query returns the span as a visibility query for workflows in a state.
func (s Span) query(state string) string {
	terms := []string{Filter{}.query(), state}
	if s.Where != "" {
		terms = append(terms, "("+s.Where+")")
	}
	return strings.Join(terms, " AND ")
}

// closed returns the query for those that have closed with a verdict.
func (s Span) closed() string {
	state := equal("ExecutionStatus", "Completed")
	if !s.Since.IsZero() {
		state += " AND CloseTime >= " + instant(s.Since)
	}
	if !s.Until.IsZero() {
		state += " AND CloseTime < " + instant(s.Until)
	}
	return s.query(state)
}

// open returns the query for those that have a verdict and stay open, because it may be corrected
// or is being delivered.
func (s Span) open() string {
	return s.query(open + " AND " + egress.AttributeEndedBy + " IS NOT NULL")
}

// holds reports whether an open recording was settled in the span, or a closed one closed in it.
func (s Span) holds(r Row) bool {
	switch {
	case r.ClosedAt != nil:
		return s.has(*r.ClosedAt)
	case r.Memo != nil:
		return s.has(r.Memo.EndedAt)
	default:
		return false
	}
}

func (s Span) has(at time.Time) bool {
	return !at.Before(s.Since) && (s.Until.IsZero() || at.Before(s.Until))
}

// Closed yields the recordings of a span that have closed with a verdict, last closed first, page
// by page as they are read. An error ends it; reason Invalid with field "where" means that
// Temporal does not understand the condition.
func (c *Client) Closed(ctx context.Context, s Span) iter.Seq2[Row, error] {
	return c.spanned(ctx, s, s.closed(), func(r Row) bool { return r.ClosedAt != nil && s.holds(r) })
}

// Settled yields the recordings of a span that have a verdict: first the open ones, then those
// that have closed, each once.
func (c *Client) Settled(ctx context.Context, s Span) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		open := map[string]bool{} // by run: one may close while pages are read
		for _, rows := range []iter.Seq2[Row, error]{c.spanned(ctx, s, s.open(), func(r Row) bool { return r.ClosedAt == nil && s.holds(r) }), c.Closed(ctx, s)} {
			for row, err := range rows {
				if err == nil && open[row.RunID] {
					continue
				}
				if !yield(row, err) || err != nil {
					return
				}
				open[row.RunID] = row.ClosedAt == nil
			}
		}
	}
}

func (c *Client) spanned(ctx context.Context, s Span, query string, holds func(Row) bool) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for row, err := range c.rows(ctx, query) {
			if wrong, ok := errors.AsType[*serviceerror.InvalidArgument](err); ok && s.Where != "" {
				err = &egress.Error{Reason: egress.Invalid, Field: "where", Message: "Temporal does not understand it: " + wrong.Error(), Err: err}
			}
			// A condition that breaks out of its parentheses matches others: those of another time,
			// and workflows that are not recordings.
			_, ours := egress.RequestID(row.WorkflowID)
			if ours {
				err = cmp.Or(err, row.unread)
			}
			if (err != nil || ours && holds(row)) && !yield(row, err) {
				return
			}
		}
	}
}
