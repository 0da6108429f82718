package e2e

import (
	"bytes"
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

	"github.com/stretchr/testify/require"
)

// nodeAgent is node/agent.mjs.
func nodeAgent(t *testing.T, url string) report {
	t.Helper()
	return read(t, runNode(t, "agent.mjs", url, "agent"))
}

// runNode runs a script beside LiveKit's Node SDK, and returns what it printed.
func runNode(t *testing.T, script, url string, args ...string) string {
	t.Helper()
	modules := nodeModules(t)
	source, err := os.ReadFile(filepath.Join("node", script))
	if filepath.IsAbs(script) {
		source, err = os.ReadFile(script)
	}
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	file := filepath.Join(dir, filepath.Base(script))
	require.NoError(t, os.WriteFile(file, source, 0o600))
	return runCommand(t, dir, url, "node", append([]string{file}, args...)...)
}

// runCommand runs a program as an agent of LiveKit at a URL, and returns what it printed.
func runCommand(t *testing.T, dir, url, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LIVEKIT_URL="+url, "LIVEKIT_API_KEY="+apiKey, "LIVEKIT_API_SECRET="+apiSecret)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	require.NoError(t, cmd.Run(), "%s\n%s", &out, &stderr)
	return out.String()
}

// nodeModules is the folder with LiveKit's Node SDK, as node/package-lock.json pins
// it: the one in the source tree where somebody ran npm there, else one in the
// user's cache, which the first test to need it fills by npm.
func nodeModules(t *testing.T) string {
	t.Helper()
	needs(t, "node", "npm")
	dir, err := installNode()
	require.NoError(t, err)
	return dir
}

// needs skips a test that cannot do without a tool. In CI the tool must be there.
func needs(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", tool)
		} else if err != nil {
			t.Skipf("%s is not installed, and nothing is tested here without it", tool)
		}
	}
}

var installNode = sync.OnceValues(func() (string, error) { return npmModules("node") })

// npmModules is the folder with what a package-lock.json pins, as nodeModules says.
func npmModules(project string) (string, error) {
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
	if modules := filepath.Join(dir, "node_modules"); exists(modules) {
		return modules, nil
	}
	return filepath.Join(dir, "node_modules"), install(dir, files)
}

// install lets npm fill a folder, which appears only when it is complete.
func install(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(dir), "unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(unfinished, name), b, 0o600); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*limit)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund")
	npm.Dir = unfinished
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	if err := os.Rename(unfinished, dir); err != nil && !exists(dir) { // another run may have been quicker
		return err
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
