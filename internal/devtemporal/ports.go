package devtemporal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// portPatience is how long a port may stay busy: long enough for the child of a process just
	// killed to be gone, and too short to look like a hang.
	portPatience = 2 * time.Second
	pollInterval = 25 * time.Millisecond
)

const (
	// firstLasting and lastLasting are below the ports that Linux gives to connections (from 32768 on),
	// one of which could take the port of a server that is down.
	firstLasting, lastLasting = 10000, 32767
	// portTries is how many ports are tried for each one needed.
	portTries = 100
)

// given holds the ports drawn here, for systems that reserve none: their server may not have bound
// them yet, or may be down.
var given sync.Map

// LastingPorts returns n different loopback ports on which nothing listens, for servers that begin
// later, or end and come back. It never returns one twice. On Linux this process reserves them for
// its life: no other process that calls LastingPorts gets them, even while their servers are down.
func LastingPorts(n int) ([]int, error) {
	var ports []int
	var err error
	for range n * portTries {
		port := firstLasting + rand.IntN(lastLasting-firstLasting+1)
		if _, before := given.LoadOrStore(port, true); before {
			continue
		}
		if err = reserve(port); err != nil {
			continue
		}
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}

// awaitFreePorts makes sure that whatever answers on our ports later is our child, and not a server
// that was there before.
func awaitFreePorts(ctx context.Context, opts Options) error {
	ctx, cancel := context.WithTimeout(ctx, portPatience)
	defer cancel()
	ports := []int{opts.Port}
	if !opts.Headless {
		ports = append(ports, opts.UIPort)
	}
	for _, port := range ports {
		if err := poll(ctx, func() error { return checkFree(opts.IP, port) }); err != nil {
			return err
		}
	}
	return nil
}

func checkFree(ip string, port int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d on %s is in use: stop what holds it, or choose another", port, ip)
	}
	if err != nil {
		return fmt.Errorf("listen for Temporal: %w", err)
	}
	return listener.Close()
}

// poll retries until it succeeds or ctx ends, and then returns the last error.
func poll(ctx context.Context, try func() error) error { return pollEvery(ctx, pollInterval, try) }

func pollEvery(ctx context.Context, interval time.Duration, try func() error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}
