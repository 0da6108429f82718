package devtemporal

import (
	"net"
	"strconv"
	"testing"
)

func TestLastingPortsAreFreeDifferentAndNotOnesForConnections(t *testing.T) {
	t.Parallel()
	ports, err := LastingPorts(20)
	must(t, err)
	seen := map[int]bool{}
	for _, port := range ports {
		if port < firstLasting || port > lastLasting || seen[port] {
			t.Errorf("port %d is of another range, or given twice", port)
		}
		seen[port] = true
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		must(t, err)
		must(t, listener.Close())
	}
	if len(ports) != 20 {
		t.Errorf("got %d ports", len(ports))
	}
}
