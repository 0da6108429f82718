package gateway

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	// proxyDialTimeout is below the 9 s within which a caller is answered: a caller gets an error
	// while LiveKit is down, instead of timing out.
	proxyDialTimeout = 5 * time.Second

	// proxyIdleTimeout is half of the time for which load balancers commonly keep an idle
	// connection (60 s), so that a request seldom meets one that is just being closed.
	proxyIdleTimeout = 30 * time.Second

	// proxyIdleConns is how many idle connections to LiveKit are kept. net/http's default of 2
	// would make most calls of a busy agent fleet dial anew.
	proxyIdleConns = 256

	// proxyStall is how long a caller may pause while sending a body: twice what the server allows
	// for a whole request.
	proxyStall = 30 * time.Second

	// mostLogged is how many bytes are logged of what a caller chose, such as a path: it may be as
	// long as all headers, 1 MiB.
	mostLogged = 200
)

// proxy passes to LiveKit what is not ours.
type proxy struct {
	reverse  *httputil.ReverseProxy
	upstream *url.URL
	stall    time.Duration
	log      *slog.Logger
}

// newProxy makes the handler for everything that is not ours. Requests and answers pass unchanged,
// including websockets and bodies of any length, and without a time limit. The path of upstream,
// LiveKit's URL, is put before that of a request.
func newProxy(upstream *url.URL, log *slog.Logger) http.Handler {
	p := &proxy{upstream: upstream, stall: proxyStall, log: log}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:       p.rewrite,
		Transport:     transport(),
		FlushInterval: -1, // LiveKit's answer is passed on at once.
		ErrorHandler:  p.fail,
		// It logs an answer that broke off in the middle, and never a URL.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return p
}

// transport has no timeout for an answer: LiveKit takes 75 s for a start, and longer for a
// phone call that somebody has to answer. It uses the environment's proxy, as every call to LiveKit
// does, and speaks HTTP/1.1 only, which websockets need.
func transport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: proxyDialTimeout}
	return marked{&http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   proxyDialTimeout,
		IdleConnTimeout:       proxyIdleTimeout,
		MaxIdleConnsPerHost:   proxyIdleConns,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // Otherwise, an answer would be compressed and unpacked for a caller that did not ask for it.
	}}
}

// rewrite sends a request to LiveKit, with Host set to LiveKit's.
func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(p.upstream)
	r.Out.URL.RawQuery = r.In.URL.RawQuery // httputil drops what it can't parse,
	r.Out.Trailer = r.In.Trailer           // and trailers, which come after the body.
	// We trust a proxy in front of us as LiveKit would: it locates callers by their address. We add
	// ourselves to the chain.
	r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	r.SetXForwarded()
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
		if known := r.In.Header[name]; known != nil {
			r.Out.Header[name] = known
		}
	}
}

// ServeHTTP passes one request on.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // an answer may be a stream; a connection that supports no deadline has none
	body := &upload{ReadCloser: r.Body, stall: p.stall, control: control}
	defer body.end()
	r = r.WithContext(r.Context()) // A copy: the caller's request stays as it is.
	r.Body = body
	p.reverse.ServeHTTP(w, r)
}

// fail answers if LiveKit did not. Neither the log line nor the answer includes the query: it may
// hold an access_token.
func (p *proxy) fail(w http.ResponseWriter, r *http.Request, err error) {
	ctx, path := r.Context(), strings.TrimPrefix(r.URL.Path, strings.TrimSuffix(p.upstream.Path, "/"))
	log := p.log.With("method", egress.Clip(r.Method, mostLogged), "path", egress.Clip(path, mostLogged), "error", err)
	if ctx.Err() != nil { // A body that stalled ends the context, too.
		log.DebugContext(ctx, "caller went away")
		http.Error(w, http.StatusText(http.StatusRequestTimeout), http.StatusRequestTimeout)
		return
	}
	if _, ok := errors.AsType[*uploadError](err); ok {
		log.DebugContext(ctx, "caller sent a broken body")
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	log.ErrorContext(ctx, "LiveKit not reached")
	if !strings.HasPrefix(path, "/twirp/") {
		http.Error(w, "LiveKit not reached", http.StatusBadGateway)
		return
	}
	_ = twirp.WriteError(w, twirp.NewError(twirp.Unavailable, "LiveKit not reached")) // A caller that has gone needs no answer.
}

// upload is the body of a request on its way to LiveKit. The server's ReadTimeout is meant for
// short bodies; this one has no limit as long as data arrives, and neither has the answer once the
// body has arrived.
type upload struct {
	io.ReadCloser
	stall   time.Duration
	control *http.ResponseController
	over    bool // all of it has been read

	mu    sync.Mutex
	ended bool
}

// Read marks a failure as the caller's. Once the body is over, it stays so: if its length is known,
// the transport asks for more even then, when LiveKit's answer may have closed the body. An error
// would cut that answer.
func (u *upload) Read(b []byte) (int, error) {
	if u.over {
		return 0, io.EOF
	}
	u.deadline(time.Now().Add(u.stall))
	n, err := u.ReadCloser.Read(b)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		u.over = true
		u.deadline(time.Time{})
		return n, io.EOF
	}
	return n, &uploadError{err}
}

// deadline bounds the next read from the caller. Zero means no deadline. The transport may still
// read when the answer is done, and must not interfere with the next request.
func (u *upload) deadline(t time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		_ = u.control.SetReadDeadline(t) // A connection that supports no deadline has none to move.
	}
}

// end returns the connection to its server.
func (u *upload) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
}

// uploadError reports a body that the caller did not complete.
type uploadError struct{ error }

// Unwrap returns the error of the read.
func (e *uploadError) Unwrap() error { return e.error }
