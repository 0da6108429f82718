package recordings

import (
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Filter says which recordings to list. The zero Filter lists all.
type Filter struct {
	Room   string
	Kind   egress.Kind
	Status egress.Status
	Active bool      // only those whose workflow is open: running or paused
	Stuck  bool      // only those that a person should look at
	Missed bool      // only those whose `egress_ended` did not come in time
	Since  time.Time // only those that began at that time or later
	Until  time.Time // only those that began earlier
	// RanSince leaves out those that were over by then, whenever they began.
	RanSince time.Time
	// Redeliveries lists redeliveries instead of recordings.
	Redeliveries bool
}

// open matches a workflow that has not closed.
const open = "ExecutionStatus IN ('Running', 'Paused')"

// asOlder returns a query for a Temporal before 1.30, which knows no paused workflows, if the
// server rejected the query.
func asOlder(query string, err error) (string, bool) {
	older := strings.ReplaceAll(query, open, equal("ExecutionStatus", "Running"))
	return older, is[*serviceerror.InvalidArgument](err) && older != query
}

// query returns the filter as a visibility query.
func (f Filter) query() string {
	of := egress.WorkflowType
	if f.Redeliveries {
		of = egress.RedeliveryType
	}
	terms := []string{equal("WorkflowType", of)}
	add := func(want bool, term string) {
		if want {
			terms = append(terms, term)
		}
	}
	add(f.Room != "", roomTerm(egress.Keyword(f.Room)))
	add(f.Kind != "", equal(egress.AttributeKind, string(f.Kind)))
	add(f.Status != "", equal(egress.AttributeStatus, string(f.Status)))
	add(f.Active || f.Stuck && f.Redeliveries, open) // a redelivery that was cancelled waits for nobody
	add(f.Stuck, egress.AttributeStuck+" = true")
	add(f.Missed, egress.AttributeMissed+" IS NOT NULL")
	add(!f.Since.IsZero(), "StartTime >= "+instant(f.Since))
	add(!f.Until.IsZero(), "StartTime < "+instant(f.Until))
	add(!f.RanSince.IsZero(), "("+open+" OR CloseTime >= "+instant(f.RanSince)+")")
	return strings.Join(terms, " AND ")
}

// mangled are the characters that Temporal's SQL stores may fail to find: up to server 1.32 they
// are escaped as MySQL wants it, which neither PostgreSQL nor SQLite understands, and quotes at a
// value's ends are lost. For PostgreSQL, a ? is taken for a placeholder, so that the query fails.
const mangled = "'\\\"?\b\n\r\t"

// roomTerm narrows a query to a room. If the name holds a mangled character, it queries only what
// is before that, and letsThrough drops the rest.
func roomTerm(room string) string {
	switch i := strings.IndexAny(room, mangled); {
	case i < 0:
		return equal(egress.AttributeRoom, room)
	case i == 0:
		return egress.AttributeRoom + " IS NOT NULL"
	default:
		return egress.AttributeRoom + " STARTS_WITH " + quote(room[:i])
	}
}

// letsThrough checks what a query cannot be trusted with. A run that continued as new counts as
// its successor, whatever its last state, unless that began too late for the filter.
func (f Filter) letsThrough(r Row) bool {
	return !r.continuedBy(f.Until) && (f.Room == "" || r.Room == egress.Keyword(f.Room))
}

func equal(name, value string) string { return name + " = " + quote(value) }

// instant formats a time for a query.
func instant(t time.Time) string { return quote(t.UTC().Format(time.RFC3339Nano)) }

// quote quotes a value for a query. Callers choose room names freely.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
