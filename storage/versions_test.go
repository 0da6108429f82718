package storage_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakes3"
	"github.com/reelkeeper/reelkeeper/storage"
)

// keeping returns a store whose bucket keeps each version of an object.
func keeping(t *testing.T) (*fakes3.Store, string) {
	t.Helper()
	s, at := signing(t)
	require.NoError(t, s.KeepVersions("recordings"))
	return s, at
}

func TestNoVersionOfAProbeStaysInABucketThatKeepsThem(t *testing.T) {
	t.Parallel()
	s, at := keeping(t)
	found, err := probe(t.Context(), to(s3Upload(at)))
	require.NoError(t, err)
	require.Equal(t, egress.ProbeGood, found)
	versions, marks, err := s.Kept("recordings")
	require.NoError(t, err)
	require.Zero(t, versions)
	require.Zero(t, marks)
}

// The right to delete versions may be missing, or they may be locked.
func TestAVersionThatMayNotBeDeletedIsHiddenAndTold(t *testing.T) {
	t.Parallel()
	s, at := keeping(t)
	s.Deny(http.MethodDelete+fakes3.Versions, "AccessDenied")
	found, err := probe(t.Context(), to(s3Upload(at)))
	require.Equal(t, egress.ProbeUndeleted, found)
	require.EqualError(t, err, "file_outputs[0].s3: cannot delete the version of calls/.reelkeeper-probe-x: the store answers 403 AccessDenied")
	versions, marks, err := s.Kept("recordings")
	require.NoError(t, err)
	require.Equal(t, []int{1, 1}, []int{versions, marks})
	keys, err := s.Keys("recordings")
	require.NoError(t, err)
	require.Empty(t, keys)
}

// Some stores report a version and keep none, and may not know how to delete it.
func TestAStoreThatKeepsNoVersionsHasNothingLeft(t *testing.T) {
	t.Parallel()
	s, _ := signing(t)
	s.Deny(http.MethodDelete+fakes3.Versions, "NotImplemented")
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			w.Header().Set("X-Amz-Version-Id", "7")
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	found, err := probe(t.Context(), to(s3Upload(front.URL)))
	require.NoError(t, err)
	require.Equal(t, egress.ProbeGood, found)
	keys, err := s.Keys("recordings")
	require.NoError(t, err)
	require.Empty(t, keys)
}

// noting records what is deleted, as path and query.
type noting struct {
	to http.RoundTripper

	mu      sync.Mutex
	deleted []string
}

func (n *noting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodDelete {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.deleted = append(n.deleted, r.URL.Path+"?"+r.URL.RawQuery)
	}
	return n.to.RoundTrip(r)
}

func TestTheGenerationOfAProbeIsDeletedFromGoogle(t *testing.T) {
	t.Parallel()
	cfg, u := gcs(t, http.StatusOK)
	seen := &noting{to: cfg.Client(nil).Transport}
	d := egress.Destination{Field: "out.gcp", Path: "a.mp4", Upload: u}
	found, err := storage.New(storage.Config{Client: through(seen)}).Probe(t.Context(), d, "x")
	require.NoError(t, err)
	require.Equal(t, egress.ProbeGood, found)
	require.Len(t, seen.deleted, 1)
	require.Regexp(t, `/o/\.reelkeeper-probe-x\?.*generation=[1-9]\d+`, seen.deleted[0])
}

// Azurite keeps no versions. Azure turns what is deleted by its name into a version, which can
// then be deleted.
func TestTheVersionOfAProbeIsDeletedFromAzure(t *testing.T) {
	t.Parallel()
	const version = "2026-03-01T10:11:12.1234567Z"
	for name, tc := range map[string]struct {
		status int // of the version's deletion
		found  egress.Probed
		want   string
	}{
		"it may":  {http.StatusAccepted, egress.ProbeGood, ""},
		"may not": {http.StatusConflict, egress.ProbeUndeleted, "out.azure: cannot delete .reelkeeper-probe-x: the store answers 409"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Ms-Version-Id", version)
				w.WriteHeader(map[string]int{"PUT": http.StatusCreated, "DELETE": http.StatusAccepted, "DELETE" + version: tc.status}[r.Method+r.URL.Query().Get("versionid")])
			}))
			t.Cleanup(server.Close)
			seen := &noting{to: redirect{server.Listener.Addr().String()}}
			u := &livekit.AzureBlobUpload{AccountName: "acc", AccountKey: "a2V5", ContainerName: "recordings"}
			d := egress.Destination{Field: "out.azure", Path: "a.mp4", Upload: egress.Upload{Azure: u}}
			found, err := storage.New(storage.Config{Client: through(seen)}).Probe(t.Context(), d, "x")
			require.Equal(t, tc.found, found, "%v", err)
			require.True(t, tc.want == "" && err == nil || tc.want == err.Error(), "%v", err)
			require.Equal(t, []string{
				"/recordings/.reelkeeper-probe-x?", "/recordings/.reelkeeper-probe-x?versionid=2026-03-01T10%3A11%3A12.1234567Z",
			}, seen.deleted)
		})
	}
}
