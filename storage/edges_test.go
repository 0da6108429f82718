package storage_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/storage"
)

// answering is a network whose hosts are answered by a function.
type answering func(*http.Request) (*http.Response, error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// reply returns an answer with a body.
func reply(r *http.Request, status int, body string) *http.Response {
	w := httptest.NewRecorder()
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	res := w.Result()
	res.Request = r
	return res
}

func TestWhoGivesOutTokensHasNoLongerThanACall(t *testing.T) {
	t.Parallel()
	bounded := make(chan bool, 1)
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		_, has := r.Context().Deadline()
		bounded <- has
		return reply(r, http.StatusBadRequest, `{"error":"invalid_grant"}`), nil
	}))}
	_, err := open(t, cfg, egress.Upload{GCP: &livekit.GCPUpload{Bucket: "recordings", Credentials: account(t, "https://tokens.example")}}).Stat(t.Context(), "a.mp4")
	require.Error(t, err)
	require.True(t, <-bounded, "one that never answers would be waited for without an end")
}

func TestARefusalThatMayBeOfOurClockRefusesNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		off  time.Duration
		want egress.Probed
	}{"the same clock": {0, egress.ProbeRefused}, "ours is early": {-time.Hour, egress.ProbeUnreachable}, "ours is late": {time.Hour, egress.ProbeUnreachable}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
				res := reply(r, http.StatusBadRequest, `{"error":"invalid_grant"}`)
				if strings.HasSuffix(r.URL.Host, ".windows.net") {
					res = reply(r, http.StatusForbidden, `<Error><Code>AuthenticationFailed</Code></Error>`)
					res.Header.Set("X-Ms-Error-Code", "AuthenticationFailed")
				}
				res.Header.Set("Date", time.Now().Add(tc.off).UTC().Format(http.TimeFormat))
				return res, nil
			}))}
			for _, u := range []egress.Upload{
				{GCP: &livekit.GCPUpload{Bucket: "recordings", Credentials: account(t, "https://tokens.example")}},
				{Azure: &livekit.AzureBlobUpload{AccountName: "acc", AccountKey: "a2V5", ContainerName: "recordings"}},
			} {
				found, err := storage.New(cfg).Probe(t.Context(), egress.Destination{Field: "out", Path: "a.mp4", Upload: u}, "x")
				require.Equal(t, tc.want, found, "%s: %v", u.Store(), err)
			}
		})
	}
}

// Google answers 400 to whom it gives no token, but also to an upload, such as one to a bucket whose
// requester pays.
func TestAnUploadThatGoogleRefusesDoesNotBlameTheKey(t *testing.T) {
	t.Parallel()
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "tokens.example" {
			return reply(r, http.StatusBadRequest, `{"error":{"code":400,"errors":[{"reason":"required"}]}}`), nil
		}
		res := reply(r, http.StatusOK, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
		res.Header.Set("Content-Type", "application/json")
		return res, nil
	}))}
	d := egress.Destination{Field: "out", Path: "a.mp4", Upload: egress.Upload{GCP: &livekit.GCPUpload{Bucket: "recordings", Credentials: account(t, "https://tokens.example")}}}
	found, err := storage.New(cfg).Probe(t.Context(), d, "x")
	require.Equal(t, egress.ProbeUnreachable, found)
	requireReason(t, err, egress.Invalid, "out: cannot write .reelkeeper-probe-x: the store answers 400")
}

func TestAnObjectThatMayHaveBeenWrittenIsNamed(t *testing.T) {
	t.Parallel()
	for want, lose := range map[string]answering{
		"does not answer":        func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"answers 502 BadGateway": func(r *http.Request) (*http.Response, error) { return reply(r, http.StatusBadGateway, ""), nil },
	} {
		found, err := storage.New(storage.Config{Client: through(lose)}).Probe(t.Context(), to(s3Upload("http://store.example")), "x")
		require.Equal(t, egress.ProbeUnreachable, found)
		requireReason(t, err, egress.Unreachable, "file_outputs[0].s3: cannot write calls/.reelkeeper-probe-x: the store "+want)
	}
}

func TestABusyAmazonIsNoOtherRegion(t *testing.T) {
	t.Parallel()
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodHead {
			return reply(r, http.StatusServiceUnavailable, ""), nil
		}
		return reply(r, http.StatusMovedPermanently, `<Error><Code>PermanentRedirect</Code></Error>`), nil
	}))}
	u := &livekit.S3Upload{AccessKey: "key", Secret: "s3cr3t", Bucket: "recordings"}
	found, err := storage.New(cfg).Probe(t.Context(), to(u), "x")
	require.Equal(t, egress.ProbeUnreachable, found)
	requireReason(t, err, egress.Unreachable, "file_outputs[0].s3.region: is not set, and Amazon answers 503 when asked for it")
}

func TestAStoreThatKnowsNoConditionIsWrittenToWithoutOne(t *testing.T) {
	t.Parallel()
	written := make(chan string, 1)
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		switch {
		case r.Method == http.MethodHead:
			return reply(r, http.StatusNotFound, ""), nil
		case r.Header.Get("If-None-Match") != "":
			return reply(r, http.StatusNotImplemented, `<Error><Code>NotImplemented</Code></Error>`), nil
		}
		b, err := io.ReadAll(r.Body)
		written <- string(b)
		return reply(r, http.StatusOK, ""), err
	}))}
	require.NoError(t, open(t, cfg, egress.Upload{S3: s3Upload("http://store.example")}).Create(t.Context(), "a.m3u8", "x/y", []byte("#EXTM3U")))
	require.Equal(t, "#EXTM3U", <-written)
}

// A bucket of Amazon's with a default retention takes no object without a checksum.
func TestWhatIsWrittenToAmazonHasAChecksum(t *testing.T) {
	t.Parallel()
	var puts atomic.Int32
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		switch {
		case r.Method == http.MethodHead:
			return reply(r, http.StatusNotFound, ""), nil
		case r.Method == http.MethodPut && r.Header.Get("X-Amz-Checksum-Crc32")+r.Header.Get("X-Amz-Trailer") == "":
			return reply(r, http.StatusBadRequest, `<Error><Code>InvalidRequest</Code></Error>`), nil
		case r.Method == http.MethodPut:
			puts.Add(1)
			_, err := io.Copy(io.Discard, r.Body)
			return reply(r, http.StatusOK, ""), err
		}
		return reply(r, http.StatusNoContent, ""), nil
	}))}
	for _, endpoint := range []string{"", "https://s3.eu-west-1.amazonaws.com"} {
		u := egress.Upload{S3: &livekit.S3Upload{AccessKey: "key", Secret: "s3cr3t", Bucket: "recordings", Region: "eu-west-1", Endpoint: endpoint}}
		require.NoError(t, open(t, cfg, u).Create(t.Context(), "a.m3u8", "x/y", []byte("#EXTM3U")))
		found, err := storage.New(cfg).Probe(t.Context(), egress.Destination{Field: "out.s3", Path: "a.mp4", Upload: u}, "x")
		require.NoError(t, err)
		require.Equal(t, egress.ProbeGood, found)
		require.EqualValues(t, 2, puts.Swap(0))
	}
}

func TestWhoIsThrottledIsNotRefused(t *testing.T) {
	t.Parallel()
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		return reply(r, http.StatusBadRequest, `<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>`), nil
	}))}
	u := &livekit.S3Upload{AccessKey: "key", Secret: "s3cr3t", Bucket: "recordings", Region: "eu-west-1", AssumeRoleArn: "arn:aws:iam::1:role/x"}
	_, err := open(t, cfg, egress.Upload{S3: u}).Stat(t.Context(), "a.mp4")
	requireReason(t, err, egress.Unreachable, "out: cannot look at the object: the store answers 400 Throttling")
}

func TestARoleIsAskedForAtTheEndpointLikeLiveKit(t *testing.T) {
	t.Parallel()
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		switch {
		case r.URL.Host != "store.example":
			return reply(r, http.StatusForbidden, `<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>`), nil
		case r.Method == http.MethodPost:
			return reply(r, http.StatusOK, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>role</AccessKeyId><SecretAccessKey>s</SecretAccessKey>`+
				`<SessionToken>t</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`), nil
		case r.Header.Get("X-Amz-Security-Token") != "t":
			return reply(r, http.StatusForbidden, `<Error><Code>AccessDenied</Code></Error>`), nil
		}
		return reply(r, http.StatusOK, ""), nil
	}))}
	u := &livekit.S3Upload{AccessKey: "key", Secret: "s3cr3t", Bucket: "recordings", Endpoint: "https://store.example", ForcePathStyle: true, AssumeRoleArn: "arn:minio:iam:::role/x"}
	found, err := storage.New(cfg).Probe(t.Context(), to(u), "x")
	require.NoError(t, err)
	require.Equal(t, egress.ProbeGood, found)
}

func TestANameThatNobodyResolvesIsNoMissingObject(t *testing.T) {
	t.Parallel()
	cfg := storage.Config{Client: through(failing{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "acc.blob.core.windows.net", IsNotFound: true}}})}
	b := open(t, cfg, egress.Upload{Azure: &livekit.AzureBlobUpload{AccountName: "acc", AccountKey: "a2V5", ContainerName: "recordings"}})
	_, err := b.Stat(t.Context(), "a.mp4")
	requireReason(t, err, egress.Unreachable, "out: cannot look at the object: the store does not answer")
	_, err = b.List(t.Context(), "a", 1)
	requireReason(t, err, egress.Unreachable, "out: cannot list: the store does not answer")
}

// A machine whose metadata names no role has no key, but that does not mean a missing object. The
// test does not run in parallel, since it sets the process's environment.
func TestAWorkerWithoutAKeyOfItsOwnIsDenied(t *testing.T) {
	for name, role := range map[string]http.HandlerFunc{"no role": http.NotFound, "no metadata": nil} {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
				t.Setenv(variable, "")
			}
			t.Setenv("HOME", t.TempDir())
			if role == nil {
				t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			} else {
				metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !strings.HasSuffix(r.URL.Path, "/api/token") {
						role(w, r)
						return
					}
					w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
					_, _ = io.WriteString(w, "token")
				}))
				t.Cleanup(metadata.Close)
				t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.URL)
			}
			u := egress.Upload{S3: &livekit.S3Upload{Bucket: "recordings", Region: "eu-west-1"}}
			_, err := storage.New(storage.Config{Client: through(refusing{})}).Open(t.Context(), egress.Destination{Field: "out", Upload: u})
			requireReason(t, err, egress.Denied, "out.access_key: is missing, and the worker has no key of its own")
		})
	}
}

func TestABlobIsLookedForByTheNameThatLiveKitGaveIt(t *testing.T) {
	t.Parallel()
	cfg, u := azure(t)
	credential, err := azblob.NewSharedKeyCredential(u.GetAccountName(), u.GetAccountKey())
	require.NoError(t, err)
	client, err := azblob.NewClientWithSharedKeyCredential("https://"+azureAccount+".blob.core.windows.net", credential, clientOf(cfg))
	require.NoError(t, err)
	b := open(t, cfg, egress.Upload{Azure: u})
	for _, name := range []string{"Team #1/call.mp4", "50% off?.mp4", `say "hi".mp4`, "Ünï & + .mp4", "a_0x23__b.mp4", "a__0x23__b.mp4", "a___0x5F__.mp4"} {
		_, err = client.UploadBuffer(t.Context(), u.GetContainerName(), name, []byte("media"), nil)
		require.NoError(t, err)
		o, err := b.Stat(t.Context(), name)
		require.NoError(t, err, name)
		require.EqualValues(t, 5, o.Size)
		listed, err := b.List(t.Context(), name[:len(name)-4], 2)
		require.NoError(t, err)
		require.Len(t, listed, 1, name)
		require.Equal(t, name, listed[0].Path)
		r, err := b.Read(t.Context(), name, 3)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, "ia", string(got))
	}
	require.NoError(t, b.Create(t.Context(), "Team #1/call-salvaged.m3u8", "x/y", []byte("#EXTM3U")))
	_, err = client.DownloadStream(t.Context(), u.GetContainerName(), "Team #1/call-salvaged.m3u8", nil)
	require.NoError(t, err, "LiveKit's way of naming finds it")
}
