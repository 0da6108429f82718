// Package catalogue reads the two YAML files that define what a recording may name: the pipelines
// of REELKEEPER_PIPELINE, and the storage profiles of REELKEEPER_STORAGE. It checks all that can be
// checked before anything is recorded, and every error is an *egress.Error of reason Invalid that
// names file, line and field. It must never accept a credential in a pipeline, which is kept in
// workflow histories, nor show one from a profile.
package catalogue

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Pipelines reads the file at a path: the consumers to which an end is announced, and the user's
// own steps to run then. keys are the names of the API keys that may sign. An empty path means no
// pipelines.
func Pipelines(path string, keys []string) (p egress.Pipelines, err error) {
	r := &reader{setting: "REELKEEPER_PIPELINE", file: path, keys: keys}
	p.Default, p.Named, err = named(r, "pipelines", value.pipeline)
	return p, err
}

// Profiles reads the file at a path, whose values may refer to environment variables and files. An
// empty path means no profiles.
func Profiles(path string, environ map[string]string) (p egress.Profiles, err error) {
	r := &reader{setting: "REELKEEPER_STORAGE", file: path, secret: true, environ: environ}
	p.Default, p.Named, err = named(r, "profiles", value.profile)
	return p, err
}

// named reads a file of named entries, and which of them is the default.
func named[T any](r *reader, field string, read func(v value, name string) (T, error)) (preset string, all map[string]T, err error) {
	if r.file == "" {
		return "", nil, nil
	}
	root, err := r.read()
	if err != nil {
		return "", nil, err
	}
	all = map[string]T{}
	chosen := root
	err = root.fields(fields{
		"default": func(v value) error { chosen = v; return v.text(&preset) },
		field: func(v value) error {
			return v.entries(func(name string, v value) (err error) { all[name], err = read(v, name); return err })
		},
	})
	switch _, known := all[preset]; {
	case err != nil:
		return "", nil, err
	case len(all) == 0:
		return "", nil, root.field(field).fail("is missing, or empty")
	case preset != "" && !known:
		return "", nil, chosen.fail("there is no %q; want one of %s", preset, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	return preset, all, nil
}

// pipeline reads one pipeline.
func (v value) pipeline(name string) (egress.Pipeline, error) {
	p := egress.Pipeline{Name: name}
	if !egress.ValidName(name) {
		return p, v.fail("must have a name of 1 to 64 characters of [A-Za-z0-9._-], the first a letter or digit")
	}
	err := v.fields(fields{
		"consumers": func(v value) (err error) { p.Consumers, err = v.consumers(); return err },
		"steps":     func(v value) (err error) { p.Steps, err = v.steps(); return err },
	})
	if err != nil {
		return p, err
	}
	b, err := json.Marshal(p)
	switch {
	case err != nil:
		return p, v.fail("cannot be written as JSON: %s", err)
	case len(b) > longestPipeline:
		return p, v.fail("takes %d bytes as JSON; the limit is %d: keep long values in the step's own worker", len(b), longestPipeline)
	}
	return p, nil
}

// longestPipeline caps a pipeline as JSON, in bytes. It is in the state of each recording, beside
// what egress.Input bounds, and Temporal's limit for both is 2 MiB.
const longestPipeline = 64 << 10
