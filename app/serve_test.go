package app_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/webhook"
)

// running is a process that runs inside the test's.
type running struct {
	door, admin string
	stop        func() error
}

// run starts a process and waits until its admin address answers.
func run(t *testing.T, main process, change ...string) running {
	t.Helper()
	e := environ(t, change...)
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return main(ctx, e) })
	r := running{door: "http://" + e["REELKEEPER_LISTEN"], admin: "http://" + e["REELKEEPER_ADMIN_LISTEN"], stop: func() error {
		cancel()
		return g.Wait()
	}}
	t.Cleanup(func() { require.NoError(t, r.stop()) })
	require.Eventually(t, func() bool { return reachable(r.admin + "/healthz") }, 20*time.Second, 5*time.Millisecond)
	return r
}

func reachable(url string) bool {
	res, err := http.Get(url)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil
}

func answersOK(url string) bool {
	res, err := http.Get(url)
	return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

func TestAWorkerIsAliveButNotReadyWhileItCannotPoll(t *testing.T) {
	t.Parallel()
	r := run(t, app.WorkerMain)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 200, "/": 404, "/webhooks/livekit": 404} {
		status, _ := get(t, r.admin+path)
		require.Equal(t, want, status, path)
	}
	require.NoError(t, r.stop(), "to be told to stop is no failure, also before Temporal came")
}

func TestTheDoorIsReadyWhileTemporalIsDown(t *testing.T) {
	t.Parallel()
	r := run(t, app.ServeMain)
	for url, want := range map[string]int{
		r.door + "/healthz": 200, r.door + "/readyz": 200, r.door + "/metrics": 502, r.door + "/": 502, // LiveKit, which does not exist,
		r.admin + "/healthz": 200, r.admin + "/readyz": 200, r.admin + "/metrics": 200,
		r.door + "/webhooks/livekit": 405, r.door + "/webhooks/livekit/a/1/mac": 405,
		r.door + "/webhooks/livekit/": 405, r.door + "//webhooks/livekit": 405, r.door + "/webhooks/livekit/a/1/mac/": 405, // LiveKit must never answer these
		r.door + "//webhooks//livekit": 502, r.door + "/webhooks/livekit2": 502,
	} {
		status, _ := get(t, url)
		require.Equal(t, want, status, url)
	}
	require.NoError(t, r.stop())
}

func TestReadinessFollowsTheWorker(t *testing.T) {
	t.Parallel()
	a := open(t)
	ready := false
	h, err := a.Admin(func() bool { return ready })
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	status, _ := get(t, server.URL+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	ready = true
	status, body := get(t, server.URL+"/readyz")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "ok\n", body)
}

func open(t *testing.T, change ...string) *app.App {
	t.Helper()
	a, err := app.Open(app.Options{Environ: environ(t, change...), Role: config.Serve, LogTo: io.Discard})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

func TestEveryLabelOfOurMetricsIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	r := run(t, app.ServeMain)
	_, metrics := get(t, r.admin+"/metrics")
	require.Regexp(t, `(?m)^reelkeeper_build_info\{commit=".+",go="go1\..+",release=".+"\} 1$`, metrics)
	for _, o := range webhook.Outcomes() {
		require.Contains(t, metrics, `reelkeeper_webhook_requests_total{reason="`+string(o.Reason)+`"} 0`)
	}
	get(t, r.door+"/webhooks/livekit")
	_, metrics = get(t, r.admin+"/metrics")
	require.Contains(t, metrics, `reelkeeper_webhook_requests_total{reason="not_post"} 1`)
	require.Contains(t, metrics, "reelkeeper_webhook_duration_seconds_count 1")
}

func TestAStopLetsRequestsUnderWayFinish(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	entered, release := make(chan struct{}), make(chan struct{})
	l := taken(t)
	var g errgroup.Group
	g.Go(func() error {
		return app.Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			_, _ = io.WriteString(w, "finished")
		}))
	})
	var body string
	g.Go(func() error {
		res, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			return err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		body = string(b)
		return err
	})
	<-entered
	stop()
	require.Eventually(t, func() bool { return !reachable("http://" + l.Addr().String()) }, 20*time.Second, time.Millisecond, "nobody new is let in")
	close(release)
	require.NoError(t, g.Wait())
	require.Equal(t, "finished", body)
}

func TestAListenerThatBreaksEndsTheServer(t *testing.T) {
	t.Parallel()
	l := taken(t)
	require.NoError(t, l.Close())
	require.ErrorContains(t, app.Serve(t.Context(), l, http.NotFoundHandler()), "serve "+l.Addr().String())
}
