package doctor_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/livekit/protocol/auth"

	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/webhook"
)

const apiKey, apiSecret = "APIkey", "a secret of LiveKit's"

// untouched is a Temporal that no probe may query.
type untouched struct{ webhook.Recordings }

// endpoint returns our own endpoint, which knows one key.
func endpoint(t *testing.T) http.Handler {
	t.Helper()
	keys, err := seal.New(seal.Config{Secret: apiSecret})
	require.NoError(t, err)
	h, err := webhook.New(webhook.Config{
		Keys: auth.NewSimpleKeyProvider(apiKey, apiSecret), MACs: keys, Recordings: untouched{},
		Log: slog.New(slog.DiscardHandler), Meter: noop.Meter{},
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle(egress.WebhookPath, h)
	mux.Handle(egress.WebhookPath+"/", h)
	return mux
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func look(t *testing.T, c doctor.Config) doctor.Finding {
	t.Helper()
	c.APIKey = apiKey
	c.APISecret, c.SlowAfter = cmp.Or(c.APISecret, apiSecret), cmp.Or(c.SlowAfter, time.Minute) // a busy machine's answers are slow
	findings := doctor.New(c).Run(t.Context(), doctor.Webhook)
	require.Len(t, findings, 1)
	require.Equal(t, doctor.Webhook, findings[0].Check)
	require.Equal(t, findings[0].Status == doctor.OK, findings[0].Fix == "", "what is not well has a fix: %+v", findings[0])
	require.NotContains(t, findings[0].Found+findings[0].Fix, apiSecret)
	return findings[0]
}

func TestAnOpenWayIsWell(t *testing.T) {
	t.Parallel()
	url := serve(t, endpoint(t))
	for _, public := range []string{url, url + "/"} {
		f := look(t, doctor.Config{PublicURL: public})
		require.Equal(t, doctor.OK, f.Status, f.Found)
		require.Equal(t, 200, f.Path.Status)
		require.NotEmpty(t, f.Path.Address)
		require.Positive(t, f.Path.Total)
		require.Contains(t, f.Found, "/webhooks/livekit")
	}
	inFolder := serve(t, http.StripPrefix("/recorder", endpoint(t)))
	require.Equal(t, doctor.OK, look(t, doctor.Config{PublicURL: inFolder + "/recorder"}).Status)
}

// answering returns a proxy that answers by itself.
func answering(status int, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	})
}

func TestEachAnswerThatLosesEventsIsExplained(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler    http.Handler
		found, fix string
	}{
		"a 404":               {http.NotFoundHandler(), "answered 404 in ", "the path is wrong: REELKEEPER_PUBLIC_URL"},
		"a 301":               {answering(301, "Location", "https://x.example/hooks?key=CANARY"), "a redirect to https://x.example/hooks: LiveKit goes there without the event", "set REELKEEPER_PUBLIC_URL to where it leads"},
		"a 308":               {answering(308, "Location", "/other"), "LiveKit follows it, but to another host without its token", "set REELKEEPER_PUBLIC_URL to where it leads"},
		"a proxy's sign-in":   {answering(401), "LiveKit counts it as delivered", "a proxy asks for its own sign-in"},
		"a firewall":          {answering(403), "LiveKit counts it as delivered", "or refuses LiveKit's address"},
		"a small body limit":  {answering(413), "LiveKit counts it as delivered", "the body of up to 1 MiB"},
		"a proxy's 502":       {answering(502), "LiveKit tries for 15 to 65 s", "that does not reach `starter serve`"},
		"a proxy's 503":       {answering(503), "LiveKit tries for 15 to 65 s", "that does not reach `starter serve`"},
		"a rate limit":        {answering(429), "LiveKit tries for 15 to 65 s", "a proxy limits the rate"},
		"somebody else's 200": {answering(200), "that was not our endpoint", "send the path to `starter serve`"},
		"a 204":               {answering(204), "that was not our endpoint", "send the path to `starter serve`"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := look(t, doctor.Config{PublicURL: serve(t, tc.handler)})
			require.Equal(t, doctor.Fail, f.Status)
			require.Contains(t, f.Found, tc.found)
			require.Contains(t, f.Fix, tc.fix)
			require.NotContains(t, f.Found, "CANARY")
		})
	}
}

// A proxy before our own endpoint changes something.
func TestWhatAProxyTakesAwayIsNamed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*http.Request) bool // false: the proxy answers 404
		found  string
		fix    string
	}{
		"the signature":          {func(r *http.Request) bool { r.Header.Del("Authorization"); return true }, "answered 401", "the header Authorization did not come through"},
		"the method":             {func(r *http.Request) bool { r.Method = http.MethodGet; return true }, "answered 405", "the POST came as another method"},
		"the body":               {func(r *http.Request) bool { r.Body = http.NoBody; return true }, "answered 503", "no proxy changes the body"},
		"what is below the path": {func(r *http.Request) bool { return r.URL.Path == egress.WebhookPath }, "answered 404", "pass on everything below it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours := endpoint(t)
			f := look(t, doctor.Config{PublicURL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !tc.change(r) {
					http.NotFound(w, r)
					return
				}
				ours.ServeHTTP(w, r)
			}))})
			require.Equal(t, doctor.Fail, f.Status)
			require.Contains(t, f.Found, tc.found)
			require.Contains(t, f.Fix, tc.fix)
		})
	}
}

func TestAnotherSecretIsToldFromAProxysFailure(t *testing.T) {
	t.Parallel()
	f := look(t, doctor.Config{PublicURL: serve(t, endpoint(t)), APISecret: "another secret"})
	require.Equal(t, doctor.Fail, f.Status)
	require.Contains(t, f.Found, "answered 503")
	require.Contains(t, f.Fix, "the same LIVEKIT_API_KEY and LIVEKIT_API_SECRET")
}

func TestASlowAnswerIsAWarning(t *testing.T) {
	t.Parallel()
	ours := endpoint(t)
	f := look(t, doctor.Config{SlowAfter: time.Second, PublicURL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(1100 * time.Millisecond)
		ours.ServeHTTP(w, r)
	}))})
	require.Equal(t, doctor.Warn, f.Status, f.Found)
	require.Contains(t, f.Found, "LiveKit waits for 10s, and drops events that queue for 30s")
}

func TestAWayThatEndsEarlyIsNamed(t *testing.T) {
	t.Parallel()
	plain := strings.Replace(serve(t, endpoint(t)), "http://", "https://", 1)
	for public, want := range map[string][2]string{
		"http://127.0.0.1:1":              {"the connection is refused", "see whether `starter serve` and the proxy in front of it run"},
		"https://reelkeeper.invalid":      {"DNS does not know reelkeeper.invalid", "correct REELKEEPER_PUBLIC_URL"},
		plain:                             {"it does not speak TLS", "begin REELKEEPER_PUBLIC_URL with http://"},
		"http://u:CANARY@127.0.0.1:1/pre": {"http://u:xxxxx@127.0.0.1:1/pre/webhooks/livekit cannot be reached", "see whether"},
	} {
		f := look(t, doctor.Config{PublicURL: public})
		require.Equal(t, doctor.Fail, f.Status)
		require.Contains(t, f.Found, want[0])
		require.Contains(t, f.Found, "every event is lost")
		require.Contains(t, f.Fix, want[1])
		require.NotContains(t, f.Found, "CANARY")
	}
}

// certified returns our endpoint behind a certificate for a name and until a time, and the roots
// to trust for it.
func certified(t *testing.T, name string, until time.Time) (url string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(endpoint(t))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are expected
	srv.StartTLS()
	t.Cleanup(srv.Close)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return srv.URL, roots
}

func TestACertificateIsLookedAt(t *testing.T) {
	t.Parallel()
	const ip = "127.0.0.1"
	soon := time.Now().Add(13*24*time.Hour + time.Hour)
	for name, tc := range map[string]struct {
		name       string
		until      time.Time
		untrusted  bool
		want       doctor.Status
		found, fix string
	}{
		"a good one":          {ip, time.Now().Add(90 * 24 * time.Hour), false, doctor.OK, "certificate until ", ""},
		"one that ends soon":  {ip, soon, false, doctor.Warn, soon.UTC().Format(time.RFC3339) + ": 13 days are left", "renew the certificate"},
		"an expired one":      {ip, time.Now().Add(-24 * time.Hour), false, doctor.Fail, "its certificate was valid until ", "renew the certificate"},
		"another name's":      {"example.com", soon, false, doctor.Fail, "its certificate is for another name", "a certificate for the name in REELKEEPER_PUBLIC_URL"},
		"one that is its own": {ip, soon, true, doctor.Fail, "is not signed by a trusted authority", "serve the whole chain"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, roots := certified(t, tc.name, tc.until)
			if tc.untrusted {
				roots = x509.NewCertPool()
			}
			f := look(t, doctor.Config{PublicURL: url, RootCAs: roots})
			require.Equal(t, tc.want, f.Status, f.Found)
			require.Contains(t, f.Found, tc.found)
			require.Contains(t, f.Fix, tc.fix)
		})
	}
}

func TestAWatchTellsChangesAlone(t *testing.T) {
	t.Parallel()
	var asked, down atomic.Int64
	ours := endpoint(t)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if down.Load() > 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		ours.ServeHTTP(w, r)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes := make(chan doctor.Change)
	done := make(chan error, 1)
	d := doctor.New(doctor.Config{PublicURL: url, APIKey: apiKey, APISecret: apiSecret, SlowAfter: time.Minute})
	go func() {
		done <- d.Watch(ctx, time.Millisecond, func(c doctor.Change) error {
			changes <- c
			return nil
		})
	}()
	seen := func() [2]doctor.Status {
		select {
		case c := <-changes:
			require.Equal(t, doctor.Webhook, c.Check)
			require.False(t, c.At.IsZero())
			return [2]doctor.Status{c.Before, c.Status}
		case <-time.After(20 * time.Second):
			t.Fatal("no change is told")
			return [2]doctor.Status{}
		}
	}
	require.Equal(t, [2]doctor.Status{"", doctor.OK}, seen())
	before := asked.Load()
	require.Eventually(t, func() bool { return asked.Load() > before+4 }, 20*time.Second, time.Millisecond, "the same state is looked at again")
	down.Store(1)
	require.Equal(t, [2]doctor.Status{doctor.OK, doctor.Fail}, seen())
	down.Store(0)
	require.Equal(t, [2]doctor.Status{doctor.Fail, doctor.OK}, seen())
	cancel()
	require.NoError(t, <-done, "to be told to stop is no failure")
}

func TestAWatchThatCannotTellEnds(t *testing.T) {
	t.Parallel()
	gone := errors.New("nobody listens")
	d := doctor.New(doctor.Config{})
	require.ErrorIs(t, d.Watch(t.Context(), time.Hour, func(doctor.Change) error { return gone }), gone)
}
