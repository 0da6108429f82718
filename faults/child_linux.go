package main

import "syscall"

// childAttributes keep a child from the terminal's Ctrl-C, and let it die with us, however we end:
// a resumed run needs its port.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
