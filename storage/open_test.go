package storage_test

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/storage"
)

func TestAWrongConfigurationIsNamedByItsField(t *testing.T) {
	t.Parallel()
	const secret = "do-not-show-me"
	for want, u := range map[string]egress.Upload{
		"out.bucket: is missing":                                {S3: &livekit.S3Upload{AccessKey: "k", Secret: secret}},
		"out.endpoint: is not the URL of a store":               {S3: &livekit.S3Upload{Bucket: "b", AccessKey: "k", Secret: secret, Endpoint: "https://me:" + secret + "@host"}},
		"out.proxy.url: is not the URL of a proxy":              {S3: &livekit.S3Upload{Bucket: "b", AccessKey: "k", Secret: secret, Proxy: &livekit.ProxyConfig{Url: "ftp://" + secret}}},
		"out.bucket: is missing ":                               {GCP: &livekit.GCPUpload{Credentials: secret}},
		"out.credentials: is not a service account key":         {GCP: &livekit.GCPUpload{Bucket: "b", Credentials: secret}},
		"out.credentials: is not a service account key ":        {GCP: &livekit.GCPUpload{Bucket: "b", Credentials: `{"type":"external_account","credential_source":{"file":"/etc/passwd"}}`}},
		"out.account_name: is not a valid storage account name": {Azure: &livekit.AzureBlobUpload{AccountName: "evil.example/", ContainerName: "abc", AccountKey: secret}},
		"out.container_name: is not a valid container name":     {Azure: &livekit.AzureBlobUpload{AccountName: "abc", ContainerName: "../x", AccountKey: secret}},
		"out.account_key: is not a storage account key":         {Azure: &livekit.AzureBlobUpload{AccountName: "abc", ContainerName: "abc", AccountKey: secret}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := storage.New(storage.Config{Client: through(refusing{})})
			_, err := s.Open(t.Context(), egress.Destination{Field: "out", Upload: u})
			requireReason(t, err, egress.Invalid, strings.TrimSpace(want))
		})
	}
}

// Computing with such a key would take hours, and no context ends it. Nothing of it need be right.
func TestAKeyThatIsTooLongToComputeWithIsRefused(t *testing.T) {
	t.Parallel()
	odd := func(bits uint) *big.Int { return new(big.Int).SetBit(big.NewInt(1), int(bits-1), 1) }
	wrapped := func(key []byte) []byte {
		der, err := asn1.Marshal(struct {
			Version   int
			Algorithm pkix.AlgorithmIdentifier
			Key       []byte
		}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: asn1.NullRawValue}, key})
		require.NoError(t, err)
		return der
	}
	for name, tc := range map[string]struct {
		n, p, q uint // bits
		more    int  // bytes
		wrap    func([]byte) []byte
		refused bool
	}{
		"the longest":           {8192, 4096, 4096, 0, bytes.Clone, false},
		"a long modulus":        {8193, 4096, 4096, 0, bytes.Clone, true},
		"a long prime":          {8192, 4097, 4096, 0, bytes.Clone, true},
		"another long prime":    {8192, 4096, 4097, 0, wrapped, true},
		"a prime longer than N": {2048, 4097, 2, 0, wrapped, true},
		"more primes":           {2048, 3, 5, 8192, wrapped, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			der, err := asn1.Marshal(struct {
				Version       int
				N, E, D, P, Q *big.Int
				More          []byte `asn1:"optional,omitempty"`
			}{0, odd(tc.n), big.NewInt(65537), big.NewInt(5), odd(tc.p), odd(tc.q), make([]byte, tc.more)})
			require.NoError(t, err)
			key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: tc.wrap(der)}))
			credentials, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "me@project.example", "private_key": key})
			require.NoError(t, err)
			_, err = storage.New(storage.Config{Client: through(refusing{})}).Open(t.Context(), egress.Destination{
				Field: "out", Upload: egress.Upload{GCP: &livekit.GCPUpload{Bucket: "b", Credentials: string(credentials)}},
			})
			require.Equal(t, tc.refused, err != nil)
			if tc.refused {
				requireReason(t, err, egress.Invalid, "out.credentials: has a key of more than 8192 bits")
			}
		})
	}
}

func TestWhatNobodyMayReadFromHereIsDenied(t *testing.T) {
	t.Parallel()
	for want, u := range map[string]egress.Upload{
		"out: is Alibaba Cloud's, which cannot be read from here":                                    {AliOSS: &livekit.AliOSSUpload{Bucket: "b"}},
		"out: names no store, and REELKEEPER_LOCAL_FILES is not set":                                 {},
		"out: may name a store that only a newer LiveKit knows":                                      {Newer: true},
		"out.secret: is missing although access_key is set, and LiveKit's own key is not known here": {S3: &livekit.S3Upload{Bucket: "b", AccessKey: "k"}},
		"out.access_key: is missing, and the worker's own key is only for Amazon":                    {S3: &livekit.S3Upload{Bucket: "b", Endpoint: "https://evil.example"}},
	} {
		_, err := storage.New(storage.Config{Client: through(refusing{})}).Open(t.Context(), egress.Destination{Field: "out", Upload: u})
		requireReason(t, err, egress.Denied, want)
	}
}

// refusing is a transport that no request may reach.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &egress.Error{Reason: egress.Invalid, Field: "REELKEEPER_ALLOW_HOSTS", Message: "does not cover it"}
}

func TestAStoresAnswerBecomesAReason(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.RoundTripper {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		return redirect{server.Listener.Addr().String()}
	}
	for name, tc := range map[string]struct {
		rt   http.RoundTripper
		want egress.Reason
		text string
	}{
		"no such bucket": {answer(404, `<Error><Code>NoSuchBucket</Code></Error>`), egress.NotFound, "out: there is no such bucket"},
		"unknown key":    {answer(403, `<Error><Code>InvalidAccessKeyId</Code><Message>s3cr3t</Message></Error>`), egress.Denied, "out: cannot list: the store answers 403 InvalidAccessKeyId"},
		"expired":        {answer(400, `<Error><Code>ExpiredToken</Code></Error>`), egress.Denied, "out: cannot list: the store answers 400 ExpiredToken"},
		"wrong region":   {answer(400, `<Error><Code>AuthorizationHeaderMalformed</Code></Error>`), egress.Invalid, "out: cannot list: the store answers 400 AuthorizationHeaderMalformed"},
		"slow down":      {answer(503, `<Error><Code>SlowDown</Code></Error>`), egress.Unreachable, "out: cannot list: the store answers 503 SlowDown"},
		"too many":       {answer(429, `<Error><Code>Throttled</Code></Error>`), egress.Unreachable, "out: cannot list: the store answers 429 Throttled"},
		"cut":            {failing{&net.OpError{Op: "dial", Err: errors.New("s3cr3t")}}, egress.Unreachable, "out: cannot list: the store does not answer"},
		"timeout":        {failing{context.DeadlineExceeded}, egress.Unreachable, "out: cannot list: the store does not answer"},
		"inner host":     {refusing{}, egress.Invalid, "REELKEEPER_ALLOW_HOSTS: does not cover it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, storage.Config{Client: through(tc.rt)}, egress.Upload{S3: s3Upload("http://store.example")})
			_, err := b.List(t.Context(), "rec/", 1)
			requireReason(t, err, tc.want, tc.text)
		})
	}
}

func TestATokenThatGoogleRefusesIsDenied(t *testing.T) {
	t.Parallel()
	cfg, upload := gcs(t, http.StatusBadRequest)
	_, err := open(t, cfg, upload).Stat(t.Context(), "a")
	requireReason(t, err, egress.Denied, "out: cannot look at the object: the store answers 400 no token")
}

func TestARequestsProxyIsHandedOver(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"http://proxy.example:8080":    "http://me:pw@proxy.example:8080",
		"socks5://proxy.example:1080":  "socks5://me:pw@proxy.example:1080",
		"socks5h://proxy.example:1080": "socks5h://me:pw@proxy.example:1080",
	} {
		var got *url.URL
		s := storage.New(storage.Config{Client: func(proxy *url.URL) *http.Client { got = proxy; return http.DefaultClient }})
		u := s3Upload("http://store.example")
		u.Proxy = &livekit.ProxyConfig{Url: given, Username: "me", Password: "pw"}
		b, err := s.Open(t.Context(), egress.Destination{Field: "out", Upload: egress.Upload{S3: u}})
		require.NoError(t, err)
		require.NoError(t, b.Close())
		require.Equal(t, want, got.String())
	}
}

func TestAnAzureContainerIsAskedWithTheRequestsKey(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	rt := recording{asked}
	b := open(t, storage.Config{Client: through(rt)}, egress.Upload{Azure: &livekit.AzureBlobUpload{AccountName: "acc", AccountKey: "a2V5", ContainerName: "recordings"}})
	_, err := b.Stat(t.Context(), "rec/a.mp4")
	requireReason(t, err, egress.Unreachable, "out: cannot look at the object: the store does not answer")
	r := <-asked
	require.Equal(t, "acc.blob.core.windows.net/recordings/rec/a.mp4", r.URL.Host+r.URL.Path)
	require.Regexp(t, "^SharedKey acc:", r.Header.Get("Authorization"))
}

// recording notes what is requested, and answers nothing.
type recording struct{ asked chan *http.Request }

func (r recording) RoundTrip(req *http.Request) (*http.Response, error) {
	r.asked <- req
	return nil, errors.New("no network")
}

// failing is a network that fails.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// redirect is a network where each host is at one address, without TLS.
type redirect struct{ addr string }

func (to redirect) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := r.URL.Host
	r = r.Clone(r.Context())
	r.Host, r.URL.Scheme, r.URL.Host = asked, "http", to.addr
	return http.DefaultTransport.RoundTrip(r)
}
