package main

import "syscall"

// childAttributes put a child out of reach of the terminal's Ctrl-C, and let it die
// with us, however we end: its port must be free for who resumes the run.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
