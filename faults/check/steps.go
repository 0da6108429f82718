package check

import (
	"maps"
	"slices"
	"time"
)

// steps judges the pipeline's step: it has done its work once for each announced verdict, and never
// twice for one.
func (j *judge) steps(log []Step, number map[string]int) {
	first, works, parts := map[string]Step{}, map[string][]Step{}, j.goesOn()
	for _, s := range log {
		if s.Step != j.rules.Step {
			continue
		}
		if f, known := first[s.Key]; !known {
			first[s.Key] = s
		} else if !s.same(f) {
			j.found(KindRepeated, number[s.EgressID], s.EgressID, "step %s got one key with two verdicts: %s of %s, and %s", s.Step, f.Status, f.EgressID, s.Status)
		}
		if s.Did == Worked {
			works[s.EgressID] = append(works[s.EgressID], s)
		}
		for _, id := range s.Parts {
			parts[id] = parts[id] || id != s.EgressID && s.Did == Worked && j.sameLife(id, s.EgressID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(works)) {
		j.worked(number[id], id, works[id])
	}
	for _, id := range slices.Sorted(maps.Keys(j.main)) {
		if j.egresses[id] != nil && !parts[id] { // the step of an earlier part is that of the last one
			j.stepped(number[id], id, works[id])
		}
	}
}

// sameLife reports whether LiveKit had both egresses, for one agent.
func (j *judge) sameLife(id, other string) bool {
	a, b := j.egresses[id], j.egresses[other]
	return a != nil && b != nil && a.life == b.life
}

// goesOn returns the egresses whose recording continues as another one that is still running: the
// step is that one's.
func (j *judge) goesOn() map[string]bool {
	all := map[string]bool{}
	for _, f := range j.lives {
		for _, next := range f.egresses {
			if !next.due().IsZero() {
				continue
			}
			for _, e := range f.egresses {
				all[e.ID] = all[e.ID] || e.Accepted.Before(next.Accepted)
			}
		}
	}
	return all
}

// same reports whether two attempts belong to the same verdict.
func (s Step) same(other Step) bool {
	return s.EgressID == other.EgressID && s.Status == other.Status && s.EndedAt.Equal(other.EndedAt)
}

// worked judges the work done for one egress.
func (j *judge) worked(life int, id string, works []Step) {
	e := j.egresses[id]
	if e == nil {
		j.found(KindInvented, life, id, "step %s ran for it, but LiveKit never had it", works[0].Step)
		return
	}
	if e.theirs != nil {
		j.found(KindMeddled, life, id, "step %s ran for a neighbour's egress", works[0].Step)
		return
	}
	for n, s := range works {
		if n > 0 && !e.renews(works[:n], s) {
			j.found(KindRepeated, life, id, "step %s worked for %s under %s, and again for %s under %s", s.Step, works[n-1].Status, works[n-1].Key, s.Status, s.Key)
		}
		if !e.couldBe(s.verdict()) {
			j.found(KindEarly, life, id, "step %s worked for %s before that happened", s.Step, s.Status)
		}
	}
	if last := works[len(works)-1]; !e.agrees(last.verdict()) {
		j.found(KindWrong, life, id, "step %s worked last for %s, but it is %s", last.Step, last.Status, e.how())
	}
}

// verdict returns what the step was told, as if a consumer had been.
func (s Step) verdict() announcement {
	return announcement{at: s.At, eventID: s.Key, egressID: s.EgressID, status: s.Status, endedAt: s.EndedAt}
}

// renews reports whether a step rightly worked again: its verdict is a correction, with a status or
// end unlike all before. Unless the verdict is lost, LiveKit has another end, too. If it is lost,
// none before may be how the egress ended.
func (r *recorded) renews(before []Step, next Step) bool {
	ends := 1
	for _, s := range before {
		right := s.Status != Lost && !r.runsAgain() && r.agrees(s.verdict())
		if s.same(next) || next.Status == Lost && right {
			return false
		}
		if s.Status != Lost {
			ends++
		}
	}
	return next.Corrects != "" && (next.Status == Lost || ends == 1 || ends <= len(r.ends))
}

// stepped judges that each verdict on an egress had its step, in time. A repeated announcement with
// nothing new in it is not a verdict.
func (j *judge) stepped(life int, id string, works []Step) {
	told, left := j.main[id], slices.Clone(works)
	for n, a := range told {
		if n > 0 && !j.egresses[id].corrects(told[:n], a) {
			continue
		}
		i := slices.IndexFunc(left, func(s Step) bool { return s.Status == a.status })
		if i < 0 {
			j.found(KindUnstepped, life, id, "announced as %s, but step %s never worked for it", a.status, j.rules.Step)
			continue
		}
		lag := max(left[i].At.Sub(a.at), 0)
		left = slices.Delete(left, i, i+1)
		j.figures.stepLags = append(j.figures.stepLags, lag)
		if lag > j.rules.Bound {
			j.found(KindLate, life, id, "step %s worked %s after the announcement; the bound is %s", j.rules.Step, lag.Round(time.Millisecond), j.rules.Bound)
		}
	}
}
