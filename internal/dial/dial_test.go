package dial

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// inside is a server on loopback that counts its requests.
type inside struct {
	*httptest.Server
	asked atomic.Int32
}

func listen(t *testing.T, h http.HandlerFunc) *inside {
	t.Helper()
	s := &inside{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func fine(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }

func (s *inside) port() string { return s.URL[strings.LastIndex(s.URL, ":")+1:] }

func dialer(t *testing.T, allow ...string) *Dialer {
	t.Helper()
	d, err := New(Config{Allow: allow})
	require.NoError(t, err)
	return d
}

func get(t *testing.T, c *http.Client, url string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestWhatOnlyThisMachineReachesIsRefused(t *testing.T) {
	t.Parallel()
	s := listen(t, fine)
	for _, host := range []string{"127.0.0.1", "127.1.2.3", "localhost", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			_, _, err := get(t, dialer(t).Client(5*time.Second), "http://"+host+":"+s.port())
			var e *egress.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, egress.Invalid, e.Reason, "which is not asked again")
			require.Contains(t, e.Error(), "REELKEEPER_ALLOW_HOSTS: does not cover "+host+":"+s.port()+", whose address ")
		})
	}
	t.Cleanup(func() { require.Zero(t, s.asked.Load()) })
}

func TestWhatTheOperatorNamesIsReached(t *testing.T) {
	t.Parallel()
	s := listen(t, fine)
	for _, allow := range []string{"127.0.0.1", "127.0.0.0/8", "127.0.0.1:" + s.port()} {
		t.Run(allow, func(t *testing.T) {
			t.Parallel()
			status, body, err := get(t, dialer(t, "other.example", allow).Client(5*time.Second), s.URL)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "fine", body)
		})
	}
}

func TestANameIsJudgedByTheAddressThatItHas(t *testing.T) {
	t.Parallel()
	s := listen(t, fine)
	for name, tc := range map[string]struct {
		addresses []netip.Addr
		allow     string
		want      string
	}{
		"no entry":                       {addresses("127.0.0.1"), "other.example", "whose address 127.0.0.1 is loopback"},
		"the name is allowed":            {addresses("127.0.0.1"), "hooks.example", ""},
		"the address is allowed":         {addresses("127.0.0.1"), "127.0.0.1", ""},
		"one of its addresses":           {addresses("10.0.0.1", "127.0.0.1"), "127.0.0.1", ""},
		"each of its addresses is wrong": {addresses("127.0.0.2", "127.0.0.1"), "10.0.0.1", "is loopback"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dialer(t, tc.allow)
			d.resolver = (&names{answers: [][]netip.Addr{tc.addresses}}).resolver(t)
			_, _, err := get(t, d.Client(5*time.Second), "http://hooks.example:"+s.port())
			require.Equal(t, tc.want == "", err == nil, "%v", err)
			if err != nil {
				require.ErrorContains(t, err, tc.want)
			}
		})
	}
}

func TestAHostIsRefusedWhereAllOfItsAddressesAre(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		addresses []string
		refused   bool
	}{
		"all":             {[]string{"10.0.0.1", "10.0.0.2"}, true},
		"the first alone": {[]string{"10.0.0.1", "127.0.0.9"}, false},
		"the last alone":  {[]string{"127.0.0.9", "10.0.0.1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dialer(t, "127.0.0.9")
			d.resolver = (&names{answers: [][]netip.Addr{addresses(tc.addresses...)}}).resolver(t)
			_, _, err := get(t, d.Client(5*time.Second), "http://hooks.example:1/")
			_, refused := errors.AsType[*egress.Error](err)
			require.Error(t, err)
			require.Equal(t, tc.refused, refused, err)
		})
	}
}

// A name that is resolved twice could be a public host's the first time.
func TestANameThatChangesItsAddressIsJudgedByTheOneConnectedTo(t *testing.T) {
	t.Parallel()
	s := listen(t, fine)
	d := dialer(t, "10.0.0.1")
	n := &names{answers: [][]netip.Addr{addresses("10.0.0.1"), addresses("127.0.0.1")}}
	d.resolver = n.resolver(t)
	first, err := d.resolver.LookupNetIP(t.Context(), "ip4", "hooks.example")
	require.NoError(t, err)
	require.NoError(t, d.judge("hooks.example:80", netip.AddrPortFrom(first[0], 80).String()))

	_, _, err = get(t, d.Client(5*time.Second), "http://hooks.example:"+s.port())
	require.ErrorContains(t, err, "whose address 127.0.0.1 is loopback")
	require.Zero(t, s.asked.Load())
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	s := listen(t, fine)
	moved := listen(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, s.URL, http.StatusFound) })
	status, _, err := get(t, dialer(t, "127.0.0.1").Client(5*time.Second), moved.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, status)
	require.Zero(t, s.asked.Load())
}

// Go reads the environment's proxy once per process, so no test can set it.
func TestNoProxyConnectsInOurPlace(t *testing.T) {
	t.Parallel()
	require.Nil(t, dialer(t).transport.(*capped).next.(*http.Transport).Proxy)
}

func TestAReplyIsReadUpToItsLimit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		length int
		want   string
	}{
		"none":       {0, ""},
		"below it":   {999, ""},
		"at it":      {1000, ""},
		"above it":   {1001, "is longer than 1000 bytes"},
		"far above":  {1 << 20, "is longer than 1000 bytes"},
		"compressed": {-(1 << 20), "is longer than 1000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listen(t, func(w http.ResponseWriter, _ *http.Request) { reply(w, tc.length) })
			d, err := New(Config{Allow: []string{"127.0.0.1"}, MaxReply: 1000})
			require.NoError(t, err)
			status, body, err := get(t, d.Client(5*time.Second), s.URL)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, tc.want == "", err == nil, "%v", err)
			if err != nil {
				require.ErrorContains(t, err, "the reply of "+strings.TrimPrefix(s.URL, "http://")+" "+tc.want)
				require.Len(t, body, 1000)
				return
			}
			require.Len(t, body, tc.length)
		})
	}
}

// Media may be of any length, but a store's refusal may not: the caller keeps it whole.
func TestARefusalIsReadUpToAMebibyte(t *testing.T) {
	t.Parallel()
	s := listen(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		reply(w, 1<<20+1)
	})
	d, err := New(Config{Allow: []string{"127.0.0.1"}, MaxReply: 1 << 50})
	require.NoError(t, err)
	status, body, err := get(t, d.Client(5*time.Second), s.URL)
	require.Equal(t, http.StatusForbidden, status)
	require.ErrorContains(t, err, "is longer than 1048576 bytes")
	require.Len(t, body, 1<<20)
}

// reply writes a body of the given length, compressed if the length is negative.
func reply(w http.ResponseWriter, length int) {
	if length >= 0 {
		_, _ = io.WriteString(w, strings.Repeat("x", length))
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, strings.Repeat("x", -length))
	_ = z.Close()
}

func TestABodyThatWasTooLongStaysSo(t *testing.T) {
	t.Parallel()
	body := &limited{ReadCloser: io.NopCloser(strings.NewReader("12345")), host: "h", limit: 2, left: 2}
	b := make([]byte, 10)
	n, err := body.Read(b)
	require.Equal(t, "12", string(b[:n]))
	require.EqualError(t, err, "the reply of h is longer than 2 bytes")
	n, err = body.Read(b)
	require.Zero(t, n)
	require.EqualError(t, err, "the reply of h is longer than 2 bytes")
}

func TestARepliesDefaultLimitIsAMebibyte(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, 1<<20, dialer(t).transport.(*capped).limit)
}

func TestHeadersWithoutEndAreGivenUp(t *testing.T) {
	t.Parallel()
	s := listen(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 2*maxHeaders)) })
	_, _, err := get(t, dialer(t, "127.0.0.1").Client(5*time.Second), s.URL)
	require.ErrorContains(t, err, "server response headers exceeded")
}

func TestAHostThatSaysNothingIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	_, _, err = get(t, dialer(t, "127.0.0.1").Client(50*time.Millisecond), "http://"+l.Addr().String())
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	var refusal *egress.Error
	require.NotErrorAs(t, err, &refusal, "it may answer the next time")
}

func TestARequestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := dialer(t, "127.0.0.1").connect(ctx, "tcp", "127.0.0.1:9")
	require.ErrorIs(t, err, context.Canceled)
}

func TestClientsShareTheirConnections(t *testing.T) {
	t.Parallel()
	s := listen(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) })
	d := dialer(t, "127.0.0.1")
	_, one, err := get(t, d.Client(5*time.Second), s.URL)
	require.NoError(t, err)
	_, two, err := get(t, d.Client(time.Second), s.URL)
	require.NoError(t, err)
	require.Equal(t, one, two)
	d.Client(0).CloseIdleConnections()
	_, three, err := get(t, d.Client(0), s.URL)
	require.NoError(t, err)
	require.NotEqual(t, one, three)
}
