package egress

import (
	"encoding/json"
	"fmt"
)

// longestMessage is the most that is carried of an EgressInfo or a webhook event, in bytes of
// JSON: the longest that we recorded has under 2 KiB. A recording's state holds several, and
// Temporal takes no argument, result or signal of over 2 MiB, so that what is larger would hold up
// its workflow for ever.
const longestMessage = 64 << 10

// longestEarlier is the most that is carried of the EgressInfo of an earlier part, in bytes of
// JSON: a verdict may have a hundred, and is one result.
const longestEarlier = 8 << 10

// short is an EgressInfo of at most so many bytes of JSON. One that nobody can shorten stays as it is.
func (i Info) short(most int) Info {
	if len(i.raw) <= most {
		return i
	}
	var tree map[string]any
	if json.Unmarshal(i.raw, &tree) != nil {
		return i
	}
	b, err := fitting(tree, most)
	if err != nil {
		return i
	}
	shorter, err := parseInfo(b)
	if err != nil {
		return i
	}
	return shorter
}

// fitting is a message's JSON without the ends of what is longest in it, where it has more than so
// many bytes.
func fitting(tree map[string]any, most int) ([]byte, error) {
	b, err := json.Marshal(tree)
	for err == nil && len(b) > most {
		before := len(b)
		halve(tree, 0)
		b, err = json.Marshal(tree)
		if gone := before - len(b); gone < before/256 { // it is made of many small pieces, which no message of LiveKit's is
			return nil, fmt.Errorf("it has %d bytes, and cannot be shortened", before)
		}
	}
	return b, err
}

// halve leaves out half of what is longest in a value: of a text, a list, or a map of the user's
// words, which lies deep. Of a message itself it is in one of the fields.
func halve(value any, depth int) any {
	switch v := value.(type) {
	case string:
		return Clip(v, len(v)/2)
	case []any:
		at, longest := 0, 0
		for i := range v {
			if n := sizeOf(v[i]); n > longest {
				at, longest = i, n
			}
		}
		if 2*longest < sizeOf(v) {
			return v[:len(v)/2]
		}
		v[at] = halve(v[at], depth+1)
		return v
	case map[string]any:
		halveMap(v, depth)
		return v
	default:
		return nil // a number without an end
	}
}

func halveMap(v map[string]any, depth int) {
	names, at, longest := sortedKeys(v), "", 0
	for _, name := range names {
		if n := len(name) + sizeOf(v[name]); n > longest {
			at, longest = name, n
		}
	}
	switch {
	case depth > 1 && 2*longest < sizeOf(v):
		for _, name := range names[len(names)/2:] {
			delete(v, name)
		}
	case 2*len(at) > longest:
		delete(v, at)
	default:
		v[at] = halve(v[at], depth+1)
	}
}

// sizeOf is about how many bytes a value has as JSON.
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
