package webhook_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/webhook"
)

// FuzzHandler posts arbitrary data, signed with a key that the endpoint lacks, and then the same
// signed with one that it has. It must never panic; it must never accept the first; and it must
// never ask for the second again, which no time can fix.
func FuzzHandler(f *testing.F) {
	for i, r := range recordings(f) {
		if i%40 == 0 {
			f.Add(egress.WebhookPath, r.Authorization, r.Body)
		}
	}
	f.Add(egress.WebhookPath+"/req-1/1/mac", "", started())
	f.Add("/x", "Bearer x", `{"event":"egress_ended","egressInfo":{"egressId":"EG_1","track":{"webhooks":[{"url":"x/webhooks/livekit/a/1/b"}]}}}`)
	f.Add("//", "a.b.c", `{"event":"participant_left","participant":{"identity":"EG_1"},"room":{"turnPassword":"secret"}}`)
	b := newRecordedBench(f, func(c *webhook.Config) { c.Log = slog.New(slog.DiscardHandler) })
	f.Fuzz(func(t *testing.T, path, authorization, body string) {
		post := func(authorization string) int {
			r := httptest.NewRequest(http.MethodPost, egress.WebhookPath, strings.NewReader(body))
			r.URL.Path, r.URL.RawPath = path, ""
			r.Header.Set("Authorization", authorization)
			w := httptest.NewRecorder()
			b.handler.ServeHTTP(w, r)
			return w.Code
		}
		require.NotEqual(t, http.StatusOK, post(authorization))
		require.NotEqual(t, http.StatusOK, post(sign(t, apiKey, "not the secret", body)))
		require.Empty(t, b.temporal.taken())
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest},
			post(sign(t, "APIh2key", "h2secret_h2secret_h2secret_h2secret_32", body)))
		b.temporal.forget()
	})
}
