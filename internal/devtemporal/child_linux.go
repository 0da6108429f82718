package devtemporal

import "syscall"

// childAttributes put the child in a process group of its own, out of reach of the terminal's
// Ctrl-C, and let the kernel kill it when this process dies. It is SIGKILL, not SIGTERM, so that the
// port and the file are free for whoever starts next; what was acknowledged is in the file.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
