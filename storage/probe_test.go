package storage_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/dial"
	"github.com/reelkeeper/reelkeeper/internal/fakes3"
	"github.com/reelkeeper/reelkeeper/storage"
)

// signing returns a store that knows one key, and its address.
func signing(t *testing.T) (*fakes3.Store, string) {
	t.Helper()
	s, err := fakes3.New(map[string]string{"key": "s3cr3t"}, "recordings")
	require.NoError(t, err)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

func to(u *livekit.S3Upload) egress.Destination {
	return egress.Destination{Field: "file_outputs[0].s3", Path: "calls/{room_name}.mp4", Upload: egress.Upload{S3: u}}
}

func probe(ctx context.Context, d egress.Destination) (egress.Probed, error) {
	transport := &http.Transport{} // a closing test server cuts the connections of the default one
	defer transport.CloseIdleConnections()
	return storage.New(storage.Config{Client: through(transport)}).Probe(ctx, d, "x")
}

func TestAProbeIsWrittenBesideTheOutputAndDeleted(t *testing.T) {
	t.Parallel()
	s, at := signing(t)
	found, err := probe(t.Context(), to(s3Upload(at)))
	require.NoError(t, err)
	require.Equal(t, egress.ProbeGood, found)
	require.Equal(t, []string{
		"PUT /recordings/calls/.reelkeeper-probe-x", "DELETE /recordings/calls/.reelkeeper-probe-x",
	}, s.Asked(), "no more rights are needed than a recording needs")
	keys, err := s.Keys("recordings")
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestAProbeCarriesWhatLiveKitsUploadsCarry(t *testing.T) {
	t.Parallel()
	s, _ := signing(t)
	seen := make(chan http.Header, 1)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			seen <- r.Header
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	u := s3Upload(front.URL)
	u.Tagging, u.ContentDisposition, u.Metadata = "team=x&kept=for+ever", "attachment", map[string]string{"case": "17"}

	found, err := probe(t.Context(), to(u))

	require.NoError(t, err)
	require.Equal(t, egress.ProbeGood, found)
	h := <-seen
	require.Equal(t, []string{"team=x&kept=for+ever", "attachment", "17"}, []string{h.Get("X-Amz-Tagging"), h.Get("Content-Disposition"), h.Get("X-Amz-Meta-Case")})
}

// If either half of the key is missing, LiveKit uses its own.
func TestHalfAKeyIsNoDefiniteNo(t *testing.T) {
	t.Parallel()
	_, at := signing(t)
	u := s3Upload(at)
	u.Secret = ""
	found, err := probe(t.Context(), to(u))
	require.Equal(t, egress.ProbeUnreachable, found)
	requireReason(t, err, egress.Denied, "file_outputs[0].s3.secret: is missing although access_key is set, and LiveKit's own key is not known here")
}

func TestWhatTheStoreRefusesNamesTheField(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*livekit.S3Upload)
		deny   string
		want   string
	}{
		"no such bucket": {func(u *livekit.S3Upload) { u.Bucket = "recording" }, "", "bucket: there is no such bucket (the store answers NoSuchBucket)"},
		"no bucket":      {func(u *livekit.S3Upload) { u.Bucket = "" }, "", "bucket: is missing"},
		"another key":    {func(u *livekit.S3Upload) { u.AccessKey = "other" }, "", "access_key: the store does not know this key (the store answers InvalidAccessKeyId)"},
		"another secret": {func(u *livekit.S3Upload) { u.Secret = "hunter2" }, "", "secret: does not belong to the access key (the store answers SignatureDoesNotMatch)"},
		"no right":       {nil, "AccessDenied", "access_key: may not write there (the store answers AccessDenied)"},
		"another region": {nil, "PermanentRedirect", "region: is not the bucket's (the store answers PermanentRedirect)"},
		"no scheme": {func(u *livekit.S3Upload) { u.Endpoint = "store.example" }, "",
			"endpoint: must begin with https:// or http://: LiveKit's egress service cannot upload without it"},
		"no endpoint": {func(u *livekit.S3Upload) { u.Endpoint = "ftp://store" }, "", "endpoint: is not the URL of a store"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, at := signing(t)
			s.Deny(http.MethodPut, tc.deny)
			u := s3Upload(at)
			if tc.change != nil {
				tc.change(u)
			}
			found, err := probe(t.Context(), to(u))
			require.Equal(t, egress.ProbeRefused, found)
			requireReason(t, err, egress.Invalid, "file_outputs[0].s3."+tc.want)
		})
	}
}

func TestADeletionThatIsDeniedIsNoRefusal(t *testing.T) {
	t.Parallel()
	s, at := signing(t)
	s.Deny(http.MethodDelete, "AccessDenied")
	found, err := probe(t.Context(), to(s3Upload(at)))
	require.Equal(t, egress.ProbeUndeleted, found)
	require.ErrorContains(t, err, "cannot delete calls/.reelkeeper-probe-x: the store answers 403 AccessDenied")
	keys, err := s.Keys("recordings")
	require.NoError(t, err)
	require.Equal(t, []string{"calls/.reelkeeper-probe-x"}, keys)
}

func TestWhatMayBeOfTheMomentOrOfThePlaceIsNoRefusal(t *testing.T) {
	t.Parallel()
	for name, upload := range map[string]func(t *testing.T) *livekit.S3Upload{
		"nobody there": func(t *testing.T) *livekit.S3Upload {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			require.NoError(t, l.Close())
			return s3Upload("http://" + l.Addr().String())
		},
		"busy": func(t *testing.T) *livekit.S3Upload {
			s, at := signing(t)
			s.Deny(http.MethodPut, "SlowDown")
			return s3Upload(at)
		},
		"no store": func(t *testing.T) *livekit.S3Upload {
			server := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(server.Close)
			return s3Upload(server.URL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := probe(t.Context(), to(upload(t)))
			require.Equal(t, egress.ProbeUnreachable, found, "%v", err)
			require.Error(t, err)
		})
	}
}

func TestAnInnerAddressThatIsRefusedToUsIsNoRefusalOfTheStart(t *testing.T) {
	t.Parallel()
	s, at := signing(t)
	d, err := dial.New(dial.Config{})
	require.NoError(t, err)
	found, err := storage.New(storage.Config{Client: func(*url.URL) *http.Client { return d.Client(0) }}).Probe(t.Context(), to(s3Upload(at)), "x")
	require.Equal(t, egress.ProbeUnreachable, found)
	require.ErrorContains(t, err, "REELKEEPER_ALLOW_HOSTS")
	require.Empty(t, s.Asked())
}

func TestAStoreThatHangsIsGivenUpWithItsContext(t *testing.T) {
	t.Parallel()
	s, at := signing(t)
	defer s.Hang()()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan egress.Probed, 1)
	go func() {
		found, _ := probe(ctx, to(s3Upload(at)))
		done <- found
	}()
	require.Eventually(t, func() bool { return len(s.Asked()) > 0 }, time.Minute, time.Millisecond)
	cancel()
	require.Equal(t, egress.ProbeUnreachable, <-done)
}

func TestWhatIsNotOursToTryIsNotTried(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]egress.Upload{
		"LiveKit's own key":     {S3: &livekit.S3Upload{Bucket: "b", Endpoint: "http://127.0.0.1:1"}},
		"LiveKit's own storage": {},
		"Alibaba Cloud":         {AliOSS: &livekit.AliOSSUpload{AccessKey: "k", Secret: "s", Bucket: "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := probe(t.Context(), egress.Destination{Field: "file", Upload: u})
			require.NoError(t, err)
			require.Equal(t, egress.ProbeUnchecked, found)
		})
	}
}

func TestGooglesAnswersNameTheField(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tokens int
		bucket string
		found  egress.Probed
		want   string
	}{
		"good":        {http.StatusOK, "recordings", egress.ProbeGood, ""},
		"no bucket":   {http.StatusOK, "recording", egress.ProbeRefused, "out.gcp.bucket: there is no such bucket"},
		"no token":    {http.StatusBadRequest, "recordings", egress.ProbeRefused, "out.gcp.credentials: are refused"},
		"busy tokens": {http.StatusServiceUnavailable, "recordings", egress.ProbeUnreachable, "out.gcp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, u := gcs(t, tc.tokens)
			u.GCP.Bucket = tc.bucket
			found, err := storage.New(cfg).Probe(t.Context(), egress.Destination{Field: "out.gcp", Path: "a.mp4", Upload: u}, "x")
			require.Equal(t, tc.found, found, "%v", err)
			require.True(t, tc.want == "" && err == nil || strings.HasPrefix(err.Error(), tc.want), "%v", err)
		})
	}
}
