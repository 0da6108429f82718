package catalogue

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// providers are the four stores as spelled in the file, mapped to LiveKit's own spelling.
var providers = map[string]string{"s3": "s3", "gcp": "gcp", "azure": "azure", "ali_oss": "aliOSS"}

// profile reads one profile: one store.
func (v value) profile(name string) (*livekit.StorageConfig, error) {
	if egress.ValidateProfile(name) != nil {
		return nil, v.fail("must have a name of 1 to 64 characters of [A-Za-z0-9._-]")
	}
	profile := &livekit.StorageConfig{}
	m := profile.ProtoReflect()
	stores := fields{}
	for name, field := range providers {
		f := m.Descriptor().Fields().ByTextName(field)
		stores[name] = func(v value) error { return v.store(m.Mutable(f).Message()) }
	}
	if err := v.fields(stores); err != nil {
		return nil, err
	}
	if len(v.node.Content) != 2 { // a name and its value
		return nil, v.fail("want exactly one store, one of %s", strings.Join(slices.Sorted(maps.Keys(stores)), ", "))
	}
	return profile, nil
}

// store rejects a store that could not be opened even if all else is right.
func (v value) store(m protoreflect.Message) error {
	if err := v.message(m); err != nil {
		return err
	}
	for _, name := range []protoreflect.Name{"bucket", "container_name"} {
		if f := m.Descriptor().Fields().ByName(name); f != nil && m.Get(f).String() == "" {
			return v.fail("lacks %s", name)
		}
	}
	return nil
}

// message reads one of LiveKit's messages by the names of its fields.
func (v value) message(m protoreflect.Message) error {
	known := fields{}
	all := m.Descriptor().Fields()
	for i := range all.Len() {
		known[all.Get(i).TextName()] = func(v value) error { return v.set(m, all.Get(i)) }
	}
	return v.fields(known)
}

func (v value) set(m protoreflect.Message, f protoreflect.FieldDescriptor) error {
	switch {
	case f.IsMap():
		return v.entries(func(name string, v value) error {
			text, err := v.expanded()
			m.Mutable(f).Map().Set(protoreflect.ValueOfString(name).MapKey(), protoreflect.ValueOfString(text))
			return err
		})
	case f.Message() != nil:
		return v.message(m.Mutable(f).Message())
	}
	text, err := v.expanded()
	if err != nil {
		return err
	}
	if f.Kind() != protoreflect.BoolKind {
		m.Set(f, protoreflect.ValueOfString(text))
		return nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return v.fail("want true or false")
	}
	m.Set(f, protoreflect.ValueOfBool(on))
	return nil
}

// reference matches ${NAME} or ${file:PATH} in a value; $${ stands for a literal ${.
var reference = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}`)

// expanded returns a value with its references to the environment and to files replaced.
func (v value) expanded() (string, error) {
	if v.node.Kind != yaml.ScalarNode || v.node.Tag == "!!null" {
		return "", v.fail("want a value")
	}
	var problem error
	text := reference.ReplaceAllStringFunc(v.node.Value, func(match string) string {
		if match == "$${" {
			return "${"
		}
		named, err := v.lookUp(match[2 : len(match)-1])
		if problem == nil {
			problem = err
		}
		return named
	})
	return text, problem
}

// lookUp returns what a reference stands for. It drops a final newline, which editors and shells add.
func (v value) lookUp(name string) (string, error) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		b, err := os.ReadFile(path)
		named := strings.TrimRight(string(b), "\r\n")
		switch {
		case err != nil:
			return "", v.fail("%s", err)
		case named == "":
			return "", v.fail("the file %s is empty", path)
		case !utf8.ValidString(named) || strings.HasPrefix(named, "\ufeff"):
			return "", v.fail("the file %s is not UTF-8 without a byte-order mark", path)
		}
		return named, nil
	}
	if named := v.environ[name]; named != "" {
		return strings.TrimRight(named, "\r\n"), nil
	}
	return "", v.fail("the variable %s is not set", name)
}
