package dial

import (
	"fmt"
	"io"
	"net/http"
)

// maxRefusal caps a refusing reply, in bytes: callers keep it whole.
const maxRefusal = 1 << 20

// capped gives replies that can be read up to a limit, or up to maxRefusal if they are refusals. It
// wraps the transport's own decompression.
type capped struct {
	limit int64
	next  http.RoundTripper
}

// RoundTrip limits the reply of the wrapped transport.
func (c *capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	limit := c.limit
	if res.StatusCode/100 != 2 {
		limit = min(limit, maxRefusal)
	}
	res.Body = &limited{ReadCloser: res.Body, host: r.URL.Host, limit: limit, left: limit}
	return res, nil
}

// CloseIdleConnections is looked up by http.Client.
func (c *capped) CloseIdleConnections() {
	if closer, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// limited is a body that fails beyond its limit: if it were silently cut, it would pass for the
// whole.
type limited struct {
	io.ReadCloser
	host        string
	limit, left int64
}

// Read reads up to the limit, and fails beyond it.
func (l *limited) Read(b []byte) (int, error) {
	if l.left < 0 {
		return 0, l.tooLong()
	}
	if int64(len(b)) > l.left+1 { // one more byte shows whether there is more
		b = b[:l.left+1]
	}
	n, err := l.ReadCloser.Read(b)
	l.left -= int64(n)
	if l.left < 0 {
		return n - 1, l.tooLong()
	}
	return n, err
}

func (l *limited) tooLong() error {
	return fmt.Errorf("the reply of %s is longer than %d bytes", l.host, l.limit)
}
