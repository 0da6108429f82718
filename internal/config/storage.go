package config

import (
	"slices"
	"strings"

	"github.com/reelkeeper/reelkeeper/egress"
)

// The values of REELKEEPER_PREFLIGHT.
const (
	PreflightNew    = "new"
	PreflightAlways = "always"
	PreflightOff    = "off"
)

// Storage says where media goes, and whether to test that before a start.
type Storage struct {
	File      string `env:"REELKEEPER_STORAGE" doc:"Path of the YAML file of storage profiles, with which callers need no credentials of a store; the same for starter and worker. Unset: there are none."`
	Preflight string `env:"REELKEEPER_PREFLIGHT" doc:"When to try the storage of a recording before its start: new (only if this worker has not tried it lately), always, or off."`
}

func (s Storage) validate() error {
	if all := []string{PreflightNew, PreflightAlways, PreflightOff}; !slices.Contains(all, s.Preflight) {
		return egress.Invalidf("REELKEEPER_PREFLIGHT", "want %s, got %q", strings.Join(all, ", "), s.Preflight)
	}
	return nil
}
