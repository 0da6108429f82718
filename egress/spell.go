package egress

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Spelled is the EgressInfo with LiveKit's proto field names (`egress_id`), as `lk`
// prints it, whichever way it came. What our protocol package does not know stays as it is.
func (i Info) Spelled() Info {
	dec := json.NewDecoder(bytes.NewReader(i.raw))
	dec.UseNumber()
	var tree map[string]any
	if dec.Decode(&tree) != nil { // there is none
		return i
	}
	b, err := json.Marshal(spell(infoMessage, tree))
	if err != nil {
		return i
	}
	return Info{msg: i.msg, raw: b}
}

// spell renames the fields of a message's JSON.
func spell(md protoreflect.MessageDescriptor, tree map[string]any) map[string]any {
	out := make(map[string]any, len(tree))
	for _, name := range sortedKeys(tree) {
		fd := md.Fields().ByJSONName(name)
		switch {
		case fd == nil && md.Fields().ByTextName(name) == nil:
			out[name] = tree[name]
		case fd == nil:
			out[name] = spellValue(md.Fields().ByTextName(name), tree[name])
		default:
			out[fd.TextName()] = spellValue(fd, tree[name])
		}
	}
	return out
}

func spellValue(fd protoreflect.FieldDescriptor, value any) any {
	md := fd.Message()
	if fd.IsMap() {
		md = nil // its keys are the user's words; LiveKit has none of messages
	}
	switch v := value.(type) {
	case []any:
		for i := range v {
			if m, ok := v[i].(map[string]any); ok && md != nil {
				v[i] = spell(md, m)
			}
		}
	case map[string]any:
		if md != nil {
			return spell(md, v)
		}
	}
	return value
}
