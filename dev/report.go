package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// row is the result of one recording of a demo.
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

// report is a demo's result, and its JSON.
type report struct {
	Accepted  int                   `json:"accepted"`
	Settled   int                   `json:"settled"`
	Delivered int                   `json:"delivered"` // announced to the consumer exactly once
	Lost      int                   `json:"lost"`      // verdicts LOST
	Twins     int                   `json:"twins"`     // recorded in addition to another egress of the same request
	EndedBy   map[egress.Source]int `json:"ended_by"`
	Missed    int                   `json:"missed_webhooks"`
	Longest   float64               `json:"longest_detection_seconds"` // from an end until we knew of it
	Seed      uint64                `json:"seed"`

	Verdicts map[egress.Status]int `json:"verdicts"`
	Classes  map[egress.Missed]int `json:"missed_by_class"`
	Faults   rates                 `json:"faults"` // injected faults with their rates
}

func (d *demo) summarize(rows []row, recorded []fakelivekit.Recording, c *consumer) report {
	r := report{
		Seed: d.seed, Twins: twins(recorded), Faults: d.struck(),
		EndedBy: none(egress.Sources()), Verdicts: none(egress.Ends()), Classes: none(egress.Misses()),
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
		r.Verdicts[row.verdict.Status]++
		r.Longest = max(r.Longest, row.verdict.Late.D().Seconds())
		if c.count(row.egressID) == 1 {
			r.Delivered++
		}
		if row.verdict.Status == egress.Lost {
			r.Lost++
		}
		if row.verdict.Missed != "" {
			r.Missed++
			r.Classes[row.verdict.Missed]++
		}
	}
	return r
}

// struck returns the faults of the run that may have occurred.
func (d *demo) struck() rates {
	r := maps.Clone(d.faults)
	maps.DeleteFunc(r, func(_ fakelivekit.Fault, rate float64) bool { return rate == 0 })
	return r
}

// none returns a zero count for each.
func none[K comparable](all []K) map[K]int {
	counts := make(map[K]int, len(all))
	for _, k := range all {
		counts[k] = 0
	}
	return counts
}

// twins counts, from LiveKit's side, the recordings in addition to another one of the same request.
func twins(recorded []fakelivekit.Recording) int {
	byRequest := map[string]int{}
	n := 0
	for _, r := range recorded {
		t, ok := asked(r)
		if !ok || !r.Recorded {
			continue
		}
		if byRequest[t.RequestID]++; byRequest[t.RequestID] > 1 {
			n++
		}
	}
	return n
}

// asked returns our token from the request as LiveKit received it, whatever LiveKit echoes.
func asked(r fakelivekit.Recording) (egress.Token, bool) {
	hooks := egress.Webhooks(r.Info)
	if req, ok := r.Request.(egress.Request); ok {
		hooks = req.GetWebhooks()
	}
	for _, w := range hooks {
		if t, ok := egress.ParseToken(w.GetUrl()); ok {
			return t, true
		}
	}
	return egress.Token{}, false
}

// broken says how the promise was broken, or returns nil if it was kept.
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
	t.AppendHeader(table.Row{"recording", "kind", "egress", "verdict", "source", "late", "delivered"})
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

// String puts the result into words.
func (r report) String() string {
	missed := fmt.Sprintf("%d egress_ended webhooks were missed", r.Missed)
	if r.Missed > 0 {
		missed += " (" + counted(r.Classes, egress.Misses(), "%d %s") + ")"
	}
	return fmt.Sprintf("%d accepted, %d settled (%s), %d delivered exactly once, %d lost, %d twins.\nVerdicts: %s.\n%s; the longest detection took %.1f s. Seed %d.",
		r.Accepted, r.Settled, counted(r.EndedBy, egress.Sources(), "%d by %s"), r.Delivered, r.Lost, r.Twins,
		cmp.Or(counted(r.Verdicts, slices.Sorted(maps.Keys(r.Verdicts)), "%d %s"), "none"), missed, r.Longest, r.Seed)
}

// counted puts the counts above zero into words.
func counted[K ~string](counts map[K]int, order []K, format string) string {
	var words []string
	for _, k := range order {
		if counts[k] > 0 {
			words = append(words, fmt.Sprintf(format, counts[k], k))
		}
	}
	return strings.Join(words, ", ")
}
