//go:build unix

package devtemporal

import (
	"errors"
	"runtime"
	"syscall"
)

// reserve takes a loopback port for the life of this process, on Linux without blocking a server that
// listens there: servers listen with SO_REUSEADDR, while reserve, bound without it, fails for a port
// that is listened on or reserved. Elsewhere the port is free again at once.
func reserve(port int) error {
	syscall.ForkLock.RLock() // a child started meanwhile would keep the port
	defer syscall.ForkLock.RUnlock()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	syscall.CloseOnExec(socket)
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}); err != nil {
		return errors.Join(err, syscall.Close(socket))
	}
	if runtime.GOOS != "linux" {
		return syscall.Close(socket)
	}
	return syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
}
