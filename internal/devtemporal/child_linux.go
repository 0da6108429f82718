package devtemporal

import "syscall"

// childAttributes put the child in its own process group, out of reach of the terminal's Ctrl-C, and
// make the kernel kill it when this process dies. The signal is SIGKILL, not SIGTERM, so that the
// port and the file are free for the next start; what was acknowledged is in the file.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
