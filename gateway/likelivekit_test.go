package gateway_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARefusalOfOursIsWrittenAsTwirpWritesIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := request(t.Context(), t, "ListEgress", `{}`)
	r.Header.Del("Authorization")
	w := b.do(r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.JSONEq(t, `{"code":"unauthenticated","msg":"permissions denied"}`, w.Body.String())
	require.False(t, strings.HasSuffix(w.Body.String(), "\n"), "Twirp ends it with no newline")
}

// livekit-server answers 404. A 200 would be a tunnel for whoever requested one.
func TestTheDoorIsNoProxyToOtherHosts(t *testing.T) {
	t.Parallel()
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) }))
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.serve(t), "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"))
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	require.Empty(t, b.reached())
}
