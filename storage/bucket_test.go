package storage_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/storage"
)

// through returns clients that use a transport, whatever the proxy.
func through(rt http.RoundTripper) func(*url.URL) *http.Client {
	return func(*url.URL) *http.Client { return &http.Client{Transport: rt} }
}

func s3Server(t *testing.T) (endpoint string) {
	t.Helper()
	backend := s3mem.New()
	require.NoError(t, backend.CreateBucket("recordings"))
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return server.URL
}

func s3Upload(endpoint string) *livekit.S3Upload {
	return &livekit.S3Upload{AccessKey: "key", Secret: "s3cr3t", Region: "eu-west-1", Endpoint: endpoint, Bucket: "recordings", ForcePathStyle: true}
}

// account returns a key of a service account whose tokens are issued at a URL.
func account(t *testing.T, tokens string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	b, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "me@project.example", "token_uri": tokens,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	require.NoError(t, err)
	return string(b)
}

func tokenServer(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":3600,"error":"invalid_grant"}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// split sends requests for one host to a transport, and the rest to the network.
type split struct {
	suffix string
	to     http.RoundTripper
}

func (s split) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() == s.suffix {
		return s.to.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func gcs(t *testing.T, tokenStatus int) (storage.Config, egress.Upload) {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "recordings"})
	cfg := storage.Config{Client: through(split{"storage.googleapis.com", server.HTTPClient().Transport})}
	return cfg, egress.Upload{GCP: &livekit.GCPUpload{Bucket: "recordings", Credentials: account(t, tokenServer(t, tokenStatus))}}
}

// stores are all stores that can be tested against a server that speaks their protocol.
func stores(t *testing.T) map[string]func(*testing.T) (storage.Config, egress.Upload) {
	t.Helper()
	return map[string]func(*testing.T) (storage.Config, egress.Upload){
		"s3": func(t *testing.T) (storage.Config, egress.Upload) {
			return storage.Config{Client: through(http.DefaultTransport)}, egress.Upload{S3: s3Upload(s3Server(t))}
		},
		"azure": func(t *testing.T) (storage.Config, egress.Upload) {
			cfg, u := azure(t)
			return cfg, egress.Upload{Azure: u}
		},
		"gcp": func(t *testing.T) (storage.Config, egress.Upload) { return gcs(t, http.StatusOK) },
		"local": func(t *testing.T) (storage.Config, egress.Upload) {
			return storage.Config{LocalFiles: t.TempDir()}, egress.Upload{}
		},
	}
}

func open(t *testing.T, cfg storage.Config, u egress.Upload) *storage.Bucket {
	t.Helper()
	b, err := storage.New(cfg).Open(t.Context(), egress.Destination{Field: "out", Upload: u})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func requireReason(t *testing.T, err error, want egress.Reason, text string) {
	t.Helper()
	var e *egress.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Reason, e.Error())
	require.EqualError(t, e, text)
}

func TestEachStoreKeepsWhatIsWrittenOnce(t *testing.T) {
	t.Parallel()
	for name, prepare := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, upload := prepare(t)
			b := open(t, cfg, upload)
			ctx := t.Context()

			_, err := b.Stat(ctx, "rec/a.mp4")
			requireReason(t, err, egress.NotFound, "out: there is no such object")

			require.NoError(t, b.Create(ctx, "rec/a.mp4", "video/mp4", []byte("media")))
			o, err := b.Stat(ctx, "rec/a.mp4")
			require.NoError(t, err)
			require.EqualValues(t, 5, o.Size)

			err = b.Create(ctx, "rec/a.mp4", "video/mp4", []byte("other media"))
			requireReason(t, err, egress.Conflict, "out: the object already exists")

			r, err := b.Read(ctx, "rec/a.mp4", 2)
			require.NoError(t, err)
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			require.Equal(t, "dia", string(got))
		})
	}
}

func TestEachStoreListsByPrefixUpToALimit(t *testing.T) {
	t.Parallel()
	for name, prepare := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, upload := prepare(t)
			b := open(t, cfg, upload)
			for _, key := range []string{"rec/seg_00001.ts", "rec/seg_00000.ts", "rec/other.ts", "rec/seg_00002.ts"} {
				require.NoError(t, b.Create(t.Context(), key, "video/mp2t", bytes.Repeat([]byte("x"), 7)))
			}
			all, err := b.List(t.Context(), "rec/seg", 10)
			require.NoError(t, err)
			var paths []string
			for _, o := range all {
				paths = append(paths, o.Path)
				require.EqualValues(t, 7, o.Size)
				require.WithinDuration(t, time.Now(), o.Modified, time.Hour)
			}
			require.Equal(t, []string{"rec/seg_00000.ts", "rec/seg_00001.ts", "rec/seg_00002.ts"}, paths)
			two, err := b.List(t.Context(), "rec/seg", 2)
			require.NoError(t, err)
			require.Equal(t, all[:2], two)
			none, err := b.List(t.Context(), "nothing", 2)
			require.NoError(t, err)
			require.Empty(t, none)
		})
	}
}

func TestALocalFileIsReadAtItsOwnPathAndNowhereElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "out", "rec"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "out", "rec", "a.mp4"), []byte("media"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
	b := open(t, storage.Config{LocalFiles: filepath.Join(dir, "out")}, egress.Upload{})

	for _, path := range []string{filepath.Join(dir, "out", "rec", "a.mp4"), "rec/a.mp4"} {
		o, err := b.Stat(t.Context(), path)
		require.NoError(t, err)
		require.EqualValues(t, 5, o.Size)
	}
	found, err := b.List(t.Context(), filepath.Join(dir, "out", "rec")+"/", 10)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, filepath.Join(dir, "out", "rec", "a.mp4"), found[0].Path)
	for _, path := range []string{filepath.Join(dir, "secret"), "../secret", "rec/../../secret", "/etc/passwd"} {
		_, err := b.Stat(t.Context(), path)
		requireReason(t, err, egress.Denied, "out: writes outside of REELKEEPER_LOCAL_FILES")
		requireReason(t, b.Create(t.Context(), path, "", nil), egress.Denied, "out: writes outside of REELKEEPER_LOCAL_FILES")
	}
}
