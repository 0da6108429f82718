package webhook_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/webhook"
)

const (
	apiKey    = "APIkey"
	apiSecret = "a secret of the test, nobody else's"
	room      = "daily"
	egressID  = "EG_1"
)

// signal is one call of Signal.
type signal struct {
	workflowID, name, requestID string
	event                       egress.Event
}

// temporal is Temporal as the endpoint sees it.
type temporal struct {
	byID   map[string]string   // egress ID → workflow ID
	byRoom map[string][]string // room → workflow IDs
	find   error
	adopt  error
	late   error
	strays []string // egress IDs that are request IDs, too
	answer func(ctx context.Context, workflowID string) error

	mu      sync.Mutex
	signals []signal
	adopted []string
	noted   []string // ends that were reported too late
}

var errOver = &egress.Error{Reason: egress.AlreadyOver, Message: "has completed"}

func (f *temporal) Adopt(_ context.Context, requestID string, _ egress.Extras, e egress.Event) error {
	f.mu.Lock()
	f.adopted = append(f.adopted, requestID+" by "+e.Proto().GetId())
	f.mu.Unlock()
	return f.adopt
}

func (f *temporal) Late(_ context.Context, workflowID string, e egress.Event) error {
	f.mu.Lock()
	f.noted = append(f.noted, workflowID+" by "+e.Proto().GetId())
	f.mu.Unlock()
	return f.late
}

// Signal knows, of the workflows that have an egress ID, only strays, and keeps no signals for others.
func (f *temporal) Signal(ctx context.Context, workflowID, name, requestID string, e egress.Event) error {
	if id, _ := egress.RequestID(workflowID); egress.IsEgressID(id) && !slices.Contains(f.strays, id) {
		return errUnknown
	}
	f.mu.Lock()
	f.signals = append(f.signals, signal{workflowID, name, requestID, e})
	f.mu.Unlock()
	return f.answer(ctx, workflowID)
}

func (f *temporal) ByEgressID(_ context.Context, id string) (string, bool, error) {
	w, ok := f.byID[id]
	return w, ok, f.find
}

func (f *temporal) ByRoom(_ context.Context, room string) ([]string, error) {
	return f.byRoom[room], f.find
}

func (f *temporal) taken() []signal {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signals
}

func (f *temporal) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signals = nil
}

// workflows returns those that were signalled, in order.
func (f *temporal) workflows() []string {
	ids := []string{}
	for _, s := range f.taken() {
		ids = append(ids, s.workflowID)
	}
	return ids
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// bench is the endpoint on a real server, with everything around it observable.
type bench struct {
	temporal *temporal
	keys     *seal.Keys
	handler  *webhook.Handler
	server   *httptest.Server
	log      *lines
	meter    *sdkmetric.ManualReader
}

func newBench(tb testing.TB, change ...func(*webhook.Config)) *bench {
	tb.Helper()
	keys, err := seal.New(seal.Config{Secret: apiSecret})
	require.NoError(tb, err)
	b := &bench{keys: keys, log: &lines{}, meter: sdkmetric.NewManualReader()}
	b.temporal = &temporal{
		byID:   map[string]string{egressID: "egress/found"},
		byRoom: map[string][]string{room: {"egress/a", "egress/b"}},
		answer: func(context.Context, string) error { return nil },
	}
	c := webhook.Config{
		Keys: auth.NewSimpleKeyProvider(apiKey, apiSecret), MACs: keys, Recordings: b.temporal,
		Log:   slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.meter)).Meter("test"),
	}
	for _, f := range change {
		f(&c)
	}
	b.handler, err = webhook.New(c)
	require.NoError(tb, err)
	b.server = httptest.NewServer(b.handler)
	tb.Cleanup(b.server.Close)
	return b
}

// request returns a webhook that is valid in every way.
func (b *bench) request(tb testing.TB, path, body string) *http.Request {
	tb.Helper()
	r, err := http.NewRequest(http.MethodPost, b.server.URL+path, bytes.NewReader([]byte(body)))
	require.NoError(tb, err)
	r.Header.Set("Authorization", sign(tb, apiKey, apiSecret, body))
	r.Header.Set("Content-Type", "application/webhook+json")
	return r
}

func (b *bench) do(tb testing.TB, r *http.Request) *http.Response {
	tb.Helper()
	res, err := b.server.Client().Do(r)
	require.NoError(tb, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(tb, err)
	require.NoError(tb, res.Body.Close())
	return res
}

func (b *bench) post(tb testing.TB, path, body string) int {
	tb.Helper()
	return b.do(tb, b.request(tb, path, body)).StatusCode
}

// counts returns the requests by reason, for all existing reasons.
func (b *bench) counts(tb testing.TB) map[webhook.Reason]int64 {
	tb.Helper()
	counts := map[webhook.Reason]int64{}
	sum, ok := b.metric(tb, "reelkeeper_webhook_requests_total").(metricdata.Sum[int64])
	require.True(tb, ok)
	for _, p := range sum.DataPoints {
		reason, ok := p.Attributes.Value("reason")
		require.True(tb, ok)
		counts[webhook.Reason(reason.AsString())] = p.Value
	}
	return counts
}

func (b *bench) metric(tb testing.TB, name string) metricdata.Aggregation {
	tb.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(tb, b.meter.Collect(context.Background(), &all))
	for _, m := range all.ScopeMetrics[0].Metrics {
		if m.Name == name {
			return m.Data
		}
	}
	return nil
}

// became requires that there was one request, with this result.
func (b *bench) became(tb testing.TB, want webhook.Reason) {
	tb.Helper()
	for reason, n := range b.counts(tb) {
		require.Equal(tb, map[bool]int64{true: 1}[reason == want], n, "count of %s", reason)
	}
	require.Contains(tb, b.log.String(), fmt.Sprintf(`"reason":%q`, want))
}

func (b *bench) path(requestID string) string { return b.keys.Token(requestID, 1).Path() }

// sign returns the Authorization that LiveKit sends with a body.
func sign(tb testing.TB, key, secret, body string, change ...func(*auth.AccessToken)) string {
	tb.Helper()
	sum := sha256.Sum256([]byte(body))
	token := auth.NewAccessToken(key, secret).SetValidFor(5 * time.Minute).
		SetSha256(base64.StdEncoding.EncodeToString(sum[:]))
	for _, f := range change {
		f(token)
	}
	jwt, err := token.ToJWT()
	require.NoError(tb, err)
	return jwt
}

// egressEvent returns an egress event with the request that LiveKit echoes.
func egressEvent(name, id, echoedURL string) string {
	return fmt.Sprintf(`{"event":%q, "id":"EV_1", "egressInfo":{"egressId":%q, "roomName":%q, "status":"EGRESS_ACTIVE",`+
		` "roomComposite":{"roomName":%q, "webhooks":[{"url":%q}]}}}`, name, id, room, room, echoedURL)
}

// started returns an event without a token of ours.
func started() string { return egressEvent(egress.EventStarted, egressID, "https://example.com/hook") }
