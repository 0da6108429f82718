package app_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/livekit"
)

// wires is a network within the process, so that a synctest bubble controls its time.
type wires struct {
	incoming chan net.Conn
	done     context.Context
	close    context.CancelFunc
	last     *wire // the latest connection
}

// wire is a client's end of a connection. Once it is cut, what is sent is lost, and nobody is told.
type wire struct {
	net.Conn
	cut atomic.Bool
}

func newWires(t *testing.T) *wires {
	t.Helper()
	n := &wires{incoming: make(chan net.Conn)}
	n.done, n.close = context.WithCancel(t.Context())
	return n
}

func (n *wires) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	n.incoming <- far
	n.last = &wire{Conn: near}
	return n.last, nil
}

func (n *wires) Accept() (net.Conn, error) {
	select {
	case c := <-n.incoming:
		return c, nil
	case <-n.done.Done():
		return nil, net.ErrClosed
	}
}

func (n *wires) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "wires"} }

func (n *wires) Close() error {
	n.close()
	return nil
}

func (w *wire) Write(b []byte) (int, error) {
	if w.cut.Load() {
		return len(b), nil
	}
	return w.Conn.Write(b)
}

// willing is a LiveKit that has every egress, and starts any.
type willing struct{ lk.Egress }

func (willing) StartRoomCompositeEgress(context.Context, *lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) {
	return &lk.EgressInfo{EgressId: "EG_2"}, nil
}

func (willing) ListEgress(_ context.Context, r *lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
	return &lk.ListEgressResponse{Items: []*lk.EgressInfo{{EgressId: r.GetEgressId()}}}, nil
}

func (n *wires) serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = n
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{SessionTicketsDisabled: true} // the pipe has no buffer, and a client reads tickets late
	s.StartTLS()
	return s
}

//nolint:paralleltest // It replaces http.DefaultTransport.
func TestAConnectionToLiveKitThatDiedSilentlyIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newWires(t)
		server := network.serve(t, lk.NewEgressServer(willing{}))
		defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
		defer server.Close() // It closes the default transport's connections, too.
		transport := server.Client().Transport.(*http.Transport)
		transport.DialContext = network.dial
		http.DefaultTransport = transport

		app.WatchConnections()
		c := livekit.New(livekit.Config{URL: "https://example.com", APIKey: "key", APISecret: "secret"})
		_, err := c.Get(t.Context(), "EG_1")
		require.NoError(t, err)
		network.last.cut.Store(true)

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 80*time.Second)
		defer cancel()
		_, err = c.Start(ctx, &lk.RoomCompositeEgressRequest{RoomName: "standup"})
		require.Equal(t, egress.Ambiguous, egress.ReasonOf(err), "LiveKit may have it, so it is not sent again")
		require.LessOrEqual(t, time.Since(began), 30*time.Second)
		_, err = c.Get(t.Context(), "EG_1")
		require.NoError(t, err)
	})
}
