package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// devFile is where a search looks in each folder.
var devFile = filepath.Join(app.DevState, app.DevFile)

// devInstance holds the settings of a development instance.
type devInstance map[string]string

// naming lists the variables that name a LiveKit's keys or a Temporal. The secrets among them may
// be in files.
var naming = []string{"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_KEYS", "TEMPORAL_ADDRESS", "TEMPORAL_API_KEY", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"}

// devFlag names an instance that a search from here does not find.
func devFlag() cli.Flag {
	return &cli.StringFlag{Name: "dev", Usage: "use the development instance with its state in `DIR`, even if the environment names another (default: the one running here, if the environment names none)"}
}

// environment returns the process's own environment or, if that names neither LiveKit's keys nor a
// Temporal, that of the development instance that runs here, and says so. An instance named by
// --dev takes precedence.
func (d deps) environment(c *cli.Command) (map[string]string, error) {
	if err := wantValues(c, "dev"); err != nil {
		return nil, err
	}
	if dir := c.String("dev"); dir != "" {
		i, err := readDev(filepath.Join(dir, app.DevFile))
		if errors.Is(err, fs.ErrNotExist) {
			err = egress.Invalidf("--dev", "no instance of yours runs with its state in %s; `go run ./dev --state %s` starts one", dir, app.ShellWord(dir))
		}
		if err != nil {
			return nil, err
		}
		return i.environment(d.environ), nil
	}
	for _, name := range naming {
		if d.environ[name] != "" || d.environ[name+"_FILE"] != "" {
			return d.environ, nil
		}
	}
	path, i, err := findDev(d.dir)
	if err != nil || path == "" {
		return d.environ, err
	}
	fmt.Fprintf(d.stderr, "using the development instance of %s\n", path)
	return i.environment(d.environ), nil
}

// environment returns the process's environment without any settings, which belong to another
// installation, and with the instance's own.
func (i devInstance) environment(own map[string]string) map[string]string {
	environ := maps.Clone(i)
	for name, value := range own {
		if !config.IsSetting(name) {
			environ[name] = value
		}
	}
	return environ
}

// findDev looks for the file in a folder and its parents. A missing file is no error. Another
// user's file counts as missing: whoever trusted it would send requests, with their keys, wherever
// it says.
func findDev(dir string) (string, devInstance, error) {
	for dir != "" {
		path := filepath.Join(dir, devFile)
		i, err := readDev(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return path, i, err
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return "", nil, nil
}

func readDev(path string) (i devInstance, err error) {
	b, err := readOwn(path)
	if err != nil {
		return i, fmt.Errorf("look for a development instance: %w", err)
	}
	if err := json.Unmarshal(b, &i); err != nil {
		return i, egress.Invalidf(path, "is not JSON as `go run ./dev` writes it: %s", err)
	}
	if i["TEMPORAL_ADDRESS"] == "" {
		return i, egress.Invalidf(path, "names no TEMPORAL_ADDRESS: another version of `go run ./dev` left it behind; start dev again to rewrite it")
	}
	return i, nil
}

// readOwn reads a file of this user. Another user's file, or anything that is not a regular file,
// counts as missing.
func readOwn(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrPermission) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() || !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	return os.ReadFile(path)
}
