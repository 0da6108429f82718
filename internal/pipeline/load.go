// Package pipeline reads the file of pipelines that REELKEEPER_PIPELINE names: who is
// told of an end, and which steps of the user's own are run then. It checks all that can
// be checked before anything is recorded, and every error names line and field. It must
// never let a credential through: what the file says is kept in workflow histories.
package pipeline

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Setting is the variable that names the file, and the field of every error.
const Setting = "REELKEEPER_PIPELINE"

// Load reads the file at a path. keys are the names of the API keys that may sign. Every
// error is an *egress.Error of reason Invalid. An empty path is no pipelines.
func Load(path string, keys []string) (egress.Pipelines, error) {
	if path == "" {
		return egress.Pipelines{}, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		if why, ok := errors.AsType[*os.PathError](err); ok {
			err = why.Err
		}
		return egress.Pipelines{}, invalid("%s: %s", path, err)
	}
	return Parse(filepath.Base(path), b, keys)
}

// Parse reads a file's text; file is its name in errors.
func Parse(file string, text []byte, keys []string) (egress.Pipelines, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return egress.Pipelines{}, invalid("%s", syntax(file, err))
	}
	r := reader{file: file, keys: keys}
	if doc.Kind == 0 || len(doc.Content) == 0 {
		return egress.Pipelines{}, invalid("%s: holds nothing; want default and pipelines", file)
	}
	var p egress.Pipelines
	var named *yaml.Node
	root := r.at(doc.Content[0])
	err := root.fields(fields{
		"default":   func(v value) error { named = v.node; return v.name(&p.Default) },
		"pipelines": func(v value) (err error) { p.Named, err = v.pipelines(); return err },
	})
	switch {
	case err != nil:
		return egress.Pipelines{}, err
	case len(p.Named) == 0:
		return egress.Pipelines{}, root.field("pipelines").fail("is missing; want a pipeline by its name")
	}
	if _, known := p.Named[p.Default]; !known && p.Default != "" {
		v := root.field("default")
		v.node = named
		return egress.Pipelines{}, v.fail("there is no %q; want one of %s", p.Default, strings.Join(slices.Sorted(maps.Keys(p.Named)), ", "))
	}
	return p, nil
}

// pipelines are all of the file.
func (v value) pipelines() (map[string]egress.Pipeline, error) {
	all := map[string]egress.Pipeline{}
	return all, v.entries(func(name string, v value) error {
		if !egress.ValidName(name) {
			return v.fail("wants a name of 1 to 64 of [A-Za-z0-9._-], a letter or digit first")
		}
		p := egress.Pipeline{Name: name}
		err := v.fields(fields{
			"consumers": func(v value) (err error) { p.Consumers, err = v.consumers(); return err },
			"steps":     func(v value) (err error) { p.Steps, err = v.steps(); return err },
		})
		all[name] = p
		return err
	})
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntax is an error of the parser's, with file and line in front as ours have them.
func syntax(file string, err error) string {
	text := err.Error()
	m := yamlLine.FindStringSubmatch(text)
	if m == nil {
		return file + ": " + text
	}
	if m[1] != "" {
		file += ":" + m[1]
	}
	return file + ": is no YAML: " + text[len(m[0]):]
}

func invalid(format string, args ...any) error {
	return egress.Invalidf(Setting, format, args...)
}
