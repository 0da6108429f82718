package fakelivekit

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// trap is an endpoint that accepts a request and never answers. It opens when it is first needed.
type trap struct {
	mu     sync.Mutex
	server *httptest.Server
}

// url returns the trap's URL.
func (t *trap) url() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server == nil {
		t.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}))
	}
	return t.server.URL
}

// close releases all requests in the trap.
func (t *trap) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server != nil {
		t.server.CloseClientConnections()
		t.server.Close()
	}
}
