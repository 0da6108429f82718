package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Rules are the rules by which a run is judged.
type Rules struct {
	// Path is where the consumer is told of every end. Other paths are consumers named in single
	// requests.
	Path string
	// Bound is how long after its end, or after its worker's death, an egress may remain
	// unannounced. A later announcement is late.
	Bound time.Duration
	// Past is the host name used to call LiveKit for starts past Temporal.
	Past string
	// Hang is the delay of a LiveKit reply that hangs. Within that time after its acceptance, a
	// caller that got no answer need not have asked again.
	Hang time.Duration
	// Step is the pipeline's step that runs for every end, within the bound after the announcement.
	// Empty: there is none.
	Step string
	// Media says that the store is asked for the media of what ended well, before that is announced.
	Media bool
	// Recover says that a recording that breaks off, or reaches LiveKit's limit, goes on as a next part
	// of ours, whatever others do.
	Recover bool
}

// skew is how far the clocks of one machine may seem to differ: LiveKit's log is written after the
// event that it records.
const skew = 100 * time.Millisecond

// Kind is a way of breaking the promise.
type Kind string

// All ways of breaking the promise.
const (
	KindLost       Kind = "lost"       // accepted or recorded, ended, and never announced to the consumer
	KindTwin       Kind = "twin"       // recorded in addition to another egress of the same request
	KindUnstopped  Kind = "unstopped"  // its agent asked for its end, was told that it is ending, and it still records
	KindCut        Kind = "cut"        // stopped while its agent wanted it to record
	KindRepeated   Kind = "repeated"   // handled again under another event ID, or worked for under another key, with nothing new in it
	KindWrong      Kind = "wrong"      // the last announcement, or the last that was worked for, is not how it ended
	KindEarly      Kind = "early"      // announced, or worked for, before it ended; announced as lost while it was well
	KindLate       Kind = "late"       // announced after the bound
	KindInvented   Kind = "invented"   // the agent, the consumer or the step was told of an egress that LiveKit never had, or the agent or its webhook of another agent's
	KindDenied     Kind = "denied"     // its agent was told that nothing is being recorded, or can be stopped, but something is
	KindUnstepped  Kind = "unstepped"  // announced, but the pipeline's step never did its work for it
	KindUnverified Kind = "unverified" // announced without LiveKit's signature
	KindMismatched Kind = "mismatched" // announced with another word on the media than the store's, or with none though the store was there
	KindMeddled    Kind = "meddled"    // a neighbour's egress was stopped, was announced to the consumer, or was worked for
	KindSecret     Kind = "secret"     // a credential of a request in a place where none may be stored, or in what the consumer was told
	KindCrashed    Kind = "crashed"    // a worker or a door ended by itself, as after a panic, or did not stop when asked
)

// Kinds returns all ways of breaking the promise, in display order.
func Kinds() []Kind {
	return []Kind{KindLost, KindTwin, KindUnstopped, KindCut, KindRepeated, KindWrong, KindEarly, KindLate, KindInvented, KindDenied, KindUnstepped, KindUnverified, KindMismatched, KindMeddled, KindSecret, KindCrashed}
}

// Finding is one broken promise.
type Finding struct {
	Kind     Kind   `json:"kind"`
	Life     int    `json:"life,omitempty"`
	EgressID string `json:"egress_id,omitempty"`
	Words    string `json:"words"`
}

// Judge checks the logs against the rules. It returns every broken promise, and the figures of what
// happened. It does not look for secrets: see Search and SearchTold.
func Judge(l Logs, r Rules) ([]Finding, Figures) {
	lives, egresses := stories(l)
	j := &judge{rules: r, kills: l.Kills, lives: lives, egresses: egresses, figures: figuresOf(l, lives, egresses), byPath: map[string]map[string][]announcement{}}
	told, unverified := announcements(l.Consumer)
	for range unverified {
		j.found(KindUnverified, 0, "", "a request to the consumer without LiveKit's signature")
	}
	number, made := map[string]int{}, ownWords(l.LiveKit)
	for id, e := range egresses {
		number[id] = e.life.n
	}
	for _, path := range slices.Sorted(maps.Keys(told)) {
		groups, same := byEgress(told[path])
		if !same {
			j.found(KindRepeated, 0, "", "one event ID was announced for two egresses or two ends at %s", path)
		}
		for _, id := range slices.Sorted(maps.Keys(groups)) {
			list := groups[id]
			e := egresses[id]
			if e != nil {
				list = e.ours(path, list, made)
			}
			if len(list) == 0 {
				continue
			}
			if e != nil && e.theirs == nil && path != r.Path && path != e.life.own {
				j.found(KindInvented, number[id], id, "announced at %s, which its request does not name", path)
			}
			j.told(number[id], id, list)
		}
		j.byPath[path] = groups
	}
	j.main, j.figures.Handled = j.byPath[r.Path], len(j.byPath[r.Path])
	for _, f := range lives {
		j.life(f)
	}
	for _, id := range slices.Sorted(maps.Keys(egresses)) {
		j.egress(egresses[id])
	}
	if r.Step != "" {
		j.steps(l.Steps, number)
	}
	j.crashed(l.Kills)
	j.figures.finish(j.main)
	return j.findings, j.figures
}

type judge struct {
	rules    Rules
	lives    []*life
	kills    []Kill
	egresses map[string]*recorded
	byPath   map[string]map[string][]announcement // announcements by path and egress
	main     map[string][]announcement            // of those, the ones at the path of the rules
	findings []Finding
	figures  Figures
}

func (j *judge) found(k Kind, life int, egressID, format string, args ...any) {
	j.findings = append(j.findings, Finding{k, life, egressID, fmt.Sprintf(format, args...)})
}

// crash is how a panicking Go process ends if it is set to dump core.
const crash = "signal: aborted"

// crashed judges that our processes end only when they are killed, and well when they are asked to.
// One that cannot continue reports that by its exit status, and is restarted.
func (j *judge) crashed(kills []Kill) {
	for _, k := range kills {
		switch ours := k.Part == "worker" || k.Part == "door"; {
		case ours && strings.HasPrefix(k.Exit, crash):
			j.found(KindCrashed, 0, "", "%s exited by itself at %s: %s", cmp.Or(k.Name, k.Part), k.At.UTC().Format(time.RFC3339), k.Exit)
		case ours && k.Asked && k.Exit != "":
			j.found(KindCrashed, 0, "", "%s, which was asked to stop, did not do so well, at %s: %s", cmp.Or(k.Name, k.Part), k.At.UTC().Format(time.RFC3339), k.Exit)
		}
	}
}

// life judges what an agent was told, and that it has exactly one recording.
func (j *judge) life(f *life) {
	if e := j.egresses[f.egressID]; f.outcome == Accepted && (e == nil || e.life != f) {
		j.found(KindInvented, f.n, f.egressID, "the agent got this egress, but LiveKit never had it for this agent")
	}
	var media []*recorded
	for _, e := range f.egresses {
		if e.Recorded {
			media = append(media, e)
		}
	}
	if i := slices.IndexFunc(media, func(e *recorded) bool { return f.outcome == Refused && e.recordsAt(f.answeredAt) }); i >= 0 {
		j.found(KindDenied, f.n, media[i].ID, "the agent was told that nothing is being recorded, but this egress was recording")
	}
	if i := slices.IndexFunc(media, func(e *recorded) bool { return f.refused && e.answered && e.recordsAt(f.stoppedAt) }); i >= 0 {
		j.found(KindDenied, f.n, media[i].ID, "the agent was told that it cannot be stopped, but this egress was recording")
	}
	slices.SortStableFunc(media, func(a, b *recorded) int { return a.Accepted.Compare(b.Accepted) })
	for n := 1; n < len(media); n++ {
		switch first, next := media[n-1], media[n]; {
		case j.rules.succeeds(first, next):
			j.figures.Next++
		case j.rules.crossed(first, next):
			j.figures.Crossed++
		default:
			j.found(KindTwin, f.n, next.ID, "recorded in addition to %s", first.ID)
		}
	}
}

// succeeds reports whether an egress is the next part of a recording, not a twin: the previous one
// had failed, died or been forgotten when this one began, or else had reached LiveKit's limit, and
// was not running a second time.
func (r Rules) succeeds(first, next *recorded) bool {
	if !first.goneAt.IsZero() {
		return first.goneAt.Before(next.Accepted)
	}
	return !first.recordsAt(next.Accepted) && slices.ContainsFunc(first.ends, func(e end) bool {
		return e.at.Before(next.Accepted) && (e.status == "EGRESS_FAILED" || e.status == "EGRESS_ABORTED" || r.Recover && e.status == "EGRESS_LIMIT_REACHED")
	})
}

// crossed reports whether two starts could not see each other: our next part, and what another door
// began once more past Temporal. They may record beside each other for a minute: by then the second
// one has been found and stopped.
func (r Rules) crossed(first, next *recorded) bool {
	both := func(t time.Time) bool { return first.recordsAt(t) && next.recordsAt(t) }
	return r.Recover && first.past(r) != next.past(r) && both(next.Accepted) && !both(next.Accepted.Add(time.Minute))
}

// egress judges that the end was announced in time, that the egress ended if its agent was told so,
// and that it was not stopped sooner. An egress that neither recorded nor was promised to its agent is owed to nobody.
func (j *judge) egress(e *recorded) {
	if e.theirs != nil {
		if e.stoppedBefore(e.theirs.over) {
			j.found(KindMeddled, e.life.n, e.ID, "a neighbour's egress was stopped, but not by the neighbour")
		}
		return
	}
	if !e.Recorded && !e.answered {
		return
	}
	if e.answered && e.stoppedBefore(e.life.until) {
		j.found(KindCut, e.life.n, e.ID, "stopped before %s, when its agent had not asked and people were in the room", e.life.until.UTC().Format(time.RFC3339))
	}
	due := e.due()
	if due.IsZero() {
		j.figures.Running++
		if asked := e.life.stoppedAt; e.answered && !asked.IsZero() && e.life.ignored == "" {
			j.found(KindUnstopped, e.life.n, e.ID, "its stop was granted at %s, but it is still recording", asked.UTC().Format(time.RFC3339))
		}
		return
	}
	if e.unknowable(j.rules) && len(j.main[e.ID]) == 0 {
		j.figures.Unknown++
		return
	}
	j.inTime(e, j.rules.Path, due)
	if own := e.life.own; own != "" && !slices.Contains(e.Hooks, own) { // otherwise LiveKit itself sends it there
		j.inTime(e, own, due)
	}
}

// inTime judges that a consumer was told of an egress, and in time of its last end.
func (j *judge) inTime(e *recorded, path string, due time.Time) {
	told := j.byPath[path][e.ID]
	if len(told) == 0 {
		j.found(KindLost, e.life.n, e.ID, "%s since %s, but never announced to the consumer at %s", e.how(), due.UTC().Format(time.RFC3339), path)
		return
	}
	last := told[len(told)-1]
	if path == j.rules.Path {
		j.media(e, last)
	}
	if n := len(e.ends); n > 0 && last.status != Lost && e.ends[n-1].at.After(due) { // it was forgotten before that
		due = e.ends[n-1].at
	}
	lag := max(last.at.Sub(due), 0)
	if path == j.rules.Path {
		j.figures.lags = append(j.figures.lags, lag)
	}
	if lag > j.rules.Bound {
		j.found(KindLate, e.life.n, e.ID, "announced at %s %s after its end; the bound is %s", path, lag.Round(time.Millisecond), j.rules.Bound)
	}
}

// how says in a word what became of an egress.
func (r *recorded) how() string {
	switch {
	case r.Forgotten:
		return "forgotten"
	case r.Dead:
		return "dead"
	default:
		return r.Status
	}
}

// told judges what one consumer was told of one egress.
func (j *judge) told(life int, id string, list []announcement) {
	e := j.egresses[id]
	if e == nil {
		j.found(KindInvented, life, id, "announced to the consumer, but LiveKit never had it")
		return
	}
	if e.theirs != nil {
		j.found(KindMeddled, life, id, "a neighbour's egress was announced to the consumer")
		return
	}
	for n, a := range list {
		if n > 0 && !e.corrects(list[:n], a) {
			j.found(KindRepeated, life, id, "announced as %s under %s, and again as %s under %s", list[n-1].status, list[n-1].eventID, a.status, a.eventID)
		}
		if !e.couldBe(a) {
			j.found(KindEarly, life, id, "announced as %s before that happened", a.status)
		}
	}
	if last := list[len(list)-1]; !e.agrees(last) {
		j.found(KindWrong, life, id, "announced as %s, but it is %s", last.status, e.how())
	}
}

// corrects reports whether an announcement under a new event ID is news: the previous one said
// lost, or the egress has ended once more.
func (r *recorded) corrects(before []announcement, next announcement) bool {
	if next.status == Lost || slices.ContainsFunc(before, next.same) {
		return false
	}
	ends := 1
	for _, a := range before {
		if a.status != Lost {
			ends++
		}
	}
	return ends == 1 || ends <= len(r.ends)
}

// couldBe reports whether what was announced had happened by then.
func (r *recorded) couldBe(a announcement) bool {
	if a.status == Lost {
		return !r.goneAt.IsZero() && !r.goneAt.After(a.at.Add(skew))
	}
	return slices.ContainsFunc(r.ends, func(e end) bool { return e.is(a) && !e.at.After(a.at.Add(skew)) })
}

// agrees reports whether a verdict matches the actual end. Lost matches an egress whose worker died
// or that LiveKit forgot.
func (r *recorded) agrees(a announcement) bool {
	if a.status == Lost {
		return r.Dead || r.Forgotten
	}
	return len(r.ends) > 0 && r.ends[len(r.ends)-1].is(a)
}

// Open counts what is not settled yet. owed counts ends that were not announced, or not correctly,
// steps that have not worked, and granted stops that have not taken effect. running counts egresses
// that still run, those with such a stop included; they end by themselves or never.
func Open(l Logs, r Rules) (owed, running int) {
	findings, figures := Judge(l, r)
	for _, kind := range []Kind{KindLost, KindWrong, KindUnstepped, KindUnstopped} {
		owed += Count(findings, kind)
	}
	return owed, figures.Running
}
