package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/needs"
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

func TestCIFindsAVulnerabilityWhicheverDownloadFails(t *testing.T) {
	t.Parallel()
	const found, cut = "exit 3", "echo 'fetching vulnerabilities: EOF'; exit 1"
	for name, tc := range map[string]struct {
		root, devserver, livekit string
		want                     string
	}{
		"none":                              {"", "", "", "ok      known vulnerabilities"},
		"one, before a download that fails": {found, cut, "", "FAILED  known vulnerabilities"},
		"one, after a download that fails":  {"", cut, found, "FAILED  known vulnerabilities"},
		"one, and another module is clean":  {"", found, "", "FAILED  known vulnerabilities"},
		"a download fails":                  {"", cut, "", "skipped known vulnerabilities"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			needs.Executable(t, filepath.Join(bin, "curl"), "#!/bin/sh\n")
			needs.Executable(t, filepath.Join(bin, "govulncheck"), "#!/bin/sh\necho \"scans $PWD with GOTOOLCHAIN=$GOTOOLCHAIN \"\ncase $PWD in\n"+
				"*/devserver) "+tc.devserver+" ;;\n*/e2e/livekit) "+tc.livekit+" ;;\n*) "+tc.root+" ;;\nesac\n")
			out, err := ciRun(t, `bin=${PATH%%:*}; step 'known vulnerabilities' check_vulnerabilities; finish`,
				"PATH="+bin+":"+os.Getenv("PATH"))
			assert.Contains(t, out, "\n"+tc.want)
			assert.Equal(t, strings.HasPrefix(tc.want, "FAILED"), err != nil, out)
			assert.Equal(t, 3, strings.Count(out, "scans "), "all are shown")
			_, with, _ := strings.Cut(out, " with ")
			with, _, _ = strings.Cut(with, "\n")
			assert.Contains(t, read(t, "release.sh"), " "+with, "the Go of a release")
		})
	}
}
