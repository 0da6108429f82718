package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Role is what a process is, which decides which settings it requires.
type Role string

// The roles. A Reader seals nothing; a Client also starts recordings, and so needs the key.
const (
	Worker Role = "worker"
	Serve  Role = "serve"
	Client Role = "client"
	Reader Role = "reader"
)

// Environ returns the process environment as a map, for Load.
func Environ() map[string]string { return env.ToMap(os.Environ()) }

// Load reads the settings from an environment. A variable that is set but empty counts as unset. A
// secret NAME may also be in the file that NAME_FILE names. Every error is an *egress.Error of
// reason Invalid whose Field is the invalid variable.
func Load(environ map[string]string, role Role) (Config, error) {
	c, err := load(environ, role)
	return c, fromFile(environ, err)
}

func load(environ map[string]string, role Role) (Config, error) {
	set, err := withFiles(environ, ourSecrets()...)
	if err != nil {
		return Config{}, err
	}
	maps.DeleteFunc(set, func(_, value string) bool { return value == "" })
	if err := refuseUnknown(set); err != nil {
		return Config{}, err
	}
	c := Config{}.withDefaults()
	if err := parse(&c, set); err != nil {
		return Config{}, err
	}
	if err := c.LiveKit.pickKey(); err != nil {
		return Config{}, err
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, c.require(role)
}

// parse reads the variables one by one, since caarlos0/env's errors name the struct field instead
// of the variable.
func parse(c *Config, set map[string]string) error {
	opts := env.Options{FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[time.Duration](): parseDuration,
		reflect.TypeFor[bool]():          parseBool,
		reflect.TypeFor[uint]():          parseCount,
		reflect.TypeFor[int]():           parseWhole,
	}}
	for _, s := range settings(c) {
		value, ok := set[s.name]
		if !ok {
			continue
		}
		if s.value.Kind() == reflect.Slice {
			value = tidyList(value)
		}
		opts.Environment = map[string]string{s.name: value}
		if err := env.ParseWithOptions(c, opts); err != nil {
			return egress.Invalidf(s.name, "%s", plainly(err, value))
		}
	}
	return nil
}

func parseDuration(s string) (any, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil, fmt.Errorf(`want a duration such as "3h", got %q`, s)
	}
	return d, nil
}

func parseCount(s string) (any, error) {
	n, err := strconv.ParseUint(s, 10, 0)
	if err != nil {
		return nil, fmt.Errorf("want a whole number, 0 or more, got %q", s)
	}
	return uint(n), nil
}

func parseWhole(s string) (any, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil, fmt.Errorf("want a whole number, got %q", s)
	}
	return n, nil
}

func parseBool(s string) (any, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return nil, fmt.Errorf("want true or false, got %q", s)
	}
	return b, nil
}

// tidyList removes the spaces around a list's elements, and empty elements, such as a trailing
// comma leaves. In a file, elements may be on separate lines.
func tidyList(s string) string {
	var list []string
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == '\n' }) {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return strings.Join(list, ",")
}

// plainly returns the innermost message of a caarlos0/env error about a value, without its own
// words about fields and types.
func plainly(err error, value string) string {
	var all env.AggregateError
	if errors.As(err, &all) && len(all.Errors) > 0 {
		err = all.Errors[0]
	}
	if p, ok := errors.AsType[env.ParseError](err); ok {
		err = p.Err
	}
	if strings.HasPrefix(err.Error(), "slog: ") {
		return fmt.Sprintf("want debug, info, warn or error, got %q", value)
	}
	return err.Error()
}
