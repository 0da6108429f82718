package egress

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

const (
	// MaxResult is the most that a step may return, in bytes of JSON: what is large
	// belongs into a store, and its name into the result.
	MaxResult = 64 << 10
	// maxResults is the most that all steps of a recording may return together. It is in
	// each later step's input, and in the verdict.
	maxResults = 256 << 10
)

// StepInput is the argument of a step of the user's own, as plain JSON. It is the same
// for every attempt, and for one that a person asks for.
type StepInput struct {
	RequestID string `json:"request_id"`
	EgressID  string `json:"egress_id"`
	Step      string `json:"step"` // its name in the pipeline
	// IdempotencyKey names this step of this verdict, by 29 of [A-Z0-9_]. It is the same
	// for all attempts, and another one once a verdict was corrected: who does a thing
	// once for each key does it exactly once.
	IdempotencyKey string `json:"idempotency_key"`
	// Verdict is how the recording ended. Its EgressInfo is spelled as `lk` prints it,
	// with LiveKit's proto field names.
	Verdict Verdict `json:"verdict"`
	// Files are what was found in the store; empty where nobody could look.
	Files []MediaFile `json:"files"`
	// Results are what the steps before this one returned, by their names.
	Results map[string]json.RawMessage `json:"results"`
	With    map[string]any             `json:"with"` // the step's own, from the pipeline
}

// StepInput is what a step is given to work on.
func (s *State) StepInput(requestID string, sum Summary, step Step) StepInput {
	v := s.Verdict(requestID, sum).Spelled()
	v.Delivered, v.Skipped, v.Results, v.Files = nil, nil, nil, nil // who has been told is no concern of a step; the others stand beside
	in := StepInput{
		RequestID: requestID, EgressID: s.ID, Step: step.Name, IdempotencyKey: v.StepKey(step.Name),
		Verdict: v, Files: []MediaFile{}, Results: map[string]json.RawMessage{}, With: map[string]any{},
	}
	if s.Media != nil {
		in.Files = append(in.Files, s.Media.Files...)
	}
	for _, name := range sortedKeys(s.Results) {
		in.Results[name] = s.Results[name]
	}
	for _, name := range sortedKeys(step.With) {
		in.With[name] = step.With[name]
	}
	return in
}

// StepKey is the idempotency key of a step for a verdict. A corrected verdict has
// another status or another end, and so another key.
func (v Verdict) StepKey(step string) string {
	about := strings.Join([]string{v.RequestID, step, v.EgressID, string(v.Status), v.EndedAt.UTC().Format(time.RFC3339Nano)}, "\n")
	sum := sha256.Sum256([]byte(about))
	return "ST_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:26]
}

// FinishStep takes what a step returned. What is too much is refused, so that it is seen
// and mended rather than cut.
func (s *State) FinishStep(step Step, result json.RawMessage, at time.Time) error {
	if result = bytes.TrimSpace(result); bytes.Equal(result, []byte("null")) {
		result = nil
	}
	all := len(result)
	for _, name := range sortedKeys(s.Results) {
		all += len(s.Results[name])
	}
	switch {
	case len(result) > MaxResult:
		return Invalidf("result", "step %s returned %d bytes of JSON, more than the %d that a step may; keep them in a store, and return where", step.Name, len(result), MaxResult)
	case all > maxResults:
		return Invalidf("result", "the steps up to %s returned %d bytes of JSON, more than the %d that all may", step.Name, all, maxResults)
	case len(result) > 0 && !json.Valid(result):
		return Invalidf("result", "step %s returned no JSON", step.Name)
	}
	if len(result) > 0 {
		if s.Results == nil {
			s.Results = map[string]json.RawMessage{}
		}
		s.Results[step.Name] = result
	}
	s.Doing, s.Done = "", append(s.Done, step.Name)
	s.note(Beat{At: at, What: "step " + step.Name + " is done"})
	return nil
}

// LeaveOut notes that a step of the pipeline is not run, since it is not for such an end.
func (s *State) LeaveOut(step Step, at time.Time) {
	s.note(Beat{At: at, What: "step " + step.Name + " is left out: it is not run for " + string(s.Status)})
}

// PassOver notes that a person has left a step of the pipeline out.
func (s *State) PassOver(step Step, at time.Time) {
	s.Doing = ""
	s.note(Beat{At: at, What: "step " + step.Name + " is left out by a person"})
}

// stepOf is the step of the pipeline that has a name.
func (s *State) stepOf(name string) (Step, bool) {
	i := slices.IndexFunc(s.Pipeline.Steps, func(step Step) bool { return step.Name == name })
	if i < 0 {
		return Step{}, false
	}
	return s.Pipeline.Steps[i], true
}
