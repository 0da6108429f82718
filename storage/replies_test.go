package storage_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/storage"
)

// token is what tokens.example issues.
const token = `{"access_token":"x","token_type":"Bearer","expires_in":3600}`

// endless repeats a text for as long as it is read, up to what no test should read.
type endless struct {
	text string
	read int
}

func (e *endless) Read(b []byte) (int, error) {
	if e.read > 1<<30 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(b, strings.Repeat(e.text, len(b)/len(e.text)+1)[e.read%len(e.text):])
	e.read += n
	return n, nil
}

func (e *endless) Close() error { return nil }

func TestAStoreThatListsWithoutAnEndIsReadToALimit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		head, again string
		to          egress.Upload
	}{
		"S3":     {`<ListBucketResult>`, `<Contents/>`, egress.Upload{S3: s3Upload("http://store.example")}},
		"Google": {`{"items":[{}`, `,{}`, egress.Upload{GCP: &livekit.GCPUpload{Bucket: "recordings", Credentials: account(t, "https://tokens.example")}}},
		"Azure":  {`<EnumerationResults><Blobs>`, `<Blob/>`, egress.Upload{Azure: &livekit.AzureBlobUpload{AccountName: "acc", AccountKey: "a2V5", ContainerName: "recordings"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more := &endless{text: tc.again}
			cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host == "tokens.example" {
					return reply(r, http.StatusOK, token), nil
				}
				res := reply(r, http.StatusOK, "")
				res.Header.Set("Content-Type", "application/xml")
				res.Body = struct {
					io.Reader
					io.Closer
				}{io.MultiReader(strings.NewReader(tc.head), more), more}
				return res, nil
			}))}
			_, err := open(t, cfg, tc.to).List(t.Context(), "a", 10)
			requireReason(t, err, egress.Invalid, "out: cannot list: the store's answer is longer than 4194304 bytes")
			require.Less(t, more.read, 8<<20)
		})
	}
}

func TestAStoreThatListsPageAfterPageIsReadToALimit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ names, length, pages int }{
		"long names":        {500, 4096, 5},
		"a name of its own": {1, 4097, 1},
		"very many objects": {1000, 100, 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := `<Contents><Key>` + strings.Repeat("a", tc.length) + `</Key><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>`
			asked := 0
			cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
				asked++
				return reply(r, http.StatusOK, `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>on</NextContinuationToken>`+
					strings.Repeat(object, tc.names)+`</ListBucketResult>`), nil
			}))}
			_, err := open(t, cfg, egress.Upload{S3: s3Upload("http://store.example")}).List(t.Context(), "a", 50_000)
			require.Equal(t, tc.pages, asked)
			if tc.pages*tc.names < 50_000 {
				requireReason(t, err, egress.Invalid, "out: cannot list: the store's names are longer than 4096 bytes, or 8388608 in all")
			}
		})
	}
}

func TestMediaIsReadHoweverLongItIs(t *testing.T) {
	t.Parallel()
	const size = 5 << 20
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "tokens.example" {
			return reply(r, http.StatusOK, token), nil
		}
		res := reply(r, http.StatusOK, strings.Repeat("x", size))
		res.ContentLength = size
		for name, value := range map[string]string{"Content-Length": strconv.Itoa(size), "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Content-Type": "video/mp4"} {
			res.Header.Set(name, value)
		}
		return res, nil
	}))}
	for _, to := range []egress.Upload{
		{S3: s3Upload("http://store.example")},
		{GCP: &livekit.GCPUpload{Bucket: "recordings", Credentials: account(t, "https://tokens.example")}},
		{Azure: &livekit.AzureBlobUpload{AccountName: "acc", AccountKey: "a2V5", ContainerName: "recordings"}},
	} {
		r, err := open(t, cfg, to).Read(t.Context(), "a.mp4", 0)
		require.NoError(t, err, to.Store())
		n, err := io.Copy(io.Discard, r)
		require.NoError(t, err, to.Store())
		require.EqualValues(t, size, n, to.Store())
		require.NoError(t, r.Close())
	}
}

func TestAnAnswerThatTheClientDidNotExpectIsAnError(t *testing.T) {
	t.Parallel()
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		return reply(r, http.StatusOK, `<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>`), nil
	}))}
	_, err := open(t, cfg, egress.Upload{S3: s3Upload("http://store.example")}).List(t.Context(), "a", 10)
	requireReason(t, err, egress.Invalid, "out: the store's answer cannot be read")
}

func TestLittleIsKeptOfWhatAStoreSays(t *testing.T) {
	t.Parallel()
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		return reply(r, http.StatusForbidden, `<Error><Code>`+strings.Repeat("No", 1<<17)+`</Code></Error>`), nil
	}))}
	_, err := open(t, cfg, egress.Upload{S3: s3Upload("http://store.example")}).List(t.Context(), "a", 10)
	requireReason(t, err, egress.Denied, "out: cannot list: the store answers 403 "+strings.Repeat("No", 32))
}

func TestAPathThatNoStoreTakesIsNotAskedFor(t *testing.T) {
	t.Parallel()
	b := open(t, storage.Config{Client: through(refusing{})}, egress.Upload{S3: s3Upload("http://store.example")})
	_, err := b.Stat(t.Context(), strings.Repeat("a", 1025))
	requireReason(t, err, egress.Invalid, "out: has a path of 1025 characters; stores take at most 1024")
	_, err = b.Stat(t.Context(), strings.Repeat("ä", 1024))
	require.ErrorContains(t, err, "REELKEEPER_ALLOW_HOSTS")
}

func TestAPathThatWouldBeAskedForByAnotherNameIsNotAskedFor(t *testing.T) {
	t.Parallel()
	const refused = "out: has a path with a control character, ../ or the like of __0x23__, which stores cannot be asked for"
	dir := t.TempDir()
	s3 := open(t, storage.Config{Client: through(refusing{})}, egress.Upload{S3: s3Upload("http://store.example")})
	local := open(t, storage.Config{LocalFiles: dir}, egress.Upload{})
	for _, path := range []string{"calls/two\nlines.mp4", "calls/a\tb.mp4", "To be continued.../a.mp4", "calls/a__0x23__b.mp4", "calls/a__0x+2F__b.mp4"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte("media"), 0o600))
		for _, b := range []*storage.Bucket{s3, local} {
			_, err := b.Stat(t.Context(), path)
			requireReason(t, err, egress.Invalid, refused)
			_, err = b.List(t.Context(), path, 1)
			requireReason(t, err, egress.Invalid, refused)
			requireReason(t, b.Create(t.Context(), path+".m3u8", "x/y", nil), egress.Invalid, refused)
		}
	}
	_, err := s3.Stat(t.Context(), "calls/../a.mp4")
	requireReason(t, err, egress.Invalid, refused)
	const like = `calls/Ä "#1".. \ %?_0x23__ __0x__ __0xg__.mp4`
	_, err = s3.Stat(t.Context(), like)
	require.ErrorContains(t, err, "REELKEEPER_ALLOW_HOSTS")
	require.NoError(t, os.WriteFile(filepath.Join(dir, like), []byte("media"), 0o600))
	for _, path := range []string{like, "calls/../" + like} {
		o, err := local.Stat(t.Context(), path)
		require.NoError(t, err)
		require.EqualValues(t, 5, o.Size)
	}
}
