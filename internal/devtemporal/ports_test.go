package devtemporal

import (
	"context"
	"testing"
)

func TestLastingPortsAreFreeDifferentAndNotOnesForConnections(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), portPatience)
	defer cancel()
	ports, err := LastingPorts(20)
	must(t, err)
	seen, taken := map[int]bool{}, 0
	for _, port := range ports {
		if port < firstLasting || port > lastLasting || seen[port] {
			t.Errorf("port %d is of another range, or given twice", port)
		}
		seen[port] = true
		// A child that another test begins just now has our listeners until it runs its program.
		if poll(ctx, func() error { return checkFree("127.0.0.1", port) }) != nil {
			taken++
		}
	}
	if taken > 1 { // one may have gone to another test's server meanwhile
		t.Errorf("%d of them are not free", taken)
	}
	if len(ports) != 20 {
		t.Errorf("got %d ports", len(ports))
	}
}
