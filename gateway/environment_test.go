package gateway

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// In a process of its own, since net/http reads the environment only once.
func TestLiveKitIsReachedThroughTheEnvironmentsProxy(t *testing.T) {
	t.Parallel()
	const livekit = "http://livekit.example.com"
	if os.Getenv("REELKEEPER_TEST_PROXIED") != "" {
		at, err := url.Parse(livekit)
		require.NoError(t, err)
		res := httptest.NewRecorder()
		newProxy(at, slog.New(slog.DiscardHandler)).ServeHTTP(res, httptest.NewRequest(http.MethodGet, "/rtc/validate", nil))
		require.Equal(t, http.StatusTeapot, res.Code)
		return
	}
	asked := make(chan string, 1)
	forward := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.RequestURI
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(forward.Close)
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$") //nolint:gosec // this very test
	self.Env = append(os.Environ(), "REELKEEPER_TEST_PROXIED=1", "HTTP_PROXY="+forward.URL)
	out, err := self.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, livekit+"/rtc/validate", <-asked)
}
