//go:build !unix

package devtemporal

import (
	"os"
	"os/exec"
	"syscall"
)

// childAttributes are the system's defaults.
func childAttributes() *syscall.SysProcAttr { return nil }

// terminate kills the process: this system has no signal that asks it to end.
func terminate(process *os.Process) error { return process.Kill() }

// tryLock always succeeds: two processes that build at the same time waste work, but the rename at
// the end of each build keeps the result complete.
func tryLock(*os.File) (bool, error) { return true, nil }

// owner is unknown on this system: commands run with our rights.
type owner struct{}

func unprivileged(...string) (*owner, error) { return nil, nil }

func (o *owner) lend(*exec.Cmd) {}

func (o *owner) give(...string) error { return nil }
