package recordings

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Report says how the recordings of a span of time went, as visibility alone knows it. Every
// egress is in exactly one of four states: running, settled, refused, or broken off.
type Report struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`

	Egresses  int `json:"egresses"`   // all that ran in that time, whenever they began
	Running   int `json:"running"`    // have no verdict yet
	Settled   int `json:"settled"`    // have one
	Refused   int `json:"refused"`    // LiveKit did not start them
	BrokenOff int `json:"broken_off"` // their workflow was terminated, cancelled or timed out, and no other watched the end

	Verdicts map[egress.Status]int `json:"verdicts"`
	EndedBy  map[egress.Source]int `json:"ended_by"`

	Missed     int                   `json:"missed"`      // settled, and LiveKit's webhook had not come
	MissedRate float64               `json:"missed_rate"` // of the settled, from 0 to 1
	Classes    map[egress.Missed]int `json:"missed_by_class"`
	Lateness   Lateness              `json:"lateness"`
	Lost       int                   `json:"lost"`
	Stuck      int                   `json:"stuck"` // wait for a person, running or settled
	Media      map[egress.Media]int  `json:"media"` // of those that were announced, or are being announced

	Misses []Miss `json:"misses"` // newest first
}

// Lateness is how long after their end we learned of egresses, by nearest rank. Lost ones are left
// out: nobody knows when they ended. Zero if there are none.
type Lateness struct {
	P50   egress.Duration `json:"p50"`
	P99   egress.Duration `json:"p99"`
	Worst egress.Duration `json:"worst"`
}

// Miss is an egress whose end LiveKit's webhook did not tell us in time.
type Miss struct {
	Date      time.Time       `json:"date"` // of its end, in UTC
	RoomID    string          `json:"room_id,omitempty"`
	Room      string          `json:"room,omitempty"`
	EgressID  string          `json:"egress_id"`
	RequestID string          `json:"request_id"`
	Status    egress.Status   `json:"status"`
	Class     egress.Missed   `json:"class"`
	Late      egress.Duration `json:"late"` // unknown, and so zero, until somebody has been told, or could not be at once
	AskedBy   *egress.Asker   `json:"asked_by,omitempty"`
}

// Drift reports whether anything is wrong: missed, lost, stuck or broken off, or media that is not
// in its store.
func (r Report) Drift() bool { return r.Missed+r.Lost+r.Stuck+r.BrokenOff+r.WithoutMedia() > 0 }

// WithoutMedia counts the recordings whose media is missing, empty or truncated.
func (r Report) WithoutMedia() (n int) {
	for _, m := range egress.Medias() {
		if m.Alarming() {
			n += r.Media[m]
		}
	}
	return n
}

// Report reads visibility, page by page: no result, no history, no worker.
func (c *Client) Report(ctx context.Context, since, until time.Time) (Report, error) {
	var rows []Row
	at := map[string]int{} // by run: one that closes while pages are read is on two of them
	for row, err := range c.List(ctx, Filter{RanSince: since, Until: until}) {
		if err = cmp.Or(err, row.unread); err != nil { // without its memo it would count as well
			return Report{}, err
		}
		if i, twice := at[row.RunID]; twice {
			rows[i] = row
			continue
		}
		at[row.RunID] = len(rows)
		rows = append(rows, row)
	}
	return ReportOf(rows, since, until), nil
}

// ReportOf counts rows. A run that continued as new is left out, since it counts as its successor,
// unless that began after the span, and so is one that was reset after it had closed, or that broke
// off if another took up its recording.
func ReportOf(rows []Row, since, until time.Time) Report {
	r := Report{
		Since: since.UTC(), Until: until.UTC(),
		Verdicts: map[egress.Status]int{}, EndedBy: map[egress.Source]int{}, Classes: map[egress.Missed]int{}, Media: map[egress.Media]int{}, Misses: []Miss{},
	}
	var late []egress.Duration
	last, settled := lastRuns(rows), lastVerdicts(rows)
	for _, row := range rows {
		switch {
		case row.continuedBy(until), row.cutShort() && last.after(row), settled.replace(row): // another run counts in its place
		case row.overAfter(until): // it is in the next span
			r.Egresses++
			r.Running++
		default:
			r.add(row)
			late = append(late, row.lateness()...)
		}
	}
	slices.Sort(late)
	r.Lateness = Lateness{P50: quantile(late, 0.5), P99: quantile(late, 0.99), Worst: quantile(late, 1)}
	if r.Settled > 0 {
		r.MissedRate = float64(r.Missed) / float64(r.Settled)
	}
	slices.SortStableFunc(r.Misses, func(a, b Miss) int { return b.Date.Compare(a.Date) })
	return r
}

// lateness returns how late we learned the ends of a recording's parts, except of lost ones.
func (r Row) lateness() (late []egress.Duration) {
	if r.Memo == nil || r.EndedBy == "" {
		return nil
	}
	for _, p := range r.Memo.Earlier {
		if p.Status != egress.Lost {
			late = append(late, p.Late)
		}
	}
	if r.Status != egress.Lost {
		late = append(late, r.Memo.Late)
	}
	return late
}

// overAfter reports whether a recording was over at a time or later: when its workflow closed or,
// while that stays open for a correction or a person, when its egress ended. Zero: never.
func (r Row) overAfter(t time.Time) bool {
	over := r.ClosedAt
	if over == nil && r.EndedBy != "" && r.Memo != nil {
		over = &r.Memo.EndedAt
	}
	return over != nil && !t.IsZero() && !over.Before(t)
}

// continuedBy reports whether a run had continued as new before a time, so that its successor
// counts in its place. Zero: whether it has at all.
func (r Row) continuedBy(t time.Time) bool { return r.Workflow == workflowContinued && !r.overAfter(t) }

func (r *Report) add(row Row) {
	r.Egresses++
	if row.Stuck {
		r.Stuck++
	}
	switch {
	case row.EndedBy != "":
		r.settle(row)
	case row.cutShort():
		r.BrokenOff++
	case row.Workflow == workflowFailed:
		r.Refused++
	default:
		r.Running++
	}
}

// settle counts a recording that is over. Each of its parts is an egress of its own.
func (r *Report) settle(row Row) {
	if row.Memo != nil {
		r.Media[row.Memo.Media]++
		for _, p := range row.Memo.Earlier {
			r.Egresses++
			m := missOf(row)
			m.EgressID, m.Status, m.Class, m.Date, m.Late = p.EgressID, p.Status, p.Missed, p.EndedAt.UTC(), p.Late
			m.Room, m.RoomID = cmp.Or(p.Room, m.Room), cmp.Or(p.RoomID, m.RoomID)
			r.count(m, p.EndedBy)
		}
	}
	r.count(missOf(row), row.EndedBy)
}

// count counts an egress that is over.
func (r *Report) count(m Miss, by egress.Source) {
	r.Settled++
	r.Verdicts[m.Status]++
	r.EndedBy[by]++
	if m.Status == egress.Lost {
		r.Lost++
	}
	if m.Class == "" {
		return
	}
	r.Missed++
	r.Classes[m.Class]++
	r.Misses = append(r.Misses, m)
}

// missOf dates a miss by its end. Without the memo, which comes once somebody has been told, the
// workflow's own times are the best known.
func missOf(row Row) Miss {
	m := Miss{
		Date: row.StartedAt, Room: row.Room, EgressID: row.EgressID, RequestID: row.RequestID,
		Status: row.Status, Class: row.Missed, AskedBy: row.AskedBy,
	}
	if row.ClosedAt != nil {
		m.Date = *row.ClosedAt
	}
	if row.Memo != nil {
		m.Date, m.RoomID, m.Late = row.Memo.EndedAt, row.Memo.RoomID, row.Memo.Late
	}
	m.Date = m.Date.UTC()
	return m
}

// quantile returns the nearest rank of a sorted list, zero for an empty one.
func quantile[T cmp.Ordered](sorted []T, q float64) T {
	if len(sorted) == 0 {
		var zero T
		return zero
	}
	return sorted[max(int(math.Ceil(q*float64(len(sorted)))), 1)-1]
}
