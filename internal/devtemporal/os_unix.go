//go:build unix

package devtemporal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// terminate asks the process to end.
func terminate(process *os.Process) error {
	return process.Signal(syscall.SIGTERM)
}

// tryLock takes an exclusive lock on an open file. It returns false if another process has it. The
// kernel releases the lock when the file is closed or the process dies.
func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// owner is the user with whose rights a command runs: nil means ours.
type owner syscall.Credential

// unprivileged returns the first of the users that exists, for a server that does not run as root. It
// returns nil if we are not root.
func unprivileged(users ...string) (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range users {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		return &owner{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("none of the users %v exists", users)
}

// lend makes the command run with the owner's rights.
func (o *owner) lend(command *exec.Cmd) {
	if o == nil {
		return
	}
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Credential = (*syscall.Credential)(o)
}

// give makes the owner own the files.
func (o *owner) give(files ...string) error {
	if o == nil {
		return nil
	}
	for _, file := range files {
		if err := os.Chown(file, int(o.Uid), int(o.Gid)); err != nil {
			return err
		}
	}
	return nil
}
