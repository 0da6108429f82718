package devtemporal

import (
	"net"
	"runtime"
	"strconv"
	"testing"
)

func TestLastingPortsAreDifferentAndNotOnesForConnections(t *testing.T) {
	t.Parallel()
	ports, err := LastingPorts(20)
	must(t, err)
	seen := map[int]bool{}
	for _, port := range ports {
		if port < firstLasting || port > lastLasting || seen[port] {
			t.Errorf("port %d is of another range, or given twice", port)
		}
		seen[port] = true
	}
	if len(ports) != 20 {
		t.Errorf("got %d ports", len(ports))
	}
}

func TestALastingPortIsItsServersAlsoWhileThatIsAway(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux keeps a port for a server that does not listen yet")
	}
	ports, err := LastingPorts(1)
	must(t, err)
	for range 2 { // it begins, ends, and comes back
		if reserve(ports[0]) == nil {
			t.Fatal("the port of a server that is away was given once more")
		}
		var server net.Listener
		// A child that another test is just starting holds the previous listener until it runs its
		// program.
		must(t, poll(t.Context(), func() error {
			server, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])))
			return err
		}))
		if reserve(ports[0]) == nil {
			t.Fatal("a port that is listened on was given")
		}
		must(t, server.Close())
	}
}
