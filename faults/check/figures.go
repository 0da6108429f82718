package check

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Figures count what happened in a run, good and bad.
type Figures struct {
	Lives      int             `json:"lives"`
	Kinds      map[string]int  `json:"kinds"`      // lives by kind of request
	Outcomes   map[Outcome]int `json:"outcomes"`   // lives by their agent's last answer
	Retries    int             `json:"retries"`    // agents' calls beyond the first of each life
	Forged     int             `json:"forged"`     // ends reported to us by somebody who is not LiveKit
	Elsewhere  int             `json:"elsewhere"`  // started again by another door after the egress had failed
	Neighbours int             `json:"neighbours"` // recordings of somebody who shares LiveKit with us

	Starts   int            `json:"starts"`     // start calls that reached LiveKit
	Egresses int            `json:"egresses"`   // that LiveKit accepted
	Recorded int            `json:"recorded"`   // of those, with media
	Next     int            `json:"next_parts"` // of those, after another of the same life
	Crossed  int            `json:"crossed"`    // of those, for a moment beside another one that its start could not see
	Running  int            `json:"running"`    // of those, not ended
	Unknown  int            `json:"unknowable"` // of those, known to nobody but their agent
	Faults   map[string]int `json:"faults"`     // egresses by the fault planned for the whole egress
	Became   map[string]int `json:"became"`     // egresses by result: their last status, and whether they died, were forgotten, or ran twice
	Webhooks map[string]int `json:"webhooks"`   // webhooks of egresses, by result

	Requests int            `json:"requests"`           // to the consumer
	Answers  map[int]int    `json:"answers"`            // by the consumer's answer; 0: the connection was cut
	Handled  int            `json:"handled"`            // egresses whose end the consumer handled
	Verdicts map[string]int `json:"verdicts"`           // by the last announcement
	EndedBy  map[string]int `json:"ended_by,omitempty"` // by the source of the end, where the consumer's headers name it
	Media    map[string]int `json:"media,omitempty"`    // of what ended well, by what the last announcement says of its media
	Amended  int            `json:"corrections"`        // verdicts announced again with a correction

	Steps map[Work]int `json:"steps"`     // attempts of the pipeline's step, by what they did
	Cut   int          `json:"steps_cut"` // of those, whose answer was lost

	Kills map[string]int `json:"kills"` // by part
	Asked map[string]int `json:"asked"` // to stop, by part
	Exits map[string]int `json:"exits"` // parts that ended by themselves

	Lag     Lag `json:"lag"`
	StepLag Lag `json:"step_lag"` // from the announcement to the consumer until the step worked

	lags, stepLags []time.Duration
}

// Lag is how long something took, such as from the end of an egress to its announcement: the
// slowest of half of them, of 99 %, and of all, in seconds.
type Lag struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// String puts the lag into words.
func (l Lag) String() string {
	return fmt.Sprintf("p50 %.1f s, p99 %.1f s, at most %.1f s", l.P50, l.P99, l.Max)
}

func figuresOf(l Logs, lives []*life, egresses map[string]*recorded) Figures {
	f := Figures{
		Lives: len(lives), Egresses: len(egresses), Requests: len(l.Consumer),
		Kinds: map[string]int{}, Outcomes: map[Outcome]int{}, Faults: map[string]int{}, Became: map[string]int{}, Webhooks: map[string]int{},
		Answers: map[int]int{}, Verdicts: map[string]int{}, EndedBy: map[string]int{}, Kills: map[string]int{}, Asked: map[string]int{}, Exits: map[string]int{},
		Steps: map[Work]int{}, Media: map[string]int{},
	}
	for _, a := range l.Agents {
		f.agent(a)
	}
	for _, line := range l.LiveKit {
		switch {
		case line.Start != "":
			f.Starts++
		case line.Webhook != nil:
			f.Webhooks[line.Webhook.Outcome]++
		}
	}
	for _, e := range egresses {
		if e.Recorded {
			f.Recorded++
		}
		for _, fault := range e.Faults {
			f.Faults[fault]++
		}
		for _, became := range e.became() {
			f.Became[became]++
		}
	}
	for _, r := range l.Consumer {
		f.Answers[r.Answer]++
		if by := headerOf(r.Header, "-Source"); by != "" && r.Answer/100 == 2 {
			f.EndedBy[by]++
		}
	}
	for _, s := range l.Steps {
		if f.Steps[s.Did]++; s.Cut {
			f.Cut++
		}
	}
	for _, k := range l.Kills {
		f.kill(k)
	}
	return f
}

func (f *Figures) kill(k Kill) {
	switch {
	case k.Asked && k.Exit == "":
		f.Asked[k.Part]++
	case k.Asked: // counted when it was asked
	case k.Exit != "":
		f.Exits[k.Part]++
	default:
		f.Kills[k.Part]++
	}
}

func (f *Figures) agent(a Agent) {
	switch a.Did {
	case Began:
		if a.Tries == 0 {
			f.Kinds[a.Kind]++
		}
	case Answered:
		f.Outcomes[a.Outcome]++
		f.Retries += max(a.Tries-1, 0)
	case Forged:
		f.Forged++
	case Neighbour:
		f.Neighbours++
	case Elsewhere:
		if a.EgressID != "" {
			f.Elsewhere++
		}
	case NeighbourOver, Stopped, Done:
	}
}

// headerOf returns what an announcement says beside LiveKit's event, such as the source of an end, if
// one of its headers has this suffix.
func headerOf(h http.Header, suffix string) string {
	for name, values := range h {
		if strings.HasSuffix(name, suffix) {
			return values[0]
		}
	}
	return ""
}

// finish adds the figures that are known only once everything is judged.
func (f *Figures) finish(told map[string][]announcement) {
	for _, list := range told {
		f.Verdicts[list[len(list)-1].status]++
		f.Amended += len(list) - 1
	}
	f.Lag, f.StepLag = lagOf(f.lags), lagOf(f.stepLags)
}

func lagOf(all []time.Duration) Lag {
	sorted := slices.Sorted(slices.Values(all))
	return Lag{rank(sorted, 0.5).Seconds(), rank(sorted, 0.99).Seconds(), rank(sorted, 1).Seconds()}
}

// rank returns the value that this share of a sorted list does not exceed.
func rank(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	n := int(share*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(n, 0), len(sorted)-1)]
}

// Count returns the number of findings of a kind.
func Count(findings []Finding, k Kind) (n int) {
	for _, f := range findings {
		if f.Kind == k {
			n++
		}
	}
	return n
}

// mostFindings caps the findings shown to a person.
const mostFindings = 20

// Print shows findings and figures to a person.
func Print(w io.Writer, findings []Finding, f Figures) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d lives (%s): %s; %d calls repeated by agents, %d forged ends, %d neighbours, %d restarted elsewhere.\n", f.Lives, list(f.Kinds), list(f.Outcomes), f.Retries, f.Forged, f.Neighbours, f.Elsewhere)
	fmt.Fprintf(&b, "LiveKit: %d start calls, %d egresses, %d recorded (%d of them as next parts, %d across another start), %d still running, %d unknowable; faults drawn: %s; results: %s; webhooks: %s.\n", f.Starts, f.Egresses, f.Recorded, f.Next, f.Crossed, f.Running, f.Unknown, list(f.Faults), list(f.Became), list(f.Webhooks))
	fmt.Fprintf(&b, "Consumer: %d requests (%s), %d ends handled (%s), %d corrected%s%s.\n", f.Requests, list(f.Answers), f.Handled, list(f.Verdicts), f.Amended, named("ends heard from", f.EndedBy), named("media", f.Media))
	fmt.Fprintf(&b, "Step: attempts: %s; %d answers lost; time from the announcement to its work: %s.\n", list(f.Steps), f.Cut, f.StepLag)
	fmt.Fprintf(&b, "Kills: %s; asked to stop: %s; exited by themselves: %s.\n", list(f.Kills), list(f.Asked), list(f.Exits))
	fmt.Fprintf(&b, "Time from the end to the announcement: %s.\n", f.Lag)
	var counts []string
	for _, k := range Kinds() {
		counts = append(counts, fmt.Sprintf("%d %s", Count(findings, k), k))
	}
	fmt.Fprintln(&b, strings.Join(counts, ", ")+".")
	for n, x := range findings {
		if n == mostFindings {
			fmt.Fprintf(&b, "  … and %d more\n", len(findings)-n)
			break
		}
		fmt.Fprintf(&b, "  %s: life %d, %s: %s\n", x.Kind, x.Life, x.EgressID, x.Words)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func named(what string, counts map[string]int) string {
	if len(counts) == 0 {
		return ""
	}
	return "; " + what + ": " + list(counts)
}

// list puts counts into words.
func list[K ~string | ~int](counts map[K]int) string {
	if len(counts) == 0 {
		return "none"
	}
	var words []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%d %v", counts[k], k))
	}
	return strings.Join(words, ", ")
}
