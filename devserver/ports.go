package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// checkPorts fails on the first port that another process holds, before anything is started: the
// server itself would end with a stack.
func (o *options) checkPorts() error {
	if err := checkPort(o.ip, o.port, "port"); err != nil {
		return err
	}
	if !o.headless {
		if err := checkPort(o.uiIP, o.uiPort, "ui-port"); err != nil {
			return err
		}
	}
	if err := checkPort(o.ip, o.httpPort, "http-port"); err != nil {
		return err
	}
	return checkPort(o.ip, o.metricsPort, "metrics-port")
}

// checkPort fails if port can't be listened on. Port 0 means that the user named none.
func checkPort(ip string, port int, flagName string) error {
	if port == 0 {
		return nil
	}
	listener, err := net.Listen("tcp", hostPort(ip, port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d on %s is in use: stop what holds it, or choose another with --%s", port, ip, flagName)
	}
	if err != nil {
		return fmt.Errorf("can't serve on the address of --%s: %w", flagName, err)
	}
	return listener.Close()
}

const (
	// firstFree and lastFree are where free ports are looked for: below those that Linux gives to
	// connections (from 32768 on), one of which could take a port before the server does.
	firstFree, lastFree = 10000, 32767
	// freeTries is how many ports are tried for each that is wanted.
	freeTries = 100
)

// freePorts returns n different loopback ports that nothing listens on. On Linux they are kept for
// this process, against others that look for ports until the services of this one listen there.
func freePorts(n int) ([]int, error) {
	var ports []int
	var err error
	for range n * freeTries {
		port := firstFree + rand.IntN(lastFree-firstFree+1)
		if err = reserve(port); err != nil {
			continue
		}
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}

func hostPort(ip string, port int) string {
	return net.JoinHostPort(ip, strconv.Itoa(port))
}

// reachable is the address to call for a listener on ip: one on all interfaces is called on loopback.
func reachable(ip string, port int) string {
	switch {
	case ip == "::":
		return hostPort("::1", port)
	case net.ParseIP(ip).IsUnspecified():
		return hostPort(loopback, port)
	default:
		return hostPort(ip, port)
	}
}
