package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/needs"
)

// nodeAgent runs node/agent.mjs.
func nodeAgent(t *testing.T, url string) report {
	t.Helper()
	return read(t, runNode(t, "agent.mjs", url, "agent"))
}

// runNode runs a script with LiveKit's Node SDK, and returns its output.
func runNode(t *testing.T, script, url string, args ...string) string {
	t.Helper()
	modules := needs.NodeModules(t, "node")
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

// runCommand runs a program as an agent of LiveKit at a URL, and returns its output.
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
