package fakelivekit

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// trap is an endpoint that takes a request and never answers. It opens when it is first needed.
type trap struct {
	once   sync.Once
	mu     sync.Mutex
	server *httptest.Server
	closed chan struct{}
}

// url is where the trap is.
func (t *trap) url() string {
	t.once.Do(t.open)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.server.URL
}

// open starts the endpoint.
func (t *trap) open() {
	t.mu.Lock()
	defer t.mu.Unlock()
	closed := make(chan struct{})
	t.closed = closed
	t.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-closed:
		}
	}))
}

// close lets go of everybody in the trap.
func (t *trap) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server != nil {
		close(t.closed)
		t.server.CloseClientConnections()
		t.server.Close()
		t.server = nil
	}
}
