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
	// MaxResult is the most that a step may return, in bytes of JSON: large results belong in a
	// store, with only their name in the result.
	MaxResult = 64 << 10
	// maxResults is the most that all steps of a recording may return together. The results are in
	// each later step's input, and in the verdict.
	maxResults = 256 << 10
)

// StepInput is the argument of a step of the user's own, as plain JSON. It is the same for every
// attempt, including a retry that a person asks for.
type StepInput struct {
	RequestID string `json:"request_id"`
	EgressID  string `json:"egress_id"`
	Step      string `json:"step"` // its name in the pipeline
	// IdempotencyKey identifies this step of this verdict by 29 of [A-Z0-9_]. It is the same for
	// all attempts, and different once a verdict is corrected: a step that acts once per key acts
	// exactly once.
	IdempotencyKey string `json:"idempotency_key"`
	// Verdict is how the recording ended. Its EgressInfo is spelled as `lk` prints it,
	// with LiveKit's proto field names.
	Verdict Verdict `json:"verdict"`
	// Files are what was looked for in the store, of all parts in order. Of a part for whose media
	// nobody looked there are none.
	Files []StepFile `json:"files"`
	// Results are what earlier steps returned, by step name.
	Results map[string]json.RawMessage `json:"results"`
	With    map[string]any             `json:"with"` // the step's own, from the pipeline
}

// StepFile is a file of a recording, and the number of its part.
type StepFile struct {
	Part int `json:"part"` // counted from 1
	MediaFile
}

// StepInput returns the argument of a step.
func (s *State) StepInput(requestID string, sum Summary, step Step) StepInput {
	v := s.Verdict(requestID, sum).Spelled()
	v.Delivered, v.Skipped, v.Results = nil, nil, nil // who has been told does not concern a step; the results are a field of their own
	files := s.takeFiles(&v)
	in := StepInput{
		RequestID: requestID, EgressID: s.ID, Step: step.Name, IdempotencyKey: v.StepKey(step.Name),
		Verdict: v, Files: files, Results: map[string]json.RawMessage{}, With: map[string]any{},
	}
	for _, name := range sortedKeys(s.Results) {
		in.Results[name] = s.Results[name]
	}
	for _, name := range sortedKeys(step.With) {
		in.With[name] = step.With[name]
	}
	return in
}

// takeFiles returns the files of all parts, and takes them out of the verdict: whatever they are,
// the input of a step is then hardly larger than the verdict.
func (s *State) takeFiles(v *Verdict) []StepFile {
	files, parts := []StepFile{}, v.Parts
	if len(parts) == 0 {
		parts = []Part{{Number: s.Part, Media: s.Media}}
	}
	for i, p := range parts {
		if p.Media == nil {
			continue
		}
		for _, f := range p.Media.Files {
			files = append(files, StepFile{Part: p.Number, MediaFile: f})
		}
		parts[i].Media = &MediaReport{Media: p.Media.Media, Because: p.Media.Because}
	}
	v.Files = nil
	return files
}

// StepKey returns the idempotency key of a step for a verdict. A corrected verdict has another
// status or another end, and so another key.
func (v Verdict) StepKey(step string) string {
	about := strings.Join([]string{v.RequestID, step, v.EgressID, string(v.Status), v.EndedAt.UTC().Format(time.RFC3339Nano)}, "\n")
	sum := sha256.Sum256([]byte(about))
	return "ST_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:26]
}

// FinishStep stores what a step returned. A result that is too large is refused, so that it is
// noticed and fixed rather than cut.
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

// LeaveOut notes that a step of the pipeline is not run because it does not apply to this status.
func (s *State) LeaveOut(step Step, at time.Time) {
	s.note(Beat{At: at, What: "step " + step.Name + " is skipped: it does not run for " + string(s.Status)})
}

// PassOver notes that a person has skipped a step of the pipeline.
func (s *State) PassOver(step Step, at time.Time) {
	s.Doing = ""
	s.note(Beat{At: at, What: "step " + step.Name + " is skipped by a person"})
}

// stepOf returns the step of the pipeline with that name.
func (s *State) stepOf(name string) (Step, bool) {
	i := slices.IndexFunc(s.Pipeline.Steps, func(step Step) bool { return step.Name == name })
	if i < 0 {
		return Step{}, false
	}
	return s.Pipeline.Steps[i], true
}
