package gateway

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Lines is a log that can be read while it is written. It is exported for the external tests.
type Lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends to the log.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is the log so far.
func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Anybody may choose both, and make up to 1 MiB of them.
func TestAPathAndAMethodAreCutInTheLog(t *testing.T) {
	t.Parallel()
	p := newPassageTo(t, &url.URL{Scheme: "http", Host: "127.0.0.1:0"})
	long := strings.Repeat("X", 10_000)
	res := p.do(t, p.request(t, long, "/"+long, nil))
	require.Equal(t, http.StatusBadGateway, res.StatusCode)
	require.NoError(t, res.Body.Close())
	require.Contains(t, p.log.String(), `msg="LiveKit not reached" method=XXX`)
	require.Less(t, len(p.log.String()), 1000)
}
