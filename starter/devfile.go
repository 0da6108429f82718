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

	"github.com/reelkeeper/reelkeeper/egress"
)

// devFile is where a development instance says how to reach it.
var devFile = filepath.Join(".reelkeeper", "dev.json")

// devInstance is what we read of it, as `go run ./dev --json` prints it.
type devInstance struct {
	Starter   string `json:"starter"`
	LiveKit   string `json:"livekit"`
	APIKey    string `json:"api_key"`
	APISecret string `json:"api_secret"`
	Temporal  string `json:"temporal"`
	Namespace string `json:"namespace"`
	UI        string `json:"ui"` // of a Temporal of its own
}

// naming are the variables that name a LiveKit's keys or a Temporal. Secrets among them may
// be in files.
var naming = []string{"LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_KEYS", "TEMPORAL_ADDRESS", "TEMPORAL_API_KEY", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"}

// environment is the process's own, or, when that names neither LiveKit's keys nor
// a Temporal, the one of the development instance that runs here, which is said.
func (d deps) environment() (map[string]string, error) {
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
	environ := map[string]string{}
	maps.Copy(environ, d.environ)
	maps.Copy(environ, map[string]string{
		"LIVEKIT_URL": i.LiveKit, "LIVEKIT_API_KEY": i.APIKey, "LIVEKIT_API_SECRET": i.APISecret,
		"REELKEEPER_PUBLIC_URL": i.Starter, "TEMPORAL_ADDRESS": i.Temporal, "TEMPORAL_NAMESPACE": i.Namespace,
	})
	if i.UI != "" {
		environ["TEMPORAL_CONFIG_FILE"] = os.DevNull // a profile is of another Temporal
	}
	return environ, nil
}

// findDev looks for the file in a folder and those above it. No file is no error. One of
// another user is none: who follows it sends requests, with their keys, to where it says.
func findDev(dir string) (string, devInstance, error) {
	for dir != "" {
		path := filepath.Join(dir, devFile)
		b, err := readOwn(path)
		switch {
		case err == nil:
			var i devInstance
			if err := json.Unmarshal(b, &i); err != nil {
				return "", i, egress.Invalidf(path, "is no JSON as `go run ./dev` writes it: %s", err)
			}
			return path, i, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", devInstance{}, fmt.Errorf("look for a development instance: %w", err)
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return "", devInstance{}, nil
}

// readOwn reads a file of this user's. Another's does not exist, nor what is no file.
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
