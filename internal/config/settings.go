package config

import (
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

const prefix = "REELKEEPER_"

// setting is one variable, as described by the struct's tags.
type setting struct {
	name       string
	doc        string
	requiredBy []string
	secret     bool // may be in the file that NAME_FILE names
	value      reflect.Value
}

// settings lists the fields of a config that have a variable, in order.
func settings(c *Config) []setting {
	var list []setting
	var visit func(reflect.Value)
	visit = func(v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, ok := f.Tag.Lookup("env")
			if !ok {
				visit(v.Field(i))
				continue
			}
			s := setting{name: name, doc: f.Tag.Get("doc"), secret: f.Tag.Get("secret") == "true", value: v.Field(i)}
			if by := f.Tag.Get("required"); by != "" {
				s.requiredBy = strings.Split(by, ",")
			}
			list = append(list, s)
		}
	}
	visit(reflect.ValueOf(c).Elem())
	return list
}

// Table returns the table of settings in Markdown, made from the struct's own tags.
func Table() string {
	c := Config{}.withDefaults()
	var b strings.Builder
	b.WriteString("| variable | meaning | default | required by |\n|---|---|---|---|\n")
	for _, s := range settings(&c) {
		by := "–"
		if len(s.requiredBy) > 0 {
			by = strings.Join(s.requiredBy, ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.name, s.doc, shown(s.value), by)
	}
	return b.String()
}

func shown(v reflect.Value) string {
	if level, ok := reflect.TypeAssert[slog.Level](v); ok { // its zero is a level
		return "`" + strings.ToLower(level.String()) + "`"
	}
	if v.IsZero() && v.Kind() != reflect.Bool {
		return "–"
	}
	switch d := v.Interface().(type) {
	case time.Duration:
		return "`" + short(d) + "`"
	case DurationOrOff:
		return "`" + d.String() + "`"
	case egress.Duration:
		return "`" + short(d.D()) + "`"
	case []egress.Duration:
		var parts []string
		for _, e := range d {
			parts = append(parts, short(e.D()))
		}
		return "`" + strings.Join(parts, ",") + "`"
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

// short returns a duration as a person writes it: 72h and not 72h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// IsSetting reports whether a variable is ours, LiveKit's or Temporal's.
func IsSetting(name string) bool {
	return strings.HasPrefix(name, prefix) || strings.HasPrefix(name, "LIVEKIT_") || strings.HasPrefix(name, "TEMPORAL_")
}

// refuseUnknown names the first unknown variable with our prefix, so that a typo does not silently
// leave a setting at its default.
func refuseUnknown(set map[string]string) error {
	known := []string{"REELKEEPER_DEVSERVER"} // for `dev`, which passes on its environment
	for _, s := range settings(&Config{}) {
		known = append(known, s.name)
		if s.secret {
			known = append(known, s.name+fileSuffix)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, name) {
			continue
		}
		if near := nearestVariable(name, slices.Concat(known, temporalNames())); near != "" {
			return egress.Invalidf(name, "is not a setting; did you mean %s?", near)
		}
		return egress.Invalidf(name, "is not a setting")
	}
	return nil
}
