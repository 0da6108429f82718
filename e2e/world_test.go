package e2e

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

const (
	apiKey    = "APIe2e"
	apiSecret = "e2e-secret-e2e-secret-e2e-secret-32"
	// limit is the upper limit of every wait: far above what anything takes, since these machines
	// are noisy.
	limit = 3 * time.Minute
)

// timers are the settings of a world, whose recordings take seconds.
var timers = map[string]string{
	"REELKEEPER_LOOK_STARTING":               "1s,1s,2s",
	"REELKEEPER_LOOK_ACTIVE":                 "1s",
	"REELKEEPER_LOOK_ENDING":                 "500ms,500ms,1s",
	"REELKEEPER_LOST_AFTER":                  "2s",
	"REELKEEPER_HOLD_FOR":                    "1s",
	"REELKEEPER_CORRECT_FOR":                 "off", // otherwise lost egresses stay open
	"REELKEEPER_TOKEN_SEARCH":                "2s",
	"REELKEEPER_TOKEN_SEARCH_EVERY":          "200ms",
	"REELKEEPER_START_CALL_TIMEOUT":          "3s",
	"REELKEEPER_FAIL_OPEN_AFTER":             "5s", // a busy machine must not look like Temporal being down
	"REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE": "60000",
	"REELKEEPER_RECONCILE_EVERY":             "off", // a round at the full minute would change who reports an end
	"REELKEEPER_CANARY_EVERY":                "off",
	"REELKEEPER_VERIFY_FOR":                  "off", // most requests name stores that do not exist
	"REELKEEPER_PREFLIGHT":                   "off", // most requests name stores that do not exist
	"REELKEEPER_LOG_LEVEL":                   "warn",
	"REELKEEPER_ALLOW_HOSTS":                 "127.0.0.1",
}

// world is what ships, between a real Temporal, the fake LiveKit and a consumer.
type world struct {
	t        *testing.T
	fake     *fakelivekit.Server
	consumer *consumer
	environ  map[string]string
	door     *httptest.Server
	client   *recordings.Client
	log      *logBuffer
	front    *app.App // whose door it is
	worker   *app.App
	hurry    time.Duration // how often the webhook endpoint reports; zero: as it ships
	away     func()        // ends the webhook endpoint, for good
	calls    sync.Map      // how long the call of a room lasts, once it is recorded
	dialled  sync.Once
	program  client.Client // any program's
}

// newWorld makes a world; change may alter the fake or the settings before anything starts.
func newWorld(t *testing.T, change func(fake *fakelivekit.Config, environ map[string]string)) *world {
	t.Helper()
	return newWorldInAHurry(t, 0, change)
}

// newWorldInAHurry makes a world whose webhook endpoint reports at the given interval.
func newWorldInAHurry(t *testing.T, hurry time.Duration, change func(fake *fakelivekit.Config, environ map[string]string)) *world {
	t.Helper()
	w, l, doorURL := emptyWorld(t, hurry)
	fake := fakelivekit.Config{
		APIKey: apiKey, APISecret: apiSecret, WebhookURLs: []string{doorURL + egress.WebhookPath},
		Timings: hastened(), Seed: 1,
	}
	if change != nil {
		change(&fake, w.environ)
	}
	var err error
	w.fake, err = fakelivekit.New(fake)
	require.NoError(t, err)
	require.NoError(t, w.fake.Start())
	t.Cleanup(func() { _ = w.fake.Close() })
	w.openDoor(l, w.fake.URL())
	return w
}

// hastened is a LiveKit that does everything in a tenth of its time, but is as patient with our
// endpoint as a real one: the machine may be slow.
func hastened() fakelivekit.Timings {
	asShipped := fakelivekit.DefaultTimings()
	t := asShipped.Scaled(0.1)
	t.WebhookTimeout, t.WebhookMaxAge = asShipped.WebhookTimeout, asShipped.WebhookMaxAge
	return t
}

// leisurely gives a webhook time before anybody looks, even on a busy machine: for worlds in which
// it matters who reports an end.
func leisurely(_ *fakelivekit.Config, environ map[string]string) {
	environ["REELKEEPER_LOOK_STARTING"], environ["REELKEEPER_LOOK_ACTIVE"], environ["REELKEEPER_LOOK_ENDING"] = "1m", "1m", "15s"
}

// emptyWorld makes a world without a LiveKit, and returns where its door will be.
func emptyWorld(t *testing.T, hurry time.Duration) (w *world, l net.Listener, doorURL string) {
	t.Helper()
	w = &world{t: t, consumer: newConsumer(t), log: &logBuffer{}, hurry: hurry}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	doorURL = "http://" + l.Addr().String()
	address, namespace := place(t)
	w.environ = map[string]string{
		"LIVEKIT_API_KEY": apiKey, "LIVEKIT_API_SECRET": apiSecret,
		"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": namespace,
		"REELKEEPER_PUBLIC_URL": doorURL, "REELKEEPER_ANNOUNCE_URL": w.consumer.URL,
	}
	maps.Copy(w.environ, timers)
	return w, l, doorURL
}

// openDoor opens a world's door to its LiveKit.
func (w *world) openDoor(l net.Listener, liveKitURL string) {
	t := w.t
	t.Helper()
	w.environ["LIVEKIT_URL"] = liveKitURL
	a := w.open()
	w.front, w.client = a, a.Recordings()
	h, err := a.Door()
	require.NoError(t, err)
	w.door = &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	w.door.Start()
	ctx, stop := context.WithCancel(t.Context())
	reports := make(chan struct{})
	go func() {
		defer close(reports)
		a.Report(ctx)
	}()
	w.away = func() {
		w.door.Close()
		stop()
		<-reports
	}
	t.Cleanup(w.away)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.log.String())
		}
	})
}

func (w *world) open() *app.App {
	w.t.Helper()
	a, err := app.Open(app.Options{
		Environ: w.environ, Role: config.Serve, LogTo: w.log, ReportEvery: w.hurry,
		// On a busy machine, visibility lags behind, and so does the worker that is queried.
		Recordings: recordings.Config{FindFor: 10 * time.Second, QueryFor: 10 * time.Second},
	})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = a.Close() })
	return a
}

// startWorker runs a worker and waits until it is ready.
func (w *world) startWorker() {
	w.t.Helper()
	if *released != "" {
		w.workerProcess()
		return
	}
	w.runWorker()
}

// runWorker runs a worker in this process, and returns what ends it.
func (w *world) runWorker() (stop func()) {
	w.t.Helper()
	a := w.open()
	w.worker = a
	ctx, cancel := context.WithCancel(w.t.Context())
	done, ready := make(chan struct{}), make(chan struct{})
	var ended error
	go func() { ended = a.RunWorker(ctx, func() { close(ready) }); close(done) }()
	select {
	case <-ready:
	case <-done:
		require.NoError(w.t, ended)
	}
	end := func() {
		cancel()
		<-done
	}
	w.t.Cleanup(end) // before its App is closed
	return func() {
		end()
		require.NoError(w.t, ended)
	}
}

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	w.t.Cleanup(cancel)
	return ctx
}

// room creates a room on LiveKit. Its call lasts for script.Call from the confirmed start of a
// recording on, so that it does not end earlier on a slow machine.
func (w *world) room(name string, script fakelivekit.RoomScript) {
	w.t.Helper()
	w.calls.Store(name, script.Call)
	script.Call = 0
	require.NoError(w.t, w.fake.AddRoom(name, script))
}

// start asks for a recording of a room, as an agent does.
func (w *world) start(room string) recordings.Started {
	w.t.Helper()
	s, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-" + room, Request: composite(room)})
	require.NoError(w.t, err)
	if call, _ := w.calls.LoadAndDelete(room); call != nil && call != time.Duration(0) {
		timer := time.AfterFunc(call.(time.Duration), func() { _ = w.fake.EndCall(room) }) // the room may have been closed
		w.t.Cleanup(func() { timer.Stop() })
	}
	return s
}

// verdict waits for the end of the recording of a room.
func (w *world) verdict(room string) egress.Verdict {
	w.t.Helper()
	v, err := w.client.Wait(w.ctx(), "r-"+room)
	require.NoError(w.t, err)
	return v
}

// state returns what the workflow of a room's recording says about itself.
func (w *world) state(room string) recordings.View {
	w.t.Helper()
	var v recordings.View
	w.answered("the state of "+room, func() (err error) {
		v, err = w.client.State(w.ctx(), "r-"+room)
		return err
	})
	return v
}

var errNotYet = errors.New("it never was so")

// want waits until something is true.
func (w *world) want(what string, so func() bool) {
	w.t.Helper()
	w.answered(what, func() error {
		if so() {
			return nil
		}
		return errNotYet
	})
}

// answered retries until ask succeeds, on the test's own goroutine: a failed requirement in ask
// fails the test at once.
func (w *world) answered(what string, ask func() error) {
	w.t.Helper()
	for deadline := time.Now().Add(limit); ; <-time.After(20 * time.Millisecond) {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			require.NoError(w.t, err, what)
		}
	}
}

// twins counts, from LiveKit's side, the recordings in addition to another one of the same request.
func (w *world) twins() int {
	recorded, n := map[string]int{}, 0
	for _, r := range w.fake.Egresses() {
		t, ok := tokenIn(r.Info)
		if ok && r.Recorded {
			if recorded[t.RequestID]++; recorded[t.RequestID] > 1 {
				n++
			}
		}
	}
	return n
}

// tokenIn returns the token of an egress, whichever key made it.
func tokenIn(m *livekit.EgressInfo) (egress.Token, bool) {
	return egress.OurToken(m, func(egress.Token) bool { return true })
}

func composite(room string) egress.Request {
	return &livekit.RoomCompositeEgressRequest{
		RoomName: room, FileOutputs: []*livekit.EncodedFileOutput{{Filepath: room + "-{time}.mp4"}},
	}
}

// consumer handles `egress_ended` with LiveKit's own receiver.
type consumer struct {
	*httptest.Server
	mu     sync.Mutex
	events []*livekit.WebhookEvent
	answer func(*livekit.WebhookEvent) int // default: 200
}

func newConsumer(t *testing.T) *consumer {
	t.Helper()
	c := &consumer{}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// ServeHTTP receives one announcement.
func (c *consumer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := webhook.ReceiveWebhookEvent(r, auth.NewFileBasedKeyProviderFromMap(map[string]string{apiKey: apiSecret, "devkey": "secret"}))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.events = append(c.events, e)
	answer := c.answer
	c.mu.Unlock()
	if answer != nil {
		w.WriteHeader(answer(e))
	}
}

func (c *consumer) answerWith(answer func(*livekit.WebhookEvent) int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// told returns every announcement of an egress.
func (c *consumer) told(egressID string) []*livekit.WebhookEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*livekit.WebhookEvent
	for _, e := range c.events {
		if e.GetEgressInfo().GetEgressId() == egressID {
			list = append(list, e)
		}
	}
	return list
}

// under returns the event IDs of an egress's announcements. An announcement that got no answer in
// time is repeated under the same ID, as with hundreds of ends at once.
func (c *consumer) under(egressID string) map[string]bool {
	ids := map[string]bool{}
	for _, e := range c.told(egressID) {
		ids[e.GetId()] = true
	}
	return ids
}

// all returns every announcement.
func (c *consumer) all() []*livekit.WebhookEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.events)
}

// logBuffer keeps a world's log in case its test fails, and for tests that look for what must not
// be in it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends to the log.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns the log so far.
func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(l.b.String())
}
