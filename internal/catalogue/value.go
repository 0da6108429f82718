package catalogue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// reader holds what all values of a file share.
type reader struct {
	setting string // the variable that names the file, and the field of every error
	file    string
	secret  bool              // no error may show a value
	keys    []string          // names of API keys
	environ map[string]string // what values may refer to
}

// value is a node of the file, with the line that an error names, and its path.
type value struct {
	*reader
	node *yaml.Node
	line int
	path string
}

// read reads the whole file.
func (r *reader) read() (value, error) {
	b, err := os.ReadFile(r.file)
	if err != nil {
		return value{}, egress.Invalidf(r.setting, "%s", err)
	}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	if err = dec.Decode(&doc); err == nil {
		err = dec.Decode(&second)
	}
	switch {
	case err == nil:
		return value{}, r.at(&second, "").fail("there is more than one document")
	case !errors.Is(err, io.EOF):
		return value{}, r.syntax(err)
	case len(doc.Content) == 0:
		return r.at(&yaml.Node{Kind: yaml.MappingNode, Line: 1}, ""), nil
	}
	return r.at(doc.Content[0], ""), nil
}

var parserPrefix = regexp.MustCompile(`^yaml: (line \d+: )?`)

// syntax puts file and line before a parser's error, as in our own errors. The parser's message may
// contain a value.
func (r *reader) syntax(err error) error {
	v := value{reader: r, line: 1}
	_, _ = fmt.Sscanf(err.Error(), "yaml: line %d:", &v.line) // there may be no line
	if r.secret {
		return v.fail("is not valid YAML")
	}
	return v.fail("is not valid YAML: %s", parserPrefix.ReplaceAllString(err.Error(), ""))
}

// at returns a node, or the target of its alias, at the node's own line.
func (r *reader) at(n *yaml.Node, path string) value {
	v := value{reader: r, node: n, line: n.Line, path: path}
	if n.Kind == yaml.AliasNode {
		v.node = n.Alias
	}
	return v
}

// field returns a child value for use in an error, even if it does not exist.
func (v value) field(name string) value {
	v.path = strings.TrimPrefix(v.path+"."+name, ".")
	return v
}

// fail returns an error that says what is wrong with a value, and where.
func (v value) fail(format string, args ...any) error {
	where := v.path
	if where != "" {
		where += ": "
	}
	return egress.Invalidf(v.setting, "%s:%d: %s%s", v.file, v.line, where, fmt.Sprintf(format, args...))
}

// entries visits a mapping in the order of the file.
func (v value) entries(visit func(name string, v value) error) error {
	if v.node.Kind != yaml.MappingNode {
		return v.fail("want fields with values, got %s", v.shown())
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		name := v.node.Content[i]
		entry := v.at(v.node.Content[i+1], v.field(name.Value).path)
		entry.line = name.Line
		if line, twice := seen[name.Value]; twice {
			return entry.fail("is set twice; the other one is in line %d", line)
		}
		seen[name.Value] = name.Line
		if err := visit(name.Value, entry); err != nil {
			return err
		}
	}
	return nil
}

// fields reads a mapping with a fixed set of fields.
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

// list visits a list in order.
func (v value) list(visit func(v value) error) error {
	if v.node.Kind != yaml.SequenceNode {
		return v.fail("want a list, got %s", v.shown())
	}
	for i, n := range v.node.Content {
		if err := visit(v.at(n, v.path+"["+strconv.Itoa(i)+"]")); err != nil {
			return err
		}
	}
	return nil
}

// shown returns a value as an error quotes it.
func (v value) shown() string {
	switch {
	case v.node.Kind == yaml.MappingNode:
		return "fields"
	case v.node.Kind == yaml.SequenceNode:
		return "a list"
	case v.node.Tag == "!!null":
		return "nothing"
	case v.secret && v.node.Tag == "!!str":
		return "a string"
	case v.secret:
		return "a value that is not a string"
	default:
		return strconv.Quote(egress.Clip(v.node.Value, 60))
	}
}

// text reads a non-empty text.
func (v value) text(into *string) error {
	if v.node.Kind != yaml.ScalarNode || v.node.Tag != "!!str" || strings.TrimSpace(v.node.Value) == "" {
		return v.fail("want a string, got %s", v.shown())
	}
	*into = v.node.Value
	return nil
}

// name reads a name that we define.
func (v value) name(into *string) error {
	if err := v.text(into); err != nil {
		return err
	}
	if !egress.ValidName(*into) {
		return v.fail("want 1 to 64 characters of [A-Za-z0-9._-], the first a letter or digit, got %q", *into)
	}
	return nil
}

// duration reads a positive duration.
func (v value) duration(into *egress.Duration) error {
	d, err := time.ParseDuration(v.node.Value)
	if v.node.Kind != yaml.ScalarNode || err != nil || d <= 0 {
		return v.fail("want a duration such as 30m, got %s", v.shown())
	}
	*into = egress.Duration(d)
	return nil
}

// count reads a number of at least 1.
func (v value) count(into *int) error {
	n, err := strconv.ParseInt(v.node.Value, 10, 32)
	if v.node.Kind != yaml.ScalarNode || err != nil || n < 1 {
		return v.fail("want a whole number, 1 or more, got %s", v.shown())
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

// ends reads the final statuses to which something applies.
func (v value) ends(into *[]egress.Status) error {
	err := v.list(func(v value) error {
		end := egress.Status(v.node.Value)
		if !slices.Contains(egress.Ends(), end) {
			return v.fail("want one of %s, got %s", strings.Join(names(egress.Ends()), ", "), v.shown())
		}
		if slices.Contains(*into, end) {
			return v.fail("%s is listed twice", end)
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
