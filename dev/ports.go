package main

import (
	"fmt"
	"net"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

// The default ports: the starter's own, and the usual ones of LiveKit, Temporal and its UI. Admin
// is next to the starter's.
var defaultPorts = ports{starter: 7980, admin: 7981, livekit: 7880, temporal: 7233, ui: 8233}

// ports are the ports of an instance.
type ports struct{ starter, admin, livekit, temporal, ui int }

// String lists the ports in the order in which --port-base assigns them.
func (p ports) String() string {
	return fmt.Sprintf("%d, %d, %d, %d, %d", p.starter, p.admin, p.livekit, p.temporal, p.ui)
}

func portsFrom(base int, set bool) (ports, error) {
	switch {
	case !set:
		return defaultPorts, nil
	case base < 1024 || base > 65535-4:
		return ports{}, egress.Invalidf("--port-base", "want a port from 1024 to %d, got %d", 65535-4, base)
	}
	return ports{starter: base, admin: base + 1, livekit: base + 2, temporal: base + 3, ui: base + 4}, nil
}

// freePorts returns ports that are not in use.
func freePorts() (ports, error) {
	p, err := devtemporal.LastingPorts(5)
	if err != nil {
		return ports{}, err
	}
	return ports{starter: p[0], admin: p[1], livekit: p[2], temporal: p[3], ui: p[4]}, nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func loopbackURL(port int) string { return "http://" + loopback(port) }

// listen binds one port, and names it in the error if it is taken.
func listen(what string, port int) (net.Listener, error) {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return nil, egress.Invalidf(what, "port %d is taken; --port-base moves all ports (%v)", port, err)
	}
	return l, nil
}

// check reports whether a port is taken, before anything is started.
func check(what string, port int) error {
	l, err := listen(what, port)
	if err != nil {
		return err
	}
	return l.Close()
}

// checkTemporal suggests something better than another port: on one, a second Temporal would run
// beside the existing one.
func checkTemporal(port int) error {
	if check("Temporal", port) == nil {
		return nil
	}
	return egress.Invalidf("Temporal", "port %[1]d is taken. If by a Temporal of yours, TEMPORAL_ADDRESS=%[2]s uses it. "+
		"If by that of a dev that was killed, lsof -nP -iTCP:%[1]d -sTCP:LISTEN finds it. Otherwise --port-base moves all ports", port, loopback(port))
}
