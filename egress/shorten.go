package egress

import (
	"encoding/json"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// longestMessage bounds an EgressInfo or a webhook event as we carry it, in bytes of JSON: the
// longest that we recorded has under 2 KiB. A recording's state holds several, and Temporal
// accepts no argument, result or signal of over 2 MiB, so that a larger one would block its
// workflow forever.
const longestMessage = 64 << 10

// longestEarlier bounds the EgressInfo of an earlier part, in bytes of JSON: a verdict may have a
// hundred parts, and is one result.
const longestEarlier = 8 << 10

// short returns the EgressInfo with at most so many bytes of JSON. One that cannot be shortened
// stays as it is.
func (i Info) short(most int) Info {
	if len(i.raw) <= most {
		return i
	}
	var tree map[string]any
	if json.Unmarshal(i.raw, &tree) != nil {
		return i
	}
	b, err := fitting(infoMessage, tree, most)
	if err != nil {
		return i
	}
	shorter, err := parseInfo(b)
	if err != nil {
		return i
	}
	return shorter
}

// fitting returns a message's JSON with its longest values cut if it has more than so many bytes.
// A message of very many small fields, unlike any of LiveKit's, stays longer.
func fitting(md protoreflect.MessageDescriptor, tree map[string]any, most int) ([]byte, error) {
	b, err := json.Marshal(tree)
	for err == nil && len(b) > most {
		before := len(b)
		halveMessage(md, tree)
		b, err = json.Marshal(tree)
		if before-len(b) < before/1024 {
			break
		}
	}
	return b, err
}

// halveMessage halves the longest field of a message and removes none.
func halveMessage(md protoreflect.MessageDescriptor, tree map[string]any) {
	longest, size := "", -1
	for _, name := range sortedKeys(tree) {
		if n := sizeOf(tree[name]); n > size {
			longest, size = name, n
		}
	}
	tree[longest] = halve(fieldOf(md, longest), tree[longest])
}

// halve drops at least half of a field's value: the end of a text, or the last entries of a list
// or of a map of the user's words. If one entry is more than half, it halves that entry.
func halve(f field, value any) any {
	switch v := value.(type) {
	case string:
		return Clip(v, len(v)/2)
	case []any:
		sizes := make([]int, len(v))
		for i := range v {
			sizes[i] = sizeOf(v[i])
		}
		n, within := half(sizes)
		if !within {
			return v[:n]
		}
		v[n] = halve(f, v[n])
		return v
	case map[string]any:
		if f.isScalarMap() {
			halveWords(v)
		} else {
			halveMessage(f.messageType(), v)
		}
		return v
	default:
		return nil // an endless number
	}
}

// halveWords halves a map of the user's words.
func halveWords(v map[string]any) {
	names := sortedKeys(v)
	sizes := make([]int, len(names))
	for i, name := range names {
		sizes[i] = len(name) + sizeOf(v[name])
	}
	n, within := half(sizes)
	switch {
	case !within:
		for _, name := range names[n:] {
			delete(v, name)
		}
	case 2*len(names[n]) > sizes[n]:
		delete(v, names[n])
	default:
		v[names[n]] = halve(field{}, v[names[n]])
	}
}

// half returns how many leading pieces make up half of the total size, or the index of one piece
// that is more than half.
func half(sizes []int) (n int, within bool) {
	total, sum := 0, 0
	for _, size := range sizes {
		total += size
	}
	for i, size := range sizes {
		if 2*size > total {
			return i, true
		}
	}
	for ; n < len(sizes) && 2*(sum+sizes[n]) <= total; n++ {
		sum += sizes[n]
	}
	return n, false
}

// sizeOf estimates the size of a value as JSON in bytes.
func sizeOf(value any) int {
	const around = 4
	size := around
	switch v := value.(type) {
	case string:
		size += len(v)
	case json.Number:
		size += len(v)
	case []any:
		for i := range v {
			size += sizeOf(v[i])
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			size += len(name) + sizeOf(v[name])
		}
	}
	return size
}
