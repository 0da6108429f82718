package egress

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/livekit/protocol/livekit"
)

var (
	lenient      = protojson.UnmarshalOptions{DiscardUnknown: true}
	infoMessage  = (&livekit.EgressInfo{}).ProtoReflect().Descriptor()
	eventMessage = (&livekit.WebhookEvent{}).ProtoReflect().Descriptor()
)

// Info is LiveKit's EgressInfo as we carry it: the message, for rules, and the JSON that it came
// as, so that fields and enum names of a newer LiveKit reach the consumer. It is always redacted.
// The zero Info is an egress not yet known.
//
// Info does not embed the message: Temporal's converters would then treat it as a proto message
// and drop what the message does not know.
type Info struct {
	msg *livekit.EgressInfo
	raw json.RawMessage
}

// NewInfo redacts an EgressInfo that LiveKit's API returned.
func NewInfo(m *livekit.EgressInfo) (Info, error) {
	b, err := protojson.Marshal(m)
	if err != nil {
		return Info{}, fmt.Errorf("encode EgressInfo: %w", err)
	}
	if b, err = redactJSON(infoMessage, b); err != nil {
		return Info{}, err
	}
	return parseInfo(b)
}

func parseInfo(b []byte) (Info, error) {
	if bytes.Equal(b, []byte("null")) {
		return Info{}, nil
	}
	m := &livekit.EgressInfo{}
	if err := lenient.Unmarshal(b, m); err != nil {
		return Info{}, fmt.Errorf("decode EgressInfo: %w", err)
	}
	return Info{msg: m, raw: b}, nil
}

// Known reports whether there is an EgressInfo at all.
func (i Info) Known() bool { return i.msg != nil }

// Proto returns the redacted message, or nil if nothing is known; its getters work on nil.
func (i Info) Proto() *livekit.EgressInfo { return i.msg }

// Raw returns the redacted EgressInfo as LiveKit spelled it.
func (i Info) Raw() json.RawMessage { return i.raw }

// ID returns the egress ID, empty if nothing is known.
func (i Info) ID() string { return i.msg.GetEgressId() }

// Ended reports whether LiveKit considers the egress ended.
func (i Info) Ended() bool { return Ended(i.msg.GetStatus()) }

// EndTime returns LiveKit's ended_at, zero if it is missing.
func (i Info) EndTime() time.Time { return unixNano(i.msg.GetEndedAt()) }

// Began returns when an egress began, in LiveKit's Unix ns: for one that failed before it began,
// which has no start, when it ended. Zero: LiveKit says neither.
func Began(m *livekit.EgressInfo) int64 { return cmp.Or(m.GetStartedAt(), m.GetEndedAt()) }

// unixNano converts one of LiveKit's times, zero if there is none.
func unixNano(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at).UTC()
}

// StatusName returns the status as LiveKit spelled it, even one that our protocol package does not
// know.
func (i Info) StatusName() Status {
	if m := i.msg.GetStatus(); m != 0 {
		return statusOf(m)
	}
	var spelled struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(i.raw, &spelled) == nil && spelled.Status != "" {
		return Status(spelled.Status)
	}
	return statusOf(livekit.EgressStatus_EGRESS_STARTING) // which protojson leaves out
}

// MarshalJSON writes the EgressInfo as LiveKit spelled it.
func (i Info) MarshalJSON() ([]byte, error) { return i.raw.MarshalJSON() }

// UnmarshalJSON reads protojson of any LiveKit version.
func (i *Info) UnmarshalJSON(b []byte) (err error) {
	*i, err = parseInfo(bytes.Clone(b))
	return err
}

// Event is a LiveKit webhook event, carried like Info.
type Event struct {
	msg *livekit.WebhookEvent
	raw json.RawMessage
}

// ParseEvent redacts the body of a webhook whose signature the caller has verified. Unknown fields
// and enum names are kept.
func ParseEvent(body []byte) (Event, error) {
	b, err := redactJSON(eventMessage, body)
	if err != nil {
		return Event{}, err
	}
	return parseEvent(b)
}

func parseEvent(b []byte) (Event, error) {
	if bytes.Equal(b, []byte("null")) {
		return Event{}, nil
	}
	m := &livekit.WebhookEvent{}
	if err := lenient.Unmarshal(b, m); err != nil {
		return Event{}, fmt.Errorf("decode webhook event: %w", err)
	}
	return Event{msg: m, raw: b}, nil
}

// eventOf returns the event whose JSON has these fields.
func eventOf(fields any) (Event, error) {
	b, err := json.Marshal(fields)
	if err != nil {
		return Event{}, fmt.Errorf("encode webhook event: %w", err)
	}
	return parseEvent(b)
}

// Proto returns the redacted message, or nil if there is no event.
func (e Event) Proto() *livekit.WebhookEvent { return e.msg }

// Raw returns the redacted event as LiveKit spelled it.
func (e Event) Raw() json.RawMessage { return e.raw }

// Info returns the event's EgressInfo, zero if it has none.
func (e Event) Info() (Info, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(e.raw, &fields); err != nil {
		return Info{}, fmt.Errorf("decode webhook event: %w", err)
	}
	b := fields["egressInfo"]
	if b == nil {
		b = fields["egress_info"]
	}
	if b == nil {
		return Info{}, nil
	}
	if m := e.msg.GetEgressInfo(); m != nil {
		return Info{msg: m, raw: b}, nil
	}
	return parseInfo(b)
}

// MarshalJSON writes the event as LiveKit spelled it.
func (e Event) MarshalJSON() ([]byte, error) { return e.raw.MarshalJSON() }

// UnmarshalJSON reads protojson of any LiveKit version.
func (e *Event) UnmarshalJSON(b []byte) (err error) {
	*e, err = parseEvent(bytes.Clone(b))
	return err
}

// RanAgain reports whether i is of a later run of the same egress ID than the other Info.
func (i Info) RanAgain(than Info) bool {
	return i.Proto().GetRetryCount() > than.Proto().GetRetryCount()
}
