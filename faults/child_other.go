//go:build unix && !linux

package main

import "syscall"

// childAttributes put a child out of reach of the terminal's Ctrl-C. This system has no
// parent-death signal: after a kill -9 of ours its children stay, and hold their ports.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
