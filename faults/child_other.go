//go:build unix && !linux

package main

import "syscall"

// childAttributes keep a child from the terminal's Ctrl-C. This system has no parent-death signal:
// if we are killed with kill -9, the children stay, and hold their ports.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
