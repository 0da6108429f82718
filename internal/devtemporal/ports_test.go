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
	seen, taken := map[int]bool{}, 0
	for _, port := range ports {
		if port < firstLasting || port > lastLasting || seen[port] {
			t.Errorf("port %d is of another range, or given twice", port)
		}
		seen[port] = true
		if listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
			taken++
		} else {
			must(t, listener.Close())
		}
	}
	if taken > 1 { // one may have gone to another test's server meanwhile
		t.Errorf("%d of them are not free", taken)
	}
	if len(ports) != 20 {
		t.Errorf("got %d ports", len(ports))
	}
}
