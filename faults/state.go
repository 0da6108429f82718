package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

// Files in the folder of a run, beside the logs. Secrets are searched for only in the folder
// searched: what is outside belongs to LiveKit or the agents.
const (
	scenarioFile = "scenario.yaml"
	pipelineFile = "pipelines.yaml"
	runFile      = "run.json"
	lockFile     = "lock"
	searched     = "ours"
	mediaFolder  = "media" // of the store
)

// What else has a port, besides the parts.
const (
	theConsumer = "consumer"
	theFront    = "front" // of the doors
)

// nth names one of the doors or workers. The first is 1.
func nth(part string, n int) string { return fmt.Sprintf("%s-%d", part, n) }

// admin names the port for probes of a door or a worker.
func admin(name string) string { return "admin of " + name }

// state is what an interrupted run needs to continue: everything else is in the logs.
type state struct {
	dir  string
	lock *os.File

	Seed  uint64         `json:"seed"`
	Lives int            `json:"lives"` // instead of the scenario's; 0: the scenario's
	Ports map[string]int `json:"ports"`
}

// newState begins a run in a folder, which must be empty.
func newState(dir string, scenario []byte, seed uint64, lives int) (*state, error) {
	sc, err := parseScenario(scenario)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, egress.Invalidf("--state", "%s is not empty; --resume goes on with a run", dir)
	}
	for _, folder := range []string{searched, mediaFolder} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return nil, egress.Invalidf("--state", "%v", err)
		}
	}
	names := []string{partLiveKit, partTemporal, partStore, theConsumer, theFront}
	for _, name := range slices.Concat(sc.each(partDoor), sc.each(partWorker)) {
		names = append(names, name, admin(name))
	}
	ports, err := namedPorts(names...)
	if err != nil {
		return nil, err
	}
	s := &state{dir: dir, Seed: seed, Lives: lives, Ports: ports}
	for name, text := range map[string][]byte{scenarioFile: scenario, pipelineFile: []byte(pipelines)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return s, errors.Join(os.WriteFile(filepath.Join(dir, runFile), b, 0o600), s.hold("--state"))
}

// oldState opens the run in the folder that a flag names.
func oldState(flag, dir string) (*state, error) {
	b, err := os.ReadFile(filepath.Join(dir, runFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, egress.Invalidf(flag, "%s holds no run", dir)
	}
	if err != nil {
		return nil, err
	}
	s := &state{dir: dir}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("%s: %w", runFile, err)
	}
	return s, s.hold(flag)
}

// scenario reads the scenario of the run.
func (s *state) scenario() (scenario, error) {
	sc, _, err := readScenario(s.path(scenarioFile))
	sc.Lives = cmp.Or(s.Lives, sc.Lives)
	return sc, err
}

// hold locks the folder. The lock ends with the process, however that ends.
func (s *state) hold(flag string) error {
	f, err := os.OpenFile(s.path(lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(egress.Invalidf(flag, "%s is in use by another run", s.dir), f.Close())
	}
	s.lock = f
	return nil
}

func (s *state) close() error { return s.lock.Close() }

func (s *state) path(name string) string { return filepath.Join(s.dir, name) }

// ours returns the path of a file that may hold no secret.
func (s *state) ours(name string) string { return filepath.Join(s.dir, searched, name) }

func (s *state) addr(part string) string { return fmt.Sprintf("127.0.0.1:%d", s.Ports[part]) }

func (s *state) addrs(parts []string) (all []string) {
	for _, p := range parts {
		all = append(all, s.addr(p))
	}
	return all
}

func (s *state) url(part string) string { return "http://" + s.addr(part) }

// namedPorts finds a port for each name. The ports stay the same when a run continues, since
// requests and workflows hold URLs with them.
func namedPorts(names ...string) (map[string]int, error) {
	ports, err := devtemporal.LastingPorts(len(names))
	if err != nil {
		return nil, err
	}
	named := map[string]int{}
	for i, name := range names {
		named[name] = ports[i]
	}
	return named, nil
}
