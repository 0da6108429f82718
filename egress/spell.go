package egress

import (
	"encoding/json"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Spelled returns the EgressInfo with LiveKit's proto field names (`egress_id`), as `lk` prints
// it, however it came. Fields that our protocol package does not know stay as they are.
func (i Info) Spelled() Info {
	return Info{msg: i.msg, raw: spell(infoMessage, i.raw)}
}

// Spelled returns the verdict with every EgressInfo in it as `lk` prints it.
func (v Verdict) Spelled() Verdict {
	v.Info = v.Info.Spelled()
	v.Parts = slices.Clone(v.Parts)
	for i := range v.Parts {
		v.Parts[i].Info = v.Parts[i].Info.Spelled()
	}
	return v
}

// spell renames the fields of a message's JSON, or of each message in a list. Everything else,
// including numbers of any length, it returns unchanged.
func spell(md protoreflect.MessageDescriptor, raw json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		for i := range list {
			list[i] = spell(md, list[i])
		}
		return spelled(list, raw)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return raw
	}
	out := make(map[string]json.RawMessage, len(fields))
	for _, name := range sortedKeys(fields) {
		fd := fieldOf(md, name).desc
		value := fields[name]
		if fd != nil {
			name = fd.TextName()
			if fd.Message() != nil { // a map entry's keys are not field names
				value = spell(fd.Message(), value)
			}
		}
		out[name] = value
	}
	return spelled(out, raw)
}

// spelled returns a value as JSON, or instead if it cannot be encoded.
func spelled(v any, instead json.RawMessage) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return instead
	}
	return b
}
