package e2e

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// The benchmarks of this package measure what ships, as docs/performance.md describes. One
// iteration is one round, over which rates and quantiles are taken.

// benchLimit is the upper limit of one benchmark.
const benchLimit = 30 * time.Minute

// stage is a world for benchmarks: what ships, between Temporal, a LiveKit that answers at once,
// and a consumer that accepts everything.
type stage struct {
	b        *testing.B
	ctx      context.Context
	fake     *fakelivekit.Server
	consumer *httptest.Server
	environ  map[string]string
	door     *httptest.Server
	keys     *seal.Keys
	client   *recordings.Client
	worker   *app.App     // nil until startWorker
	sender   *http.Client // for webhooks: keeps its connections, as LiveKit's does
	figures  figures
}

// newStage makes a stage; change may alter the fake or the settings before anything starts. By
// default LiveKit sends no webhooks: the benchmarks do.
func newStage(b *testing.B, change func(fake *fakelivekit.Config, environ map[string]string)) *stage {
	b.Helper()
	s := &stage{b: b, sender: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	b.Cleanup(s.sender.CloseIdleConnections)
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithTimeout(b.Context(), benchLimit)
	b.Cleanup(cancel)
	s.consumer = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(s.consumer.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	doorURL := "http://" + l.Addr().String()

	fake := fakelivekit.Config{
		APIKey: apiKey, APISecret: apiSecret, AnyRoom: true, Timings: atOnce(), Seed: 1,
		Faults: map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1, fakelivekit.RoomWebhookLost: 1},
	}
	n := given.Add(1) - 1
	require.Less(b, n, int64(worlds), "too many namespaces: run fewer benchmarks at once")
	s.environ = map[string]string{
		"LIVEKIT_API_KEY": apiKey, "LIVEKIT_API_SECRET": apiSecret,
		"TEMPORAL_ADDRESS": server.Address, "TEMPORAL_NAMESPACE": namespace(n),
		"REELKEEPER_PUBLIC_URL": doorURL, "REELKEEPER_ANNOUNCE_URL": s.consumer.URL, "REELKEEPER_LOG_LEVEL": "error",
		"REELKEEPER_RECONCILE_EVERY": "off", "REELKEEPER_CANARY_EVERY": "off",
	}
	if change != nil {
		change(&fake, s.environ)
	}
	s.fake, err = fakelivekit.New(fake)
	require.NoError(b, err)
	require.NoError(b, s.fake.Start())
	b.Cleanup(func() { _ = s.fake.Close() })
	s.environ["LIVEKIT_URL"] = s.fake.URL()
	s.keys, err = seal.New(seal.Config{Secret: apiSecret})
	require.NoError(b, err)

	a := s.open()
	h, err := a.Door()
	require.NoError(b, err)
	s.door = &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.door.Start()
	b.Cleanup(s.door.Close)
	s.client = a.Recordings()
	return s
}

// everythingOn leaves rounds and the canary as shipped.
func everythingOn(_ *fakelivekit.Config, environ map[string]string) {
	delete(environ, "REELKEEPER_RECONCILE_EVERY")
	delete(environ, "REELKEEPER_CANARY_EVERY")
}

// atOnce returns timings of a LiveKit that takes no time, so that all measured time is ours.
func atOnce() fakelivekit.Timings {
	t := fakelivekit.DefaultTimings()
	t.StartClaim, t.StartReply, t.JoinTemplate, t.ActiveTemplate, t.Ending = -1, -1, -1, -1, -1
	return t
}

func (s *stage) open() *app.App {
	s.b.Helper()
	a, err := app.Open(app.Options{Environ: maps.Clone(s.environ), Role: config.Serve})
	require.NoError(s.b, err)
	s.b.Cleanup(func() { _ = a.Close() })
	return a
}

// startWorker runs a worker, with its own Temporal client as in a process of its own, until the
// benchmark ends.
func (s *stage) startWorker() {
	s.b.Helper()
	s.worker = s.open()
	ctx, stop := context.WithCancel(s.ctx)
	done, ready := make(chan error, 1), make(chan struct{})
	go func() { done <- s.worker.RunWorker(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		require.NoError(s.b, err)
	}
	s.b.Cleanup(func() {
		stop()
		require.NoError(s.b, <-done)
	})
}

// temporal returns a client of the stage's namespace with none of our code in it.
func (s *stage) temporal() client.Client {
	s.b.Helper()
	opts, err := config.TemporalOptions(s.environ)
	require.NoError(s.b, err)
	opts.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.DialContext(s.ctx, opts)
	require.NoError(s.b, err)
	s.b.Cleanup(c.Close)
	return c
}

// start asks for a recording; for an empty ID the client makes one.
func (s *stage) start(id string, room int) (recordings.Started, error) {
	return s.client.Start(s.ctx, egress.StartOptions{RequestID: id, Request: composite("room-" + strconv.Itoa(room))})
}

// path is where LiveKit posts a request's webhooks.
func (s *stage) path(requestID string) string {
	return s.door.URL + s.keys.Token(requestID, 1).Path()
}

// workflowOf returns the workflow ID of a started egress.
func workflowOf(r recordings.Started) string { return egress.WorkflowID(r.RequestID) }
