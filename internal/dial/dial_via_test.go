package dial

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAProxyThatARequestNamesIsJudgedAsAnyHost(t *testing.T) {
	t.Parallel()
	proxy := listen(t, fine)
	at, err := url.Parse(proxy.URL)
	require.NoError(t, err)

	_, _, err = get(t, dialer(t).Via(at, 0), "http://store.example/")
	require.ErrorContains(t, err, "REELKEEPER_ALLOW_HOSTS: does not cover 127.0.0.1")
	require.Zero(t, proxy.asked.Load())

	status, body, err := get(t, dialer(t, "127.0.0.1").Via(at, 0), "http://store.example/")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "fine", body, "the proxy answers for the store")
	require.EqualValues(t, 1, proxy.asked.Load())
}

func TestWithoutAProxyTheHostItselfIsReached(t *testing.T) {
	t.Parallel()
	store := listen(t, fine)
	_, body, err := get(t, dialer(t, "127.0.0.1").Via(nil, 0), store.URL)
	require.NoError(t, err)
	require.Equal(t, "fine", body)
}

func TestConnectionsAreGivenUpInTime(t *testing.T) {
	t.Parallel()
	transport := dialer(t).transport.(*capped).next.(*http.Transport)
	require.Equal(t, 30*time.Second, transport.IdleConnTimeout, "before a load balancer closes them")
	require.Equal(t, &http.HTTP2Config{SendPingTimeout: 15 * time.Second}, transport.HTTP2)
}
