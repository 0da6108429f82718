// Package dial connects to hosts that somebody else has named: a request, or what LiveKit sends. It
// must never reach what is reachable only from this machine or its network, unless the operator has
// named it.
package dial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// variable is the name of the setting, as errors show it.
const variable = "REELKEEPER_ALLOW_HOSTS"

const (
	connectTimeout = 10 * time.Second // per address; a request's own limit may be shorter
	maxHeaders     = 64 << 10

	// idleTimeout is half of the time for which load balancers commonly keep an idle connection
	// (60 s), so that a request seldom meets one that is just being closed.
	idleTimeout = 30 * time.Second

	// silence is how long an HTTP/2 connection may be silent before its other end must answer a
	// ping, for which net/http gives it 15 s.
	silence = 15 * time.Second
)

// Config says what may be reached besides the public internet.
type Config struct {
	// Allow (REELKEEPER_ALLOW_HOSTS) are exceptions: host names and IPs, each optionally with
	// :port, and CIDRs. A name is allowed whatever its address. Default: none.
	Allow []string
	// MaxReply is the longest body of a reply in bytes, after decompression. Default:
	// 1 MiB, far more than a consumer's answer or a store's error.
	MaxReply int64
}

func (c Config) withDefaults() Config {
	c.MaxReply = cmp.Or(c.MaxReply, 1<<20)
	return c
}

// Dialer makes clients. It is safe for concurrent use.
type Dialer struct {
	allow     allowed
	resolver  *net.Resolver // nil: the system's
	maxReply  int64
	transport http.RoundTripper
}

// New makes a dialer. Its error names the invalid variable.
func New(c Config) (*Dialer, error) {
	c = c.withDefaults()
	allow, err := parseAllow(c.Allow)
	if err != nil {
		return nil, err
	}
	d := &Dialer{allow: allow, maxReply: c.MaxReply}
	// A proxy of ours would connect in our place, to any host.
	d.transport = d.through(nil)
	return d, nil
}

func (d *Dialer) through(proxy func(*http.Request) (*url.URL, error)) http.RoundTripper {
	t := &http.Transport{
		Proxy:                  proxy,
		DialContext:            d.connect,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    connectTimeout,
		MaxResponseHeaderBytes: maxHeaders,
	}
	Watch(t)
	return &capped{limit: d.maxReply, next: t}
}

// Watch makes a transport that has not been used close HTTP/2 connections within 30 s if the other
// end is gone without a word, and connections of any kind that are idle for 30 s. Otherwise, a dead HTTP/2
// connection gets request after request until the kernel gives up, which takes about 15 min: a
// request that times out does not close it.
func Watch(t *http.Transport) {
	t.IdleConnTimeout = idleTimeout
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: silence}
}

// Via makes a client like Client's, whose requests go through a proxy that the request names: we
// connect to the proxy, which is judged like any other host. The proxy reaches what its own network
// does, which is not ours. A nil proxy means none.
func (d *Dialer) Via(proxy *url.URL, timeout time.Duration) *http.Client {
	client := d.Client(timeout)
	if proxy != nil {
		client.Transport = d.through(http.ProxyURL(proxy))
	}
	return client
}

// Client makes a client whose requests take at most timeout in all; 0 leaves that to their context.
// It follows no redirect: the caller gets the redirect itself. If a host's address is refused, the
// error's chain contains an *egress.Error of reason Invalid, since a retry would not help. Clients
// of one dialer share their connections.
func (d *Dialer) Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:   timeout,
		Transport: d.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// connect judges each address when it connects to it, after the name has been resolved: a DNS
// answer that changes in between has no effect. It refuses a host only if all of its addresses are
// refused: an allowed one may just be down.
func (d *Dialer) connect(ctx context.Context, network, hostPort string) (net.Conn, error) {
	var allowed atomic.Bool
	dialer := net.Dialer{
		Timeout:  connectTimeout,
		Resolver: d.resolver,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			err := d.judge(hostPort, address)
			if err == nil {
				allowed.Store(true)
			}
			return err
		},
	}
	conn, err := dialer.DialContext(ctx, network, hostPort)
	if _, refused := errors.AsType[*egress.Error](err); refused && allowed.Load() {
		return nil, fmt.Errorf("%s has addresses that are refused, and none of the others answers", hostPort)
	}
	return conn, err
}

// judge decides whether a host's address may be connected to. Both include a port.
func (d *Dialer) judge(hostPort, address string) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return fault("does not cover %s, whose address %q cannot be judged", hostPort, address)
	}
	kind := kindOf(addr.Addr())
	if kind == "" || d.allow.host(hostPort) || d.allow.address(addr) {
		return nil
	}
	return fault("does not cover %s, whose address %s is %s", hostPort, addr.Addr(), kind)
}

func fault(format string, args ...any) error {
	return egress.Invalidf(variable, format, args...)
}
