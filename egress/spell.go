package egress

import (
	"encoding/json"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Spelled is the EgressInfo with LiveKit's proto field names (`egress_id`), as `lk`
// prints it, whichever way it came. What our protocol package does not know stays as it is.
func (i Info) Spelled() Info {
	if i.raw == nil {
		return i
	}
	return Info{msg: i.msg, raw: spell(infoMessage, i.raw)}
}

// spell renames the fields of a message's JSON, or of each message in a list. Everything
// else it returns as it came, numbers of any length included.
func spell(md protoreflect.MessageDescriptor, raw json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		for i := range list {
			list[i] = spell(md, list[i])
		}
		return spelled(list, raw)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		return raw
	}
	out := make(map[string]json.RawMessage, len(fields))
	for _, name := range sortedKeys(fields) {
		fd := md.Fields().ByJSONName(name)
		if fd == nil {
			fd = md.Fields().ByTextName(name)
		}
		value := fields[name]
		if fd != nil {
			name = fd.TextName()
			if fd.Message() != nil && !fd.IsMap() { // the keys of a map are the user's words
				value = spell(fd.Message(), value)
			}
		}
		out[name] = value
	}
	return spelled(out, raw)
}

// spelled is a value as JSON, or instead where there is none.
func spelled(v any, instead json.RawMessage) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return instead
	}
	return b
}
