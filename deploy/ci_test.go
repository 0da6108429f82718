package deploy_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ciRun runs a piece of a script with what .ci/run has before its first step.
func ciRun(t *testing.T, piece string, environ ...string) (string, error) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip(".ci/run is for Linux")
	}
	before, _, found := strings.Cut(read(t, ".ci/run"), "\nneeded '")
	require.True(t, found)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", before+"\n"+piece, "../.ci/run")
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestCITestsAndScansWithTheGoOfARelease(t *testing.T) {
	t.Parallel()
	out, err := ciRun(t, "go env GOTOOLCHAIN", "GOTOOLCHAIN=local")
	require.NoError(t, err, out)
	assert.Contains(t, read(t, "release.sh"), " GOTOOLCHAIN="+strings.TrimSpace(out)+" ")
}
