package egress

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
)

// Input is the argument of the Egress workflow. A request comes either in the clear, as the field
// of its kind (`{"room_composite": {…}, "max_duration": "3h"}`, from any Temporal SDK), or sealed
// by our own starter, with a summary of allowed fields beside it.
type Input struct {
	Plain       Request    `json:"-"`                      // under the name of its kind; holds no credential
	Summary     *Summary   `json:"summary,omitempty"`      // with Sealed: the readable part of the request
	Sealed      []byte     `json:"sealed,omitempty"`       // the whole request, sealed for the start activity
	Fingerprint string     `json:"fingerprint,omitempty"`  // keyed digest of the request: the same ID with another digest is a conflict
	MaxDuration Duration   `json:"max_duration,omitempty"` // when set, the egress is stopped after that long; default: never
	StartBy     *time.Time `json:"start_by,omitempty"`     // when set, LiveKit is not asked for a new egress after this time, except for a web egress whose earlier run was searched for until then
	Again       bool       `json:"again,omitempty"`        // it may have been started before, by an earlier run of the same key that failed, or because it is late: LiveKit is searched first
	Unlisted    bool       `json:"unlisted,omitempty"`     // a start went past Temporal without an answer: LiveKit is searched for as long as it may not list that egress
	Recover     *int       `json:"recover,omitempty"`      // how often it is restarted if it fails, is lost or reaches a limit while its room is live; default: the worker's setting
	Storage     string     `json:"storage,omitempty"`      // storage profile for the media; default: the worker's default profile, if an output has no storage
	Preflight   bool       `json:"preflight,omitempty"`    // whether the storage is probed before the start, however recently that was done; default: the worker's setting
	Pipeline    string     `json:"pipeline,omitempty"`     // name of the pipeline that runs at its end; default: the worker's
	Adopted     bool       `json:"adopted,omitempty"`      // it was started past Temporal, or Temporal has forgotten it, and is only watched; Sealed is what LiveKit echoes, if we serve its webhooks
	Carried     *State     `json:"carried,omitempty"`      // set only by continue-as-new
}

// MarshalJSON writes the plain request under the name of its kind.
func (in Input) MarshalJSON() ([]byte, error) {
	type bare Input // without this method
	b, err := json.Marshal(bare(in))
	if err != nil || in.Plain == nil {
		return b, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	if fields[string(KindOf(in.Plain))], err = marshalLoose.Marshal(in.Plain); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

var marshalLoose = protojson.MarshalOptions{UseProtoNames: true}

// UnmarshalJSON is strict: an unknown field is an error that names it, and so is a second request.
// So a typo in a recording's settings is found here, not when the recording is missed.
func (in *Input) UnmarshalJSON(b []byte) error {
	o, err := strictObject(b)
	if err != nil {
		return err
	}
	var out Input
	for _, name := range o.names {
		if err := out.setField(name, o.fields[name]); err != nil {
			return cmp.Or(newer(name, o.fields), err)
		}
	}
	*in = out
	return nil
}

// newer returns why a field of a sealed input cannot be read, nil if the input is not sealed: only
// our starter seals, and it makes no typos.
func newer(field string, fields map[string]json.RawMessage) error {
	if sealed := fields["sealed"]; sealed == nil || string(sealed) == "null" || field == "sealed" {
		return nil
	}
	return &Error{Reason: Sealed, Field: field, Message: "cannot be read by this worker: the starter that sealed the request is newer"}
}

// Argument is Input as the workflow receives it. An unreadable input is kept as the Problem, so
// that the workflow itself can fail with the reason and the field; if Temporal could not decode
// the argument, the failure would have neither.
type Argument struct {
	Input
	Problem error
	// Newer says that an earlier run of this workflow left what cannot be read, so it stems from a
	// newer version and not from a typo.
	Newer bool
}

// UnmarshalJSON never fails. It is also strict within the state that an earlier run left, which
// Input's is not: this run would go on without what it does not know.
func (a *Argument) UnmarshalJSON(b []byte) error {
	a.Problem = a.Input.UnmarshalJSON(b)
	var left struct {
		Carried json.RawMessage `json:"carried"`
	}
	carried := json.Unmarshal(b, &left) == nil && left.Carried != nil
	if carried && a.Problem == nil {
		a.Problem = knownState(left.Carried)
	}
	a.Newer = carried && a.Problem != nil
	return nil
}

// knownState returns an error that names the first field of a state that this version does not
// know. What LiveKit sent may have fields of any version.
func knownState(b []byte) error {
	strict := json.NewDecoder(bytes.NewReader(b))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&State{}); err != nil {
		return Invalidf("carried", "%s", err.Error())
	}
	return nil
}

func (in *Input) setField(name string, value json.RawMessage) error {
	target := map[string]any{
		"summary": &in.Summary, "sealed": &in.Sealed, "fingerprint": &in.Fingerprint, "max_duration": &in.MaxDuration,
		"start_by": &in.StartBy, "again": &in.Again, "unlisted": &in.Unlisted, "recover": &in.Recover, fieldStorage: &in.Storage,
		"preflight": &in.Preflight, "pipeline": &in.Pipeline, "adopted": &in.Adopted, "carried": &in.Carried,
	}[name]
	if target == nil && NewRequest(Kind(name)) == nil {
		return Invalidf(name, "is not a field of the input; want one of %s, again, max_duration, pipeline, preflight, recover, start_by, storage", strings.Join(kindNames(), ", "))
	}
	if string(value) == "null" { // as other SDKs write what is not set
		return nil
	}
	if target == nil {
		return in.setPlain(name, value)
	}
	if err := json.Unmarshal(value, target); err != nil {
		return Invalidf(name, "%s", err.Error())
	}
	if target == &in.MaxDuration && in.MaxDuration == 0 { // as of a caller for whom no time is left
		return Invalidf(name, "is 0; leave it out for a recording without a limit")
	}
	return nil
}

func (in *Input) setPlain(name string, value json.RawMessage) error {
	if in.Plain != nil {
		return Invalidf(name, "is a second request beside %s", KindOf(in.Plain))
	}
	r, err := ParseRequest(Kind(name), value)
	in.Plain = r
	return err
}

// Validate names the first field that is wrong. The request ID comes from the workflow's ID.
func (in Input) Validate(requestID string) error {
	err := ValidateRequestID(requestID)
	if in.Adopted && IsEgressID(requestID) {
		err = nil // a stray has no request of ours and goes by its own egress ID
	}
	if err != nil {
		return err
	}
	switch {
	case in.Adopted && (in.Plain != nil || in.Summary == nil):
		return Invalidf("adopted", "needs a summary, and no request in the clear")
	case in.Adopted:
		return nil
	case in.Plain == nil && len(in.Sealed) == 0:
		return Invalidf("request", "is missing; want one of %s", strings.Join(kindNames(), ", "))
	case in.Plain != nil && len(in.Sealed) > 0:
		return Invalidf("sealed", "is set together with a request in the clear")
	case len(in.Sealed) > 0 && in.Summary == nil:
		return Invalidf("summary", "is missing, and sealed needs it")
	case in.Carried == nil && in.size() > longestRequest: // a running one goes on
		return Invalidf("request", "takes %d bytes as Temporal keeps it; the limit is %d", in.size(), longestRequest)
	case in.MaxDuration < 0:
		return Invalidf("max_duration", "is negative: %s", in.MaxDuration)
	case in.Recover != nil && (*in.Recover < 0 || *in.Recover > MaxRecover):
		return Invalidf("recover", "must be 0 to %d, got %d", MaxRecover, *in.Recover)
	case in.Storage != "" && !profileName.MatchString(in.Storage):
		return ValidateProfile(in.Storage)
	case in.Pipeline != "" && !ValidName(in.Pipeline):
		return BadPipeline(in.Pipeline)
	case in.Plain != nil:
		return RefuseCredentials(in.Plain)
	}
	return nil
}

// longestRequest bounds the request in an input, in bytes of JSON. The request goes with each look
// at the media and to each of its webhooks, beside an event; Temporal accepts 2 MiB for each of
// those and 4 MB for all at once, and an argument that is larger would block its workflow forever.
const longestRequest = 256 << 10

// size returns the length of the input in bytes of JSON.
func (in Input) size() int {
	b, err := json.Marshal(in)
	if err != nil { // Temporal's converter would report it, too
		return 0
	}
	return len(b)
}

// Adoption returns the input for an egress that LiveKit already runs, from its first sign of life
// and its extras. If the request still has webhooks, LiveKit serves them, since nobody removed
// them.
func Adoption(i Info, x Extras) Input {
	sum := Summary{Kind: KindEgress, Room: i.Proto().GetRoomName()}
	if r, ok := RequestOf(i.Proto()); ok {
		sum = Summarize(r)
	}
	sum.Webhooks = nil
	return Input{Summary: &sum, Adopted: true, Pipeline: x.Pipeline, MaxDuration: x.MaxDuration}
}

// OnlyLook returns the input of a run that takes over what an earlier run has started, and starts
// nothing itself.
func (in Input) OnlyLook() Input {
	in.Again, in.StartBy, in.Carried = true, &time.Time{}, nil
	return in
}

// LooksOnly reports whether the run starts nothing itself: OnlyLook made its input.
func (in Input) LooksOnly() bool { return in.StartBy != nil && in.StartBy.IsZero() }

// Readable returns the summary of the request, in whichever form it came.
func (in Input) Readable() Summary {
	if in.Summary != nil {
		return *in.Summary
	}
	return Summarize(in.Plain)
}

// MaxRecover bounds how often a recording is restarted: the verdict lists each part.
const MaxRecover = 100

// maxIDLength is the longest request ID.
const maxIDLength = 128

var idPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// IsEgressID reports whether a string can be a LiveKit egress ID.
func IsEgressID(s string) bool {
	return strings.HasPrefix(s, EgressIDPrefix) && idPattern.MatchString(s)
}

// ValidateRequestID accepts 1 to 128 of [A-Za-z0-9._-]. IDs that begin with "EG_" are reserved for
// LiveKit's own.
func ValidateRequestID(id string) error {
	switch {
	case !idPattern.MatchString(id):
		return Invalidf("id", "want 1 to %d characters of [A-Za-z0-9._-], got %q", maxIDLength, id)
	case id == "." || id == "..":
		return Invalidf("id", "is %q, which is a folder in the path of a webhook", id)
	case strings.HasPrefix(id, EgressIDPrefix):
		return Invalidf("id", "begins with %s, which only LiveKit's egress IDs do: %q", EgressIDPrefix, id)
	}
	return nil
}

// StopUpdate is the argument of UpdateStop, which may be left out.
type StopUpdate struct {
	AskedBy *Asker `json:"asked_by,omitempty"` // who asks, for the verdict
}

// StartUpdate is the argument of UpdateStart. A caller whose fingerprint differs from the running
// request's is refused, since it asks for something else under the same ID; an empty fingerprint
// is not compared.
type StartUpdate struct {
	Fingerprint string `json:"fingerprint,omitempty"`
	// TakesBack asks for an error of reason HandedBack if no worker has asked LiveKit by the
	// request's StartBy: the caller then asks LiveKit itself.
	TakesBack bool `json:"takes_back,omitempty"`
}
