//go:build !unix

package devtemporal

import (
	"os"
	"os/exec"
	"syscall"
)

// childAttributes are the system's defaults.
func childAttributes() *syscall.SysProcAttr { return nil }

// terminate ends the process. There is no signal to ask it by.
func terminate(process *os.Process) error { return process.Kill() }

// tryLock always succeeds: two processes that build at the same time waste work, and the rename at
// the end of each build keeps the result whole.
func tryLock(*os.File) (bool, error) { return true, nil }

// owner is not known here: commands run with our rights.
type owner struct{}

func unprivileged(...string) (*owner, error) { return nil, nil }

func (o *owner) lend(*exec.Cmd) {}

func (o *owner) give(...string) error { return nil }
