package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// What REELKEEPER_PREFLIGHT can be.
const (
	PreflightNew    = "new"
	PreflightAlways = "always"
	PreflightOff    = "off"
)

// Storage is where media goes, and whether that is tried before a start.
type Storage struct {
	File      string `env:"REELKEEPER_STORAGE" doc:"YAML file of storage profiles, so that who asks for a recording needs no credentials of a store; the same for starter and worker. Unset: there are none."`
	Preflight string `env:"REELKEEPER_PREFLIGHT" doc:"Which starts are preceded by a try of their storage: new (those to one that this worker has not tried lately), always, or off."`
}

// Profiles are the storage profiles in the file of REELKEEPER_STORAGE, whose values may
// name variables of the environment and files. Without such a file there are none. Every
// error is of reason Invalid, names REELKEEPER_STORAGE, and says file, line and field;
// none shows a value.
func (s Storage) Profiles(environ map[string]string) (egress.Profiles, error) {
	if s.File == "" {
		return egress.Profiles{}, nil
	}
	b, err := os.ReadFile(s.File)
	if err != nil {
		return egress.Profiles{}, egress.Invalidf(nameStorage, "%s", err)
	}
	p, err := readProfiles(b, environ)
	if err != nil {
		return egress.Profiles{}, egress.Invalidf(nameStorage, "%s:%s", s.File, err)
	}
	return p, nil
}

const nameStorage = "REELKEEPER_STORAGE"

func (s Storage) validate() error {
	if all := []string{PreflightNew, PreflightAlways, PreflightOff}; !slices.Contains(all, s.Preflight) {
		return egress.Invalidf("REELKEEPER_PREFLIGHT", "want %s, got %q", strings.Join(all, ", "), s.Preflight)
	}
	return nil
}

// providers are the four stores as the file spells them, with LiveKit's own spelling.
var providers = map[string]string{"s3": "s3", "gcp": "gcp", "azure": "azure", "ali_oss": "aliOSS"}

// at is a place in the file.
type at struct {
	line int
	path string
}

func (a at) errorf(format string, args ...any) error {
	return fmt.Errorf("%d: %s: %s", a.line, a.path, fmt.Sprintf(format, args...))
}

// readProfiles reads the file's two fields. Its errors begin with a line.
func readProfiles(b []byte, environ map[string]string) (egress.Profiles, error) {
	p := egress.Profiles{Named: map[string]*livekit.StorageConfig{}}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return p, fmt.Errorf("%d: is not YAML", lineOf(err))
	}
	if len(doc.Content) == 0 {
		return p, at{1, "profiles"}.errorf("is missing")
	}
	top, err := mapping(doc.Content[0], "", []string{"default", "profiles"})
	if err != nil {
		return p, err
	}
	for _, e := range top {
		switch e.key {
		case "default":
			p.Default, err = e.text(nil)
		case "profiles":
			err = e.profiles(p.Named, environ)
		}
		if err != nil {
			return p, err
		}
	}
	return p, checkProfiles(p, top)
}

// checkProfiles looks at the file as a whole.
func checkProfiles(p egress.Profiles, top []entry) error {
	if len(p.Named) == 0 {
		return at{1, "profiles"}.errorf("is missing, or empty")
	}
	if p.Default == "" || p.Named[p.Default] != nil {
		return nil
	}
	i := slices.IndexFunc(top, func(e entry) bool { return e.key == "default" })
	return top[i].errorf("names no profile: %q; want one of %s", p.Default, strings.Join(p.Names(), ", "))
}

var inYAML = regexp.MustCompile(`line (\d+)`)

// lineOf is the line of a YAML error, whose words may hold a value.
func lineOf(err error) int {
	if m := inYAML.FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return 1
}
