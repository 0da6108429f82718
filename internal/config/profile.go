package config

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// entry is one field of a mapping in the file. It is read node by node, since a decoder's
// own errors show values, and these are secrets.
type entry struct {
	at
	key  string
	node *yaml.Node
}

// mapping is the fields of a node in their order. known are those that it may have; nil:
// any.
func mapping(n *yaml.Node, path string, known []string) ([]entry, error) {
	here := at{n.Line, strings.TrimSuffix(path, ".")}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		if here.path == "" {
			here.path = "profiles"
		}
		return nil, here.errorf("want fields, by `name: value`")
	}
	var list []entry
	for i := 0; i < len(n.Content); i += 2 {
		e := entry{at{n.Content[i].Line, path + n.Content[i].Value}, n.Content[i].Value, n.Content[i+1]}
		if known != nil && !slices.Contains(known, e.key) {
			return nil, e.errorf("is not a field; want one of %s", strings.Join(known, ", "))
		}
		if slices.ContainsFunc(list, func(other entry) bool { return other.key == e.key }) {
			return nil, e.errorf("is there twice")
		}
		list = append(list, e)
	}
	return list, nil
}

// profiles reads each profile: its name, and one store.
func (e entry) profiles(into map[string]*livekit.StorageConfig, environ map[string]string) error {
	list, err := mapping(e.node, e.path+".", nil)
	if err != nil {
		return err
	}
	for _, p := range list {
		if egress.ValidateProfile(p.key) != nil {
			return p.errorf("want a name of 1 to 64 of [A-Za-z0-9._-]")
		}
		known := slices.Sorted(maps.Keys(providers))
		stores, err := mapping(p.node, p.path+".", known)
		if err != nil {
			return err
		}
		if len(stores) != 1 {
			return p.errorf("want one store: one of %s", strings.Join(known, ", "))
		}
		config := &livekit.StorageConfig{}
		m := config.ProtoReflect()
		f := m.Descriptor().Fields().ByTextName(providers[stores[0].key])
		if err := stores[0].fill(m.Mutable(f).Message(), environ); err != nil {
			return err
		}
		if err := stores[0].wantBucket(m.Get(f).Message()); err != nil {
			return err
		}
		into[p.key] = config
	}
	return nil
}

// fill reads a message of LiveKit's by the names of its fields.
func (e entry) fill(m protoreflect.Message, environ map[string]string) error {
	fields := m.Descriptor().Fields()
	var known []string
	for i := range fields.Len() {
		known = append(known, fields.Get(i).TextName())
	}
	list, err := mapping(e.node, e.path+".", known)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := e.set(m, fields.ByTextName(e.key), environ); err != nil {
			return err
		}
	}
	return nil
}

func (e entry) set(m protoreflect.Message, f protoreflect.FieldDescriptor, environ map[string]string) error {
	switch {
	case f.IsMap():
		return e.setMap(m.Mutable(f).Map(), environ)
	case f.Message() != nil:
		return e.fill(m.Mutable(f).Message(), environ)
	}
	text, err := e.text(environ)
	if err != nil {
		return err
	}
	if f.Kind() != protoreflect.BoolKind {
		m.Set(f, protoreflect.ValueOfString(text))
		return nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return e.errorf("want true or false")
	}
	m.Set(f, protoreflect.ValueOfBool(on))
	return nil
}

func (e entry) setMap(m protoreflect.Map, environ map[string]string) error {
	list, err := mapping(e.node, e.path+".", nil)
	for _, e := range list {
		text, err := e.text(environ)
		if err != nil {
			return err
		}
		m.Set(protoreflect.ValueOfString(e.key).MapKey(), protoreflect.ValueOfString(text))
	}
	return err
}

// wantBucket refuses a store that could not be opened, whatever else is right.
func (e entry) wantBucket(m protoreflect.Message) error {
	for _, name := range []string{"bucket", "container_name"} {
		f := m.Descriptor().Fields().ByTextName(name)
		if f != nil && m.Get(f).String() == "" {
			return e.errorf("lacks %s", name)
		}
	}
	return nil
}

// named is ${NAME} or ${file:PATH} in a value; $${ stands for ${ itself.
var named = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}`)

// text is a value, with what it names in the environment or in files put in. environ nil:
// it may name nothing.
func (e entry) text(environ map[string]string) (string, error) {
	n := e.node
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return "", e.errorf("want a value")
	}
	var problem error
	text := named.ReplaceAllStringFunc(n.Value, func(match string) string {
		if match == "$${" {
			return "${"
		}
		value, err := e.lookUp(match[2:len(match)-1], environ)
		if err != nil && problem == nil {
			problem = err
		}
		return value
	})
	return text, problem
}

// lookUp is what a value names. A file's last line end is none of it, as editors add one.
func (e entry) lookUp(name string, environ map[string]string) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", e.errorf("%s", err)
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
	if value := environ[name]; value != "" {
		return value, nil
	}
	return "", e.errorf("the variable %s is not set", name)
}
