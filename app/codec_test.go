package app_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

func TestTheCodecEndpointIsOnTheAdminAddressForWhoHasItsToken(t *testing.T) {
	t.Parallel()
	const token = "a token of 16 characters or more"
	ask := func(change []string, bearer string) int {
		h, err := open(t, change...).Admin(func() bool { return true })
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodPost, "/codec/decode", strings.NewReader(`{"payloads":[]}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+bearer)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	set := []string{"REELKEEPER_CODEC_TOKEN", token, "REELKEEPER_CODEC_ORIGIN", "http://127.0.0.1:8233"}
	require.Equal(t, http.StatusOK, ask(set, token))
	require.Equal(t, http.StatusUnauthorized, ask(set, "another"))
	require.Equal(t, http.StatusNotFound, ask(nil, token), "without the setting there is no endpoint")
	worker, err := app.Open(app.Options{Environ: environ(t, set...), Role: config.Worker, LogTo: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, worker.Close()) })
	h, err := worker.Admin(func() bool { return true })
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/codec/decode", nil))
	require.Equal(t, http.StatusNotFound, w.Code, "a worker shows nobody what is encrypted")
	_, err = open(t, "REELKEEPER_CODEC_TOKEN", "short", "REELKEEPER_CODEC_ORIGIN", "http://127.0.0.1:8233").Admin(func() bool { return true })
	require.ErrorContains(t, err, "REELKEEPER_CODEC_TOKEN: must have at least 16 characters")
}
