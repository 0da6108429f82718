//go:build unix && !linux

package devtemporal

import "syscall"

// childAttributes put the child in its own process group, out of reach of the terminal's Ctrl-C.
// This system has no parent-death signal: after a kill -9 of this process the server stays, and so
// do its port, which the next Start names, and its locks on the files of Options.Hold.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
