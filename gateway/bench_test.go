package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

const (
	apiKey      = "APIkey"
	apiSecret   = "a secret of the test, nobody else's"
	otherKey    = "APIother"
	otherSecret = "the secret of the project's other key"
	publicURL   = "https://door.example.com"
)

// requestTimeout is the longest wait of a caller at the bench's door: the default.
const requestTimeout = 9 * time.Second

// seen is a request that reached LiveKit's own address.
type seen struct {
	method, authorization, body string
}

// bench is the door, with everything around it observable.
type bench struct {
	recordings *recordings
	liveKit    *liveKit
	upstream   http.Handler // LiveKit's answer at its own address
	door       *gateway.Handler
	log        *gateway.Lines
	meter      *sdkmetric.ManualReader

	mu     sync.Mutex
	passed []seen
}

// ServeHTTP is LiveKit at its own address.
func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	b.passed = append(b.passed, seen{strings.TrimPrefix(r.URL.Path, "/twirp/livekit."), r.Header.Get("Authorization"), string(body)})
	b.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	b.upstream.ServeHTTP(w, r)
}

func (b *bench) reached() []seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.passed
}

// newBench makes a door whose Temporal accepts every start and knows nothing else. upstream may be
// nil if LiveKit's own address is not called.
func newBench(tb testing.TB, upstream http.Handler, change ...func(*gateway.Config)) *bench {
	tb.Helper()
	b := &bench{log: &gateway.Lines{}, meter: sdkmetric.NewManualReader(), upstream: upstream}
	b.recordings = &recordings{
		begin: func(_ context.Context, s egress.StartOptions) (gateway.Pending, error) {
			return pending(func(context.Context) (egress.Info, error) {
				return egress.NewInfo(echo(egress.AddWebhook(s.Request, ours(s.RequestID)), "EG_"+s.RequestID))
			}), nil
		},
		stop:      func(_ context.Context, _, id string) (egress.Info, error) { return egress.NewInfo(ending(id)) },
		adopt:     func(context.Context, string, *livekit.EgressInfo) (bool, error) { return false, nil },
		requestOf: func(context.Context, string) (string, error) { return "", nil },
		lost:      func(context.Context, []string) (map[string]string, error) { return nil, nil },
		ended:     func(context.Context, string, string, ...string) ([]egress.Info, error) { return nil, nil },
	}
	b.liveKit = &liveKit{
		start: func(_ context.Context, r egress.Request) (*livekit.EgressInfo, error) {
			return echo(r, "EG_direct"), nil
		},
		stop: func(_ context.Context, id string) (*livekit.EgressInfo, error) { return ending(id), nil },
		list: func(context.Context) error { return nil },
	}
	at := "http://127.0.0.1:1"
	if upstream != nil {
		server := httptest.NewServer(b)
		tb.Cleanup(server.Close)
		at = server.URL
	}
	u, err := url.Parse(at)
	require.NoError(tb, err)
	c := gateway.Config{
		Keys:       auth.NewFileBasedKeyProviderFromMap(map[string]string{apiKey: apiSecret, otherKey: otherSecret}),
		Recordings: b.recordings, LiveKit: b.liveKit, Marker: marker{},
		Upstream: u, PublicURL: publicURL + "/", SigningKey: apiKey,
		FailOpenAfter: 2 * time.Second,
		Log:           slog.New(slog.NewJSONHandler(b.log, nil)),
		Meter:         sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.meter)).Meter("test"),
	}
	for _, f := range change {
		f(&c)
	}
	b.door, err = gateway.New(c)
	require.NoError(tb, err)
	return b
}

// serve returns the door's address.
func (b *bench) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(b.door)
	t.Cleanup(server.Close)
	return server.URL
}

// sdk returns LiveKit's own client, pointed at the door.
func (b *bench) sdk(t *testing.T) *lksdk.EgressClient {
	t.Helper()
	return lksdk.NewEgressClient(b.serve(t), apiKey, apiSecret)
}

// call makes one JSON call, with additional headers as names and values.
func (b *bench) call(tb testing.TB, method, body string, header ...string) *httptest.ResponseRecorder {
	tb.Helper()
	r := request(context.Background(), tb, method, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.do(r)
}

// refusal is a Twirp error as it is written.
type refusal struct{ Code, Msg string }

func refusalIn(tb testing.TB, w *httptest.ResponseRecorder) refusal {
	tb.Helper()
	var e refusal
	require.NoError(tb, json.Unmarshal(w.Body.Bytes(), &e), w.Body.String())
	return e
}

func token(tb testing.TB, key, secret string, grant *auth.VideoGrant) string {
	tb.Helper()
	t, err := auth.NewAccessToken(key, secret).SetVideoGrant(grant).SetIdentity("agent").ToJWT()
	require.NoError(tb, err)
	return t
}

// echo returns LiveKit's answer to a start.
func echo(r egress.Request, id string) *livekit.EgressInfo {
	m := &livekit.EgressInfo{EgressId: id, RoomName: egress.Summarize(r).Room, Status: livekit.EgressStatus_EGRESS_STARTING}
	switch r := r.(type) {
	case *livekit.RoomCompositeEgressRequest:
		m.Request = &livekit.EgressInfo_RoomComposite{RoomComposite: r}
	case *livekit.WebEgressRequest:
		m.Request = &livekit.EgressInfo_Web{Web: r}
	case *livekit.ParticipantEgressRequest:
		m.Request = &livekit.EgressInfo_Participant{Participant: r}
	case *livekit.TrackCompositeEgressRequest:
		m.Request = &livekit.EgressInfo_TrackComposite{TrackComposite: r}
	case *livekit.TrackEgressRequest:
		m.Request = &livekit.EgressInfo_Track{Track: r}
	case *livekit.StartEgressRequest:
		m.Request = &livekit.EgressInfo_Egress{Egress: r}
	}
	return m
}

func ending(id string) *livekit.EgressInfo {
	return &livekit.EgressInfo{EgressId: id, RoomName: "daily", Status: livekit.EgressStatus_EGRESS_ENDING}
}

// running returns an active egress of a request of ours, or of nobody's if id is empty.
func running(egressID, id string, hooks ...*livekit.WebhookConfig) *livekit.EgressInfo {
	r := &livekit.RoomCompositeEgressRequest{RoomName: "daily", Webhooks: hooks}
	if id != "" {
		r.Webhooks = append([]*livekit.WebhookConfig{ours(id)}, hooks...)
	}
	m := echo(r, egressID)
	m.Status = livekit.EgressStatus_EGRESS_ACTIVE
	return m
}

// counts returns the requests so far by method and outcome, without zeros.
func (b *bench) counts(tb testing.TB) map[string]int64 {
	tb.Helper()
	counts := b.allCounts(tb)
	maps.DeleteFunc(counts, func(_ string, n int64) bool { return n == 0 })
	return counts
}

func (b *bench) allCounts(tb testing.TB) map[string]int64 {
	tb.Helper()
	counts := map[string]int64{}
	sum, ok := b.metric(tb, "reelkeeper_door_requests_total").(metricdata.Sum[int64])
	require.True(tb, ok)
	for _, p := range sum.DataPoints {
		method, _ := p.Attributes.Value("method")
		outcome, _ := p.Attributes.Value("outcome")
		counts[fmt.Sprintf("%s %s", method.AsString(), outcome.AsString())] = p.Value
	}
	return counts
}

func (b *bench) metric(tb testing.TB, name string) metricdata.Aggregation {
	tb.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(tb, b.meter.Collect(context.Background(), &all))
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == name {
				return m.Data
			}
		}
	}
	require.FailNow(tb, "no metric", name)
	return nil
}

// line returns the log's only line, without what varies between runs.
func (b *bench) line(tb testing.TB) map[string]any {
	tb.Helper()
	var line map[string]any
	require.NoError(tb, json.Unmarshal([]byte(b.log.String()), &line), b.log.String())
	delete(line, "time")
	delete(line, "took")
	return line
}

// request returns a JSON call by a caller who may record.
func request(ctx context.Context, tb testing.TB, method, body string) *http.Request {
	tb.Helper()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/twirp/livekit.Egress/"+method, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token(tb, apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true}))
	return r
}

// do makes the door answer in memory, so that it can run on synctest's clock.
func (b *bench) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.door.ServeHTTP(w, r)
	return w
}
