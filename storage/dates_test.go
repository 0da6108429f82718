package storage_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/storage"
)

// A lifecycle rule, or a change of its metadata, must not make an old recording pass for a new one.
func TestAnObjectAtGoogleIsAsOldAsItsContent(t *testing.T) {
	t.Parallel()
	written := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	object := map[string]string{
		"name": "a.mp4", "size": "5", "timeCreated": written.Format(time.RFC3339), "updated": written.AddDate(0, 0, 1).Format(time.RFC3339),
	}
	cfg := storage.Config{Client: through(answering(func(r *http.Request) (*http.Response, error) {
		switch {
		case r.URL.Host == "tokens.example":
			return reply(r, http.StatusOK, token), nil
		case !strings.HasSuffix(r.URL.Path, "/o"):
			return jsonReply(t, r, object), nil
		}
		listed := maps.Clone(object)
		maps.DeleteFunc(listed, func(field, _ string) bool { return !strings.Contains(r.FormValue("fields"), field) })
		return jsonReply(t, r, map[string]any{"items": []any{listed}}), nil
	}))}
	b := open(t, cfg, egress.Upload{GCP: &livekit.GCPUpload{Bucket: "recordings", Credentials: account(t, "https://tokens.example")}})

	there, err := b.Stat(t.Context(), "a.mp4")
	require.NoError(t, err)
	listed, err := b.List(t.Context(), "a", 10)
	require.NoError(t, err)

	want := egress.Object{Path: "a.mp4", Size: 5, Modified: written}
	require.Equal(t, want, there)
	require.Equal(t, []egress.Object{want}, listed)
}

func jsonReply(t *testing.T, r *http.Request, answer any) *http.Response {
	t.Helper()
	b, err := json.Marshal(answer)
	require.NoError(t, err)
	return reply(r, http.StatusOK, string(b))
}
