//go:build !unix

package devtemporal

import (
	"net"
	"strconv"
)

// reserve reports whether a loopback port is free. Another process may take it before its server
// does.
func reserve(port int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return listener.Close()
}
