//go:build unix && !linux

package devtemporal

import "syscall"

// childAttributes put the child in a process group of its own, out of reach of the terminal's
// Ctrl-C. This system has no parent-death signal: after a kill -9 of this process the server stays,
// and so do its port, which the next Start names, and the locks on what Options.Hold has.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
