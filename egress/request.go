package egress

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/livekit/protocol/livekit"
)

// Request is one of LiveKit's start requests: a *livekit.RoomCompositeEgressRequest,
// WebEgressRequest, ParticipantEgressRequest, TrackCompositeEgressRequest,
// TrackEgressRequest, or StartEgressRequest.
type Request interface {
	proto.Message
	GetWebhooks() []*livekit.WebhookConfig
}

// NewRequest returns an empty request of a kind, or nil for a kind that cannot be asked for.
func NewRequest(k Kind) Request {
	switch k {
	case KindRoomComposite:
		return &livekit.RoomCompositeEgressRequest{}
	case KindWeb:
		return &livekit.WebEgressRequest{}
	case KindParticipant:
		return &livekit.ParticipantEgressRequest{}
	case KindTrackComposite:
		return &livekit.TrackCompositeEgressRequest{}
	case KindTrack:
		return &livekit.TrackEgressRequest{}
	case KindEgress:
		return &livekit.StartEgressRequest{}
	default:
		return nil
	}
}

// KindOf returns the kind of a request, empty for a type that is not a start request.
func KindOf(r Request) Kind {
	switch r.(type) {
	case *livekit.RoomCompositeEgressRequest:
		return KindRoomComposite
	case *livekit.WebEgressRequest:
		return KindWeb
	case *livekit.ParticipantEgressRequest:
		return KindParticipant
	case *livekit.TrackCompositeEgressRequest:
		return KindTrackComposite
	case *livekit.TrackEgressRequest:
		return KindTrack
	case *livekit.StartEgressRequest:
		return KindEgress
	default:
		return ""
	}
}

// ParseRequest reads a request of a kind from protojson. An unknown field is an error that names
// it: a recording that silently lacks what was asked for is worse than a refusal.
func ParseRequest(k Kind, b []byte) (Request, error) {
	r := NewRequest(k)
	if r == nil {
		return nil, Invalidf(string(k), "is not a kind of egress; want one of %s", strings.Join(kindNames(), ", "))
	}
	if err := protojson.Unmarshal(b, r); err != nil {
		return nil, Invalidf(string(k), "%s", protojsonMessage(err))
	}
	return r, nil
}

// ParseRequestFile reads `{"room_composite": {…}}`: one request under the name of its kind. All
// other inputs of a workflow are flags of the command. Errors count lines as the file does.
func ParseRequestFile(b []byte) (Request, error) {
	o, err := strictObject(b)
	if err != nil {
		return nil, err
	}
	var in Input
	for _, name := range o.names {
		switch {
		case slices.Contains(flagFields, name):
			return nil, Invalidf(name, "is not part of a request; remove it, and give the flag --%s", strings.ReplaceAll(name, "_", "-"))
		case NewRequest(Kind(name)) == nil:
			return nil, Invalidf(name, "is not a kind of egress; want one of %s", strings.Join(kindNames(), ", "))
		}
		if err := in.setPlain(name, o.inPlace(b, name)); err != nil {
			return nil, err
		}
	}
	if in.Plain == nil {
		return nil, Invalidf("request", "want one of %s at the top level", strings.Join(kindNames(), ", "))
	}
	return in.Plain, nil
}

// flagFields are the fields of an Input that are flags of the command.
var flagFields = []string{"max_duration", "pipeline", "preflight", "recover", fieldStorage}

func kindNames() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return names
}

var (
	// valueShown matches where protojson shows a value, which may be a secret: the value of any
	// field but an enum, whose names are worth showing.
	valueShown = regexp.MustCompile(`(?s)(invalid value for [a-df-z]\w* (?:field \S+|key)): .*|(invalid google\S+) .*`)
	// otherShape matches what protojson calls a syntax error in valid JSON: something stands in
	// place of an object or a list.
	otherShape = regexp.MustCompile(`(?s)^syntax error (\(line \S+\)): unexpected token (.).*$`)
)

// protojsonMessage returns the error for JSON that is valid but no such request: without the prefix
// "proto:", whose spacing deliberately differs from build to build, and without the wrong value.
func protojsonMessage(err error) string {
	msg := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	msg = strings.TrimSpace(strings.TrimPrefix(msg, "proto:"))
	if m := otherShape.FindStringSubmatch(msg); m != nil {
		wanted, ok := map[string]string{"{": "a list", "[": "an object"}[m[2]]
		if !ok {
			wanted = "an object or a list"
		}
		return m[1] + ": want " + wanted
	}
	return valueShown.ReplaceAllString(msg, "$1$2")
}

// object is a JSON object as it was written.
type object struct {
	fields map[string]json.RawMessage
	names  []string         // sorted
	ends   map[string]int64 // where the value of each ends, in bytes
}

// inPlace returns a field's value after as many blanks and line breaks as the file has text before
// it, so that a parser counts lines and columns as the file does.
func (o object) inPlace(file []byte, name string) json.RawMessage {
	value := o.fields[name]
	before := bytes.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, file[:o.ends[name]-int64(len(value))])
	return append(before, value...)
}

// strictObject decodes an object, and rejects a field that is there twice and a second value after
// the object.
func strictObject(b []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	noObject := Invalidf("request", "is not a JSON object")
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return object{}, noObject
	}
	o := object{fields: map[string]json.RawMessage{}, ends: map[string]int64{}}
	for dec.More() {
		var value json.RawMessage
		name, err := dec.Token()
		if err == nil {
			err = dec.Decode(&value)
		}
		key, _ := name.(string)
		switch _, twice := o.fields[key]; {
		case err != nil:
			return object{}, noObject
		case twice:
			return object{}, Invalidf(key, "is set twice")
		}
		o.fields[key], o.ends[key] = value, dec.InputOffset()
	}
	if _, err := dec.Token(); err != nil {
		return object{}, noObject
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return object{}, Invalidf("request", "has more than one JSON value")
	}
	o.names = sortedKeys(o.fields)
	return o, nil
}

// AddWebhook returns a copy of a request with our webhook before the caller's own, because LiveKit
// stops at the first webhook whose signing key it does not know.
func AddWebhook(r Request, w *livekit.WebhookConfig) Request {
	return WithWebhooks(r, append([]*livekit.WebhookConfig{w}, r.GetWebhooks()...))
}

// WithWebhooks returns a copy of a request with its webhooks replaced.
func WithWebhooks(r Request, hooks []*livekit.WebhookConfig) Request {
	out, _ := proto.Clone(r).(Request)
	setWebhooks(out, hooks)
	return out
}

// setWebhooks sets the webhooks of a request of any kind: they all name that field alike.
func setWebhooks(r Request, hooks []*livekit.WebhookConfig) {
	m := r.ProtoReflect()
	field := m.Descriptor().Fields().ByName("webhooks")
	list := m.NewField(field).List()
	for _, w := range hooks {
		list.Append(protoreflect.ValueOfMessage(w.ProtoReflect()))
	}
	m.Set(field, protoreflect.ValueOfList(list))
}
