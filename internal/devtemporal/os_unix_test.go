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

// This keeps another server from using the same state, if this one outlives the process that
// started it.
func TestAServerHoldsALockForAsLongAsItLives(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	lock := func() (*os.File, bool) {
		file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		must(t, err)
		locked, err := tryLock(file)
		must(t, err)
		return file, locked
	}
	ours, _ := lock()
	log := make(firstWrite, 1)
	s := newServer(Options{Path: fake("hangs"), IP: "127.0.0.1", Log: log, Hold: []*os.File{ours}})
	must(t, s.spawn())
	t.Cleanup(s.Kill)
	<-log
	must(t, ours.Close())
	another, locked := lock()
	must(t, another.Close())
	if locked {
		t.Error("the lock went before the server")
	}
	s.Kill()
	another, locked = lock()
	must(t, another.Close())
	if !locked {
		t.Error("the lock outlived the server")
	}
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
