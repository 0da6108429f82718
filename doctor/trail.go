package doctor

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// trail records how long each part of a request took. Several connections may be attempted in
// parallel, and may go on after the request was given up: hence the lock.
type trail struct {
	mu    sync.Mutex
	began map[string]time.Time
	dns   time.Duration
	dial  time.Duration
	tls   time.Duration
	to    string
}

// Parts of a request whose beginnings are noted; for a connection, with its address.
const (
	partDNS = "dns"
	partTLS = "tls"
)

func (t *trail) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { t.begin(partDNS) },
		DNSDone:      func(httptrace.DNSDoneInfo) { t.end(partDNS, &t.dns, "") },
		ConnectStart: func(_, address string) { t.begin(address) },
		ConnectDone: func(_, address string, err error) {
			if err == nil {
				t.end(address, &t.dial, address)
			}
		},
		TLSHandshakeStart: func() { t.begin(partTLS) },
		TLSHandshakeDone:  func(tls.ConnectionState, error) { t.end(partTLS, &t.tls, "") },
	}
}

func (t *trail) begin(part string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began[part] = time.Now()
}

// end keeps the first address that was connected to.
func (t *trail) end(part string, took *time.Duration, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if address != "" && t.to != "" {
		return
	}
	*took = time.Since(t.began[part])
	if address != "" {
		t.to = address
	}
}

// tell copies what has happened so far into p.
func (t *trail) tell(p *Path) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.Address, p.DNS, p.Connect, p.TLS = t.to, egress.Duration(t.dns), egress.Duration(t.dial), egress.Duration(t.tls)
}
