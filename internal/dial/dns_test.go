package dial

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// names is a DNS server that gives the same answers to every question for IPv4, and none to others.
// Each call of the resolver gets the next set of answers; the last one stays.
type names struct {
	answers [][]netip.Addr
	asked   atomic.Int32
}

// resolver returns a resolver that asks it, over a packet connection of its own.
func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go n.serve(l)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", l.LocalAddr().String())
	}}
}

func (n *names) serve(l net.PacketConn) {
	b := make([]byte, 512)
	for {
		size, from, err := l.ReadFrom(b)
		if err != nil {
			return // closed: the test is over
		}
		_, _ = l.WriteTo(n.answer(b[:size]), from)
	}
}

// answer repeats the one question of a message, followed by the answers.
func (n *names) answer(question []byte) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // the root, type and class
	reply := append([]byte(nil), question[:end]...)
	copy(reply[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	if question[end-3] != 1 { // not a question for an A record
		return reply
	}
	answers := n.answers[min(int(n.asked.Add(1)), len(n.answers))-1]
	reply[7] = byte(len(answers))
	for _, a := range answers {
		ip := a.As4()
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, ip[:]...)
	}
	return reply
}

func TestTheNameServerOfTheseTestsAnswersInTurn(t *testing.T) {
	t.Parallel()
	r := (&names{answers: [][]netip.Addr{addresses("10.0.0.1", "10.0.0.2"), addresses("10.0.0.3")}}).resolver(t)
	for _, want := range [][]netip.Addr{addresses("10.0.0.1", "10.0.0.2"), addresses("10.0.0.3"), addresses("10.0.0.3")} {
		got, err := r.LookupNetIP(t.Context(), "ip4", "hooks.example")
		require.NoError(t, err)
		require.ElementsMatch(t, want, got)
	}
}

func addresses(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, a := range list {
		all = append(all, netip.MustParseAddr(a))
	}
	return all
}
