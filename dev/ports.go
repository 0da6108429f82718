package main

import (
	"fmt"
	"net"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

// The default ports: the starter's own, and LiveKit's, Temporal's and its UI's
// usual ones. Admin is next to the starter's.
var defaultPorts = ports{starter: 7980, admin: 7981, livekit: 7880, temporal: 7233, ui: 8233}

// ports are where an instance listens.
type ports struct{ starter, admin, livekit, temporal, ui int }

// String is in the order in which --port-base moves them.
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

// freePorts are ports that nobody has.
func freePorts() (ports, error) {
	p, err := devtemporal.LastingPorts(5)
	if err != nil {
		return ports{}, err
	}
	return ports{starter: p[0], admin: p[1], livekit: p[2], temporal: p[3], ui: p[4]}, nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func loopbackURL(port int) string { return "http://" + loopback(port) }

// listen binds one port, naming it when it is taken.
func listen(what string, port int) (net.Listener, error) {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return nil, egress.Invalidf(what, "port %d is taken; --port-base moves all ports (%v)", port, err)
	}
	return l, nil
}

// check finds out before anything is started whether a port is taken.
func check(what string, port int) error {
	l, err := listen(what, port)
	if err != nil {
		return err
	}
	return l.Close()
}

// checkTemporal says of its port what else to do than to move it: with another port, a second Temporal would
// be run where one does.
func checkTemporal(port int) error {
	if check("Temporal", port) == nil {
		return nil
	}
	return egress.Invalidf("Temporal", "port %[1]d is taken. By a Temporal of yours? TEMPORAL_ADDRESS=%[2]s uses it. "+
		"By that of a dev that was killed? lsof -nP -iTCP:%[1]d -sTCP:LISTEN finds it. Else --port-base moves all ports", port, loopback(port))
}
