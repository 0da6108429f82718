package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// row is what became of one recording of a demo.
type row struct {
	name      string
	kind      egress.Kind
	egressID  string
	accepted  bool
	settled   bool
	delivered int // how often the consumer was told
	verdict   egress.Verdict
	err       error
}

// report is a demo's outcome, and its JSON.
type report struct {
	Accepted  int                   `json:"accepted"`
	Settled   int                   `json:"settled"`
	Delivered int                   `json:"delivered"` // told to the consumer exactly once
	Lost      int                   `json:"lost"`      // verdicts LOST
	Twins     int                   `json:"twins"`     // recorded beside another of the same request
	EndedBy   map[egress.Source]int `json:"ended_by"`
	Missed    int                   `json:"missed_webhooks"`
	Longest   float64               `json:"longest_detection_seconds"` // from an end to our hearing of it
	Seed      uint64                `json:"seed"`
}

func (d *demo) summarize(rows []row, recorded []fakelivekit.Recording, c *consumer) report {
	r := report{Seed: d.seed, EndedBy: map[egress.Source]int{}, Twins: twins(recorded)}
	for _, s := range egress.Sources() {
		r.EndedBy[s] = 0
	}
	for _, row := range rows {
		if row.accepted {
			r.Accepted++
		}
		if !row.settled {
			continue
		}
		r.Settled++
		r.EndedBy[row.verdict.EndedBy]++
		r.Longest = max(r.Longest, row.verdict.Late.D().Seconds())
		if c.count(row.egressID) == 1 {
			r.Delivered++
		}
		if row.verdict.Status == egress.Lost {
			r.Lost++
		}
		if row.verdict.Missed != "" {
			r.Missed++
		}
	}
	return r
}

// twins counts, on LiveKit's side, what recorded beside another of the same request.
func twins(recorded []fakelivekit.Recording) int {
	byRequest := map[string]int{}
	n := 0
	for _, r := range recorded {
		t, ok := egress.TokenOf(r.Info)
		if !ok || !r.Recorded {
			continue
		}
		if byRequest[t.RequestID]++; byRequest[t.RequestID] > 1 {
			n++
		}
	}
	return n
}

// broken says in which way the promise was not kept, nil when it was.
func (r report) broken() error {
	if r.Settled == r.Accepted && r.Delivered == r.Accepted && r.Accepted > 0 && r.Twins == 0 {
		return nil
	}
	return fmt.Errorf("the promise was not kept: %d accepted, %d settled, %d delivered exactly once, %d twins (seed %d)",
		r.Accepted, r.Settled, r.Delivered, r.Twins, r.Seed)
}

func (d *demo) print(rows []row, r report) error {
	if d.asJSON {
		return json.NewEncoder(d.stdout).Encode(r)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"recording", "kind", "egress", "verdict", "told by", "late", "delivered"})
	for _, row := range rows {
		t.AppendRow(row.cells())
	}
	_, err := fmt.Fprintf(d.stdout, "%s\n%s\n", t.Render(), r)
	return err
}

func (r row) cells() table.Row {
	if r.err != nil {
		return table.Row{r.name, r.kind, r.egressID, r.err.Error(), "", "", ""}
	}
	delivered := "yes"
	if r.delivered != 1 {
		delivered = fmt.Sprintf("%d times", r.delivered)
	}
	late := fmt.Sprintf("%.1f s", r.verdict.Late.D().Seconds())
	return table.Row{r.name, r.kind, r.egressID, r.verdict.Status, r.verdict.EndedBy, late, delivered}
}

// String is the outcome in words.
func (r report) String() string {
	var by []string
	for _, s := range egress.Sources() {
		if r.EndedBy[s] > 0 {
			by = append(by, fmt.Sprintf("%d by %s", r.EndedBy[s], s))
		}
	}
	return fmt.Sprintf("%d accepted, %d settled (%s), %d delivered exactly once, %d lost, %d twins.\n%d webhooks of an end were missed; the longest detection took %.1f s. Seed %d.",
		r.Accepted, r.Settled, strings.Join(by, ", "), r.Delivered, r.Lost, r.Twins, r.Missed, r.Longest, r.Seed)
}
