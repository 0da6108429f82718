package egress

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RedeliveryType is the workflow that tells a verdict once more, or corrects one, after
// its egress has been delivered.
const RedeliveryType = "Redelivery" // argument: Redelivery, result: Verdict

// MemoStep is the memo under which a redelivery keeps which step it was asked for, empty
// for all consumers.
const MemoStep = "step"

const redeliveryPrefix = "egress-redelivery/"

// RedeliveryID is the ID of the nth redelivery of a request's recording, from 1 on.
func RedeliveryID(requestID string, n int) string {
	return RedeliveriesOf(requestID) + strconv.Itoa(n)
}

// CorrectionID is the ID of the redelivery that corrects what was told of a lost
// egress, or of a failed one that ran again. It is derived, so that there is one, however often the end comes.
func CorrectionID(requestID, egressID string) string {
	return RedeliveriesOf(requestID) + "corrects-" + egressID
}

// NthCorrectionID is that of the nth correction, from 1 on: LiveKit may run an egress again
// whose failure was itself a correction.
func NthCorrectionID(requestID, egressID string, n int) string {
	id := CorrectionID(requestID, egressID)
	if n > 1 {
		id += "/" + strconv.Itoa(n)
	}
	return id
}

// RedeliveriesOf is how the IDs of all redeliveries of a request's recording begin.
func RedeliveriesOf(requestID string) string { return redeliveryPrefix + requestID + "/" }

// RedeliveryOf is the request ID in the ID of a redelivery. It reports false for the ID
// of another workflow.
func RedeliveryOf(workflowID string) (requestID string, ok bool) {
	rest, found := strings.CutPrefix(workflowID, redeliveryPrefix)
	requestID, name, cut := strings.Cut(rest, "/")
	return requestID, found && cut && requestID != "" && name != ""
}

// Redelivery is the argument of the workflow Redelivery.
type Redelivery struct {
	Input Input `json:"input"` // of the egress: the webhooks of its request are in it
	State State `json:"state"` // what is told, as Again or Amend made it
}

// Again is the state by which what was delivered is told once more: to all consumers, or
// by one step alone. It is told as it was, under the same event IDs, also where LiveKit
// itself had told it. A step of the pipeline is run again by its name alone: on what it
// was given, under the same idempotency key. What is not delivered, and a step that is
// not run for how it ended, are errors of reason Conflict; a step that the egress did not
// have is one of reason Invalid.
func (s State) Again(step string, at time.Time) (State, error) {
	if s.Phase != Delivered {
		return State{}, s.undelivered()
	}
	what := "its consumers are to be told again"
	if own, ok := s.stepOf(step); ok {
		if !own.RunsFor(s.Status) {
			return State{}, &Error{Reason: Conflict, Code: "failed_precondition", Message: fmt.Sprintf("step %s is not run for %s", step, s.Status)}
		}
		s.rerun(own)
		what = "step " + step + " is to be run again"
	} else if err := s.keep(step); err != nil {
		return State{}, err
	}
	s.retell()
	s.MissedOnly, s.Noticed = false, nil
	s.note(Beat{At: at, What: what})
	return s, nil
}

// rerun leaves everybody alone but a step of the pipeline, which is given what it was
// given the first time.
func (s *State) rerun(step Step) {
	results := map[string]json.RawMessage{}
	for _, before := range s.Pipeline.Steps {
		if before.Name == step.Name {
			break
		}
		if result, returned := s.Results[before.Name]; returned {
			results[before.Name] = result
		}
	}
	s.Results, s.Steps, s.Pipeline.Consumers, s.Pipeline.Steps = results, nil, nil, []Step{step}
}

// undelivered says why there is nothing to tell again.
func (s State) undelivered() error {
	e := &Error{Reason: Conflict, Code: "failed_precondition"}
	switch {
	case len(s.AwaitsWord) > 0:
		e.Message = fmt.Sprintf("it is not delivered yet: %s waits for your word, retry or skip", strings.Join(s.AwaitsWord, ", "))
	case s.Phase == Settled:
		e.Message = "it is not delivered yet: its consumers are being told"
	default:
		e.Message = "it is not delivered yet: it has no verdict"
	}
	return e
}

// keep leaves the consumers alone that a step tells, all of them where none is named.
func (s *State) keep(step string) error {
	names := s.Tells()
	switch {
	case step == "" && len(names) == 0:
		return Invalidf("step", "it has no consumer that could be told; a step of its pipeline is run again by its name")
	case step != "" && !slices.Contains(names, step):
		for _, own := range s.Pipeline.Steps {
			names = append(names, own.Name)
		}
		if len(names) == 0 {
			return Invalidf("step", "it had no step at all")
		}
		return Invalidf("step", "it had no step %q, but %s", step, strings.Join(names, ", "))
	}
	s.Pipeline.Steps = nil
	if step != "" {
		s.Steps = slices.DeleteFunc(slices.Clone(s.Steps), func(name string) bool { return name != step })
		s.Pipeline.Consumers = slices.DeleteFunc(slices.Clone(s.Pipeline.Consumers), func(c Consumer) bool { return ConsumerStep(c.Name) != step })
	}
	return nil
}

// retell makes a delivered state one whose delivery is still to come.
func (s *State) retell() {
	s.Phase, s.Story = Settled, slices.Clone(s.Story)
	s.Done, s.Skipped, s.AwaitsWord, s.Stuck, s.AskedFrom = nil, nil, nil, "", time.Time{}
}

// Amend is the state by which what was told of a lost egress is corrected, or of one that failed
// and that LiveKit has run again, when its end comes after its workflow has closed. It reports
// false for news that corrects nothing.
func (s State) Amend(o Observation) (State, bool) {
	if part, ok := s.CorrectPart(o); ok {
		part.Pipeline.Steps = nil
		return part, true
	}
	amends := s.Status == Lost || s.Status.Failed() && o.Info.RanAgain(s.Latest)
	if s.Phase != Delivered || !amends || o.Info.ID() != s.ID || s.rankOf(o) != rankEnded {
		return State{}, false
	}
	s.revive(o)
	s.retell()
	unchecked := Unchecked("its end came after its workflow had closed")
	s.Media = &unchecked
	s.PartsTold = true
	s.conclude(o)
	s.Settle()
	return s, true
}

// End is the observation that a state was settled by.
func (s *State) End() Observation {
	return Observation{Info: s.Latest, Final: true, Event: s.Event, Source: s.EndedBy, HeardAt: s.NewsAt}
}

// Before are the states by which the earlier parts of a recording are told again, none
// where they are not to be.
func (s *State) Before() []State {
	if s.PartsTold {
		return nil
	}
	var parts []State
	for _, p := range s.Parts {
		parts = append(parts, s.before(p))
	}
	return parts
}

// before is an earlier part as it was when it was told.
func (s *State) before(p Part) State {
	past := State{
		Terms: s.Terms, Phase: Settled, Started: true, Part: p.Number, ID: p.EgressID, Latest: p.Info, Corrects: p.Corrects, ToldAs: p.ToldAs,
		NewsAt: p.HeardAt, Outcome: Outcome{Status: p.Status, EndedBy: p.EndedBy, MissedWhy: p.Missed, MissedBecause: p.MissedBecause}, Media: p.Media,
	}
	if past.NewsAt.IsZero() { // noted by a version that did not keep it
		past.NewsAt = p.EndedAt
	}
	if p.Status == Lost {
		past.LostBecause = p.Because
	}
	if p.Status == Lost && p.Missed == MissedUnclassified {
		past.Evidence.MissingSince = past.NewsAt
	}
	if p.EventID != "" {
		past.Event = past.announced(p.EventID)
	}
	return past
}

// announced is the announcement under the ID of LiveKit's own event, nil where there
// can be none.
func (s *State) announced(id string) json.RawMessage {
	e, err := s.Announcement()
	if err != nil {
		return nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(e.Raw(), &fields) != nil {
		return nil
	}
	fields["id"], _ = json.Marshal(id) // a string always can be
	b, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return b
}
