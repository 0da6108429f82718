package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// reader is what all values of a file share.
type reader struct {
	file string
	keys []string // names of API keys
}

// value is a node of the file, and the path to it.
type value struct {
	*reader
	node *yaml.Node
	path string
}

func (r *reader) at(n *yaml.Node) value { return value{reader: r, node: n} }

// field is a value below this one, which an error is about though it may not be there.
func (v value) field(name string) value {
	v.path = strings.TrimPrefix(v.path+"."+name, ".")
	return v
}

// fail says what is wrong with a value, and where.
func (v value) fail(format string, args ...any) error {
	where := v.path
	if where != "" {
		where += ": "
	}
	return invalid("%s:%d: %s%s", v.file, v.node.Line, where, fmt.Sprintf(format, args...))
}

// entries visits a mapping in the order of the file.
func (v value) entries(visit func(name string, v value) error) error {
	if v.node.Kind != yaml.MappingNode {
		return v.fail("want fields with values, got %s", v.shown())
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		name, entry := v.node.Content[i], v.field(v.node.Content[i].Value)
		entry.node = name
		if line, twice := seen[name.Value]; twice {
			return entry.fail("is there twice; the other one is in line %d", line)
		}
		seen[name.Value] = name.Line
		entry.node = v.node.Content[i+1]
		if entry.node.Kind == yaml.AliasNode {
			entry.node = entry.node.Alias
		}
		if err := visit(name.Value, entry); err != nil {
			return err
		}
	}
	return nil
}

// fields reads a mapping of known fields.
type fields map[string]func(value) error

func (v value) fields(known fields) error {
	return v.entries(func(name string, v value) error {
		read, ok := known[name]
		if ok {
			return read(v)
		}
		names := slices.Sorted(maps.Keys(known))
		hint := "want one of " + strings.Join(names, ", ")
		if near := config.Nearest(name, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return v.fail("there is no such field; %s", hint)
	})
}

// list visits a list in its order.
func (v value) list(visit func(v value) error) error {
	if v.node.Kind != yaml.SequenceNode {
		return v.fail("want a list, got %s", v.shown())
	}
	for i, n := range v.node.Content {
		entry := v
		entry.node, entry.path = n, v.path+"["+strconv.Itoa(i)+"]"
		if n.Kind == yaml.AliasNode {
			entry.node = n.Alias
		}
		if err := visit(entry); err != nil {
			return err
		}
	}
	return nil
}

// shown is a value as an error quotes it.
func (v value) shown() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	default:
		return strconv.Quote(egress.Clip(v.node.Value, 60))
	}
}

// text reads a text that is not empty.
func (v value) text(into *string) error {
	if v.node.Kind != yaml.ScalarNode || v.node.Tag != "!!str" || strings.TrimSpace(v.node.Value) == "" {
		return v.fail("want a text, got %s", v.shown())
	}
	*into = v.node.Value
	return nil
}

// name reads a name of ours.
func (v value) name(into *string) error {
	if err := v.text(into); err != nil {
		return err
	}
	if !egress.ValidName(*into) {
		return v.fail("want 1 to 64 of [A-Za-z0-9._-], a letter or digit first, got %q", *into)
	}
	return nil
}

// duration reads a duration over zero.
func (v value) duration(into *egress.Duration) error {
	d, err := time.ParseDuration(v.node.Value)
	if v.node.Kind != yaml.ScalarNode || err != nil || d <= 0 {
		return v.fail("want a duration such as 30m, got %s", v.shown())
	}
	*into = egress.Duration(d)
	return nil
}

// count reads a number from 1 on.
func (v value) count(into *int) error {
	n, err := strconv.ParseInt(v.node.Value, 10, 32)
	if v.node.Kind != yaml.ScalarNode || err != nil || n < 1 {
		return v.fail("want a number from 1 on, got %s", v.shown())
	}
	*into = int(n)
	return nil
}

func (v value) flag(into *bool) error {
	if v.node.Kind != yaml.ScalarNode || v.node.Tag != "!!bool" || v.node.Decode(into) != nil {
		return v.fail("want true or false, got %s", v.shown())
	}
	return nil
}

// ends reads for which ends something is.
func (v value) ends(into *[]egress.Status) error {
	err := v.list(func(v value) error {
		end := egress.Status(v.node.Value)
		if !slices.Contains(egress.Ends(), end) {
			return v.fail("want one of %s, got %s", strings.Join(names(egress.Ends()), ", "), v.shown())
		}
		if slices.Contains(*into, end) {
			return v.fail("%s is there twice", end)
		}
		*into = append(*into, end)
		return nil
	})
	if err == nil && len(*into) == 0 {
		return v.fail("is empty; leave it out for all ends")
	}
	return err
}

func names(ends []egress.Status) []string {
	var list []string
	for _, e := range ends {
		list = append(list, string(e))
	}
	return list
}

// anything reads what is handed on as it is, as JSON has it: so it is the same before
// and after it was in a history.
func (v value) anything(into *map[string]any) error {
	if v.node.Kind != yaml.MappingNode {
		return v.fail("want fields with values, got %s", v.shown())
	}
	var decoded map[string]any
	if err := v.node.Decode(&decoded); err != nil {
		return v.fail("cannot be read: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := v.refuseCredentials(); err != nil {
		return err
	}
	if n, found := tooLong(decoded); found {
		return v.fail("the whole number %v has more digits than are kept, put it in quotes", n)
	}
	b, err := json.Marshal(decoded)
	if err != nil {
		return v.fail("cannot be written as JSON: %s", err)
	}
	*into = map[string]any{}
	return json.Unmarshal(b, into)
}

// exact is up to where JSON's numbers are whole ones: 2^53.
const exact = 1 << 53

// tooLong finds a whole number that JSON readers would round.
func tooLong(v any) (number any, found bool) {
	switch v := v.(type) {
	case int:
		return v, v > exact || v < -exact
	case uint64: // what int does not hold
		return v, true
	case []any:
		for _, item := range v {
			if number, found := tooLong(item); found {
				return number, true
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if number, found := tooLong(v[name]); found {
				return number, true
			}
		}
	}
	return nil, false
}
