package egress

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RedeliveryType is the workflow that announces a verdict once more, or corrects one, after its
// egress has been delivered.
const RedeliveryType = "Redelivery" // argument: Redelivery, result: Verdict

// MemoStep is the memo in which a redelivery keeps the step it was asked for, empty for all
// consumers.
const MemoStep = "step"

const redeliveryPrefix = "egress-redelivery/"

// RedeliveryID returns the ID of the nth redelivery of a request's recording, from 1 on.
func RedeliveryID(requestID string, n int) string {
	return RedeliveriesOf(requestID) + strconv.Itoa(n)
}

// CorrectionID returns the ID of the nth redelivery that corrects what was announced of a lost
// egress, or of a failed one that ran again, from 1 on: LiveKit may rerun an egress whose failure
// was itself a correction.
func CorrectionID(requestID, egressID string, n int) string {
	id := correctionsOf(requestID) + egressID
	if n > 1 {
		id += "/" + strconv.Itoa(n)
	}
	return id
}

// correctionsOf returns the prefix of the IDs of all corrections of a request's recording.
func correctionsOf(requestID string) string { return RedeliveriesOf(requestID) + "corrects-" }

// IsCorrection reports whether a workflow's ID is that of a correction. Other redeliveries announce
// again what was announced before, even if that was a correction.
func IsCorrection(workflowID string) bool {
	requestID, ok := RedeliveryOf(workflowID)
	return ok && strings.HasPrefix(workflowID, correctionsOf(requestID))
}

// RedeliveriesOf returns the prefix of the IDs of all redeliveries of a request's recording.
func RedeliveriesOf(requestID string) string { return redeliveryPrefix + requestID + "/" }

// RedeliveryOf returns the request ID in the ID of a redelivery. It reports false for the ID of
// another workflow.
func RedeliveryOf(workflowID string) (requestID string, ok bool) {
	rest, found := strings.CutPrefix(workflowID, redeliveryPrefix)
	requestID, name, cut := strings.Cut(rest, "/")
	return requestID, found && cut && requestID != "" && name != ""
}

// Redelivery is the argument of the workflow Redelivery.
type Redelivery struct {
	// Input is that of the egress, as it came: it contains the webhooks of the request, and may stem
	// from a newer starter than the one that redelivers. Only the workflow has to be able to read it.
	Input json.RawMessage `json:"input"`
	State State           `json:"state"` // what to announce, as made by Again or Amend
}

// Readable returns the summary of the request in the input, without what this version does not know
// of it. Of a request that it cannot read at all, it is what LiveKit echoed.
func (r Redelivery) Readable() Summary {
	var fields map[string]json.RawMessage
	var in Input
	if json.Unmarshal(r.Input, &fields) == nil {
		for _, name := range sortedKeys(fields) {
			_ = in.setField(name, fields[name]) // a newer one
		}
	}
	if in.Summary == nil && in.Plain == nil {
		in = Adoption(r.State.Latest, Extras{})
	}
	return in.Readable()
}

// Again returns the state for announcing once more what was delivered: to all consumers, or by one
// step alone. It is announced unchanged, under the same event IDs, even if LiveKit itself had
// announced it. A step of the pipeline is rerun only if named: on the same input, under the same
// idempotency key. The error has reason Conflict if nothing was delivered, or if no consumer is
// told of such an end, or the step not run for it, and reason Invalid if the egress did not have
// the step.
func (s State) Again(step string, at time.Time) (State, error) {
	if s.Phase != Delivered {
		return State{}, s.undelivered()
	}
	s.MissedOnly, s.Noticed = false, nil
	what := "its consumers will be told again"
	if own, ok := s.stepOf(step); ok {
		if !own.RunsFor(s.Status) {
			return State{}, notFor(step, s.Status)
		}
		s.rerun(own)
		what = "step " + step + " will be run again"
	} else if err := s.keep(step); err != nil {
		return State{}, err
	}
	s.retell()
	s.note(Beat{At: at, What: what})
	return s, nil
}

// notFor says that a step has nothing to do for a status; without a step, that no consumer has.
func notFor(step string, status Status) error {
	e := &Error{Reason: Conflict, Code: "failed_precondition", Message: fmt.Sprintf("step %s does not run for %s", step, status)}
	if step == "" {
		e.Message = fmt.Sprintf("none of its consumers is told of %s", status)
	}
	return e
}

// rerun leaves out everybody except one step of the pipeline, which gets the same input as the
// first time.
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

// undelivered says why there is nothing to announce again.
func (s State) undelivered() error {
	e := &Error{Reason: Conflict, Code: "failed_precondition"}
	switch {
	case len(s.AwaitsWord) > 0:
		e.Message = fmt.Sprintf("it is not delivered yet: %s waits for your retry or skip", strings.Join(s.AwaitsWord, ", "))
	case s.Phase == Settled:
		e.Message = "it is not delivered yet: its consumers are being told"
	default:
		e.Message = "it is not delivered yet: it has no verdict"
	}
	return e
}

// keep limits the delivery to the consumer that a step tells, or to all if step is empty.
func (s *State) keep(step string) error {
	names := s.Tells()
	switch {
	case step == "" && len(names) == 0:
		return Invalidf("step", "it has no consumer to tell; to run a step of its pipeline again, name the step")
	case step != "" && !slices.Contains(names, step):
		for _, own := range s.Pipeline.Steps {
			names = append(names, own.Name)
		}
		if len(names) == 0 {
			return Invalidf("step", "it had no step at all")
		}
		return Invalidf("step", "it had no step %q; want one of %s", step, strings.Join(names, ", "))
	}
	s.Pipeline.Steps = nil
	if step != "" {
		s.Steps = slices.DeleteFunc(slices.Clone(s.Steps), func(name string) bool { return name != step })
		s.Pipeline.Consumers = slices.DeleteFunc(slices.Clone(s.Pipeline.Consumers), func(c Consumer) bool { return ConsumerStep(c.Name) != step })
	}
	if !s.needed() {
		return notFor(step, s.Status)
	}
	return nil
}

// needed reports whether a consumer is told of this end, or of that of an earlier part.
func (s *State) needed() bool {
	return slices.ContainsFunc(append(s.Before(), *s), func(end State) bool { return slices.ContainsFunc(end.Tells(), end.Needs) })
}

// retell turns a delivered state into one that is still to be delivered.
func (s *State) retell() {
	s.Phase, s.Story = Settled, slices.Clone(s.Story)
	s.Done, s.Skipped, s.AwaitsWord, s.Stuck, s.AskedFrom = nil, nil, nil, "", time.Time{}
}

// Amend returns the state that corrects what was announced of a lost egress, or of a failed one
// that LiveKit has rerun, whose end comes after its workflow has closed. It reports false for news
// that corrects nothing.
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

// End returns the observation that settled the state.
func (s *State) End() Observation {
	return Observation{Info: s.Latest, Final: true, Event: s.Event, Source: s.EndedBy, HeardAt: s.NewsAt}
}

// Before returns the states for announcing the earlier parts of a recording again, or none if they
// are not to be.
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

// before returns an earlier part as it was announced.
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

// announced returns the announcement with LiveKit's own event ID, or nil if none can be made.
func (s *State) announced(id string) json.RawMessage {
	e, err := s.Announcement()
	if err != nil {
		return nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(e.Raw(), &fields) != nil {
		return nil
	}
	fields["id"], _ = json.Marshal(id) // a string never fails
	b, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return b
}
