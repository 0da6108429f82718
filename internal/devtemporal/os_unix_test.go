//go:build unix

package devtemporal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestARootsServerRunsAsNobodyAndMayUseItsFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root has rights to give away")
	}
	nobody, err := unprivileged("no-such-user", "nobody")
	must(t, err)
	folder, err := os.MkdirTemp("", "reelkeeper-owner-") //nolint:usetesting // t.TempDir is within a folder that is closed to others
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(folder)) })
	must(t, nobody.give(folder))
	command := exec.CommandContext(t.Context(), "sh", "-c", "id -un; : >mine")
	command.Dir = folder
	nobody.lend(command)
	out, err := command.CombinedOutput()
	must(t, err)
	if who := strings.TrimSpace(string(out)); who != "nobody" {
		t.Errorf("it runs as %s", who)
	}
	if !exists(filepath.Join(folder, "mine")) {
		t.Error("it could not write")
	}
	_, err = unprivileged("no-such-user")
	contains(t, err, "no-such-user")
}

func TestOurOwnRightsAreLentToNobody(t *testing.T) {
	t.Parallel()
	var ours *owner
	command := exec.CommandContext(t.Context(), "true")
	ours.lend(command)
	if command.SysProcAttr != nil {
		t.Errorf("got %+v", command.SysProcAttr)
	}
	must(t, ours.give("/no/such/file"))
}
