// Package needs provides what tests need from the machine that runs them. A test that cannot have
// it is skipped and says so; in CI, where the variable CI is set, it fails.
package needs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// npmTimeout bounds all tries of one npm ci, on a machine with an empty cache.
	npmTimeout = 6 * time.Minute
	// npmTries is how often it is tried: npm itself repeats requests, but not one that is cut in the middle.
	npmTries = 3
)

// Tools requires programs on the PATH.
func Tools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil && os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		} else if err != nil {
			t.Skipf("%s is not installed, and nothing is tested here without it", name)
		}
	}
}

// one lets one test fetch at a time, so that tests of one process do not fetch the same twice.
var one sync.Mutex

// NodeModules returns the folder node_modules with what a project's package-lock.json pins: the one
// beside it if somebody ran npm there, else one in the user's cache, which the first test to need
// it fills with npm.
func NodeModules(t *testing.T, project string) string {
	t.Helper()
	Tools(t, "node", "npm")
	one.Lock()
	defer one.Unlock()
	dir, err := nodeModules(project)
	require.NoError(t, err)
	return dir
}

func nodeModules(project string) (string, error) {
	if own, err := filepath.Abs(filepath.Join(project, "node_modules")); err == nil && exists(own) {
		return own, nil
	}
	files := map[string][]byte{}
	sum := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		b, err := os.ReadFile(filepath.Join(project, name))
		if err != nil {
			return "", err
		}
		files[name] = b
		sum.Write(b)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "reelkeeper", "node-"+hex.EncodeToString(sum.Sum(nil))[:16])
	modules := filepath.Join(dir, "node_modules")
	if exists(modules) {
		return modules, nil
	}
	return modules, install(dir, files)
}

// install fills a folder with npm.
func install(dir string, files map[string][]byte) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), npmTimeout)
	defer cancel()
	for range npmTries {
		if err = fill(ctx, dir, files); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// fill tries it once. The folder appears only once it is complete.
func fill(ctx context.Context, dir string, files map[string][]byte) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(dir), "unfinished-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(unfinished) }() // it is in a cache
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(unfinished, name), b, 0o600); err != nil {
			return err
		}
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=5")
	npm.Dir = unfinished
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	if err := os.Rename(unfinished, dir); err != nil && !exists(dir) { // another run may have been faster
		return err
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
