package webhook_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/livekit/protocol/auth"

	"github.com/reelkeeper/reelkeeper/webhook"
)

func TestEveryReasonIsCountedFromTheStart(t *testing.T) {
	t.Parallel()
	want := map[webhook.Reason]int64{}
	for _, o := range webhook.Outcomes() {
		want[o.Reason] = 0
	}
	require.Len(t, want, len(webhook.Outcomes()), "a reason has two outcomes")
	require.Equal(t, want, newBench(t).counts(t))
}

// LiveKit takes everything but 429 and 5xx for delivered.
func TestOnlyWhatNoRetryCanMendIsAnsweredWith4xx(t *testing.T) {
	t.Parallel()
	statuses := map[int][]webhook.Reason{}
	for _, o := range webhook.Outcomes() {
		statuses[o.Status] = append(statuses[o.Status], o.Reason)
	}
	require.Len(t, statuses, 5)
	require.Equal(t, []webhook.Reason{webhook.Unreadable}, statuses[http.StatusBadRequest])
	require.Equal(t, []webhook.Reason{webhook.NotPost}, statuses[http.StatusMethodNotAllowed])
	require.Equal(t, []webhook.Reason{webhook.Unsigned}, statuses[http.StatusUnauthorized])
	require.Len(t, statuses[http.StatusOK], 10)
	require.Len(t, statuses[http.StatusServiceUnavailable], 12)
}

func TestTheDurationHasLiveKitsBudgetsAmongItsBuckets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	began := time.Now()
	b.post(t, project, started())
	h, ok := b.metric(t, "reelkeeper_webhook_duration_seconds").(metricdata.Histogram[float64])
	require.True(t, ok)
	require.EqualValues(t, 1, h.DataPoints[0].Count)
	require.Greater(t, h.DataPoints[0].Sum, 0.0)
	require.Less(t, h.DataPoints[0].Sum, time.Since(began).Seconds())
	require.Subset(t, h.DataPoints[0].Bounds, []float64{2, 10, 15, 30, 65})
}

// Otherwise, anybody could push all other lines out of a log of limited size.
func TestRequestsOfAnybodyDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	log := &lines{}
	b := newBench(t, func(c *webhook.Config) { c.Log = slog.New(slog.NewJSONHandler(log, nil)) })
	synctest.Test(t, func(t *testing.T) { // without the bench's server, whose sockets would stop the clock
		participant := sign(t, apiKey, apiSecret, "", func(a *auth.AccessToken) { a.SetSha256("") })
		ask := func(method, token string) {
			r := httptest.NewRequest(method, project, strings.NewReader(started()))
			r.Header.Set("Authorization", token)
			b.handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		all := func() {
			for range 100 {
				ask(http.MethodGet, "")
				for _, token := range []string{"", "forged", sign(t, "APIother", apiSecret, ""), sign(t, apiKey, "another secret", ""), participant} {
					ask(http.MethodPost, token)
				}
			}
		}
		all()
		for _, reason := range []webhook.Reason{
			webhook.NotPost, webhook.Unsigned, webhook.BadToken, webhook.UnknownKey, webhook.BadSignature, webhook.NoWebhook,
		} {
			require.Equal(t, 1, strings.Count(log.String(), `"reason":"`+string(reason)+`"`), reason)
			require.EqualValues(t, 100, b.counts(t)[reason], "the metric has them all")
		}
		<-time.After(10 * time.Second)
		all()
		require.Equal(t, 2*6, strings.Count(log.String(), "\n"))
		for range 3 {
			ask(http.MethodPost, sign(t, apiKey, apiSecret, "another body"))
		}
		require.Equal(t, 3, strings.Count(log.String(), `"level":"WARN","msg":"webhook","reason":"wrong_hash"`), "whoever has our key may be LiveKit")
	})
}

func TestAnEndpointThatLacksSomethingNamesIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	whole := webhook.Config{
		Keys: auth.NewSimpleKeyProvider(apiKey, apiSecret), MACs: b.keys, Recordings: b.temporal,
		Log: slog.New(slog.DiscardHandler), Meter: noop.Meter{},
	}
	_, err := webhook.New(whole)
	require.NoError(t, err)
	const joined = "webhook: Keys, MACs, Recordings, Log and Meter are required"
	for name, tc := range map[string]struct {
		change func(*webhook.Config)
		want   string
	}{
		"keys":           {func(c *webhook.Config) { c.Keys = nil }, joined},
		"a log":          {func(c *webhook.Config) { c.Log = nil }, joined},
		"a meter":        {func(c *webhook.Config) { c.Meter = nil }, joined},
		"a secret":       {func(c *webhook.Config) { c.Previous = []string{"x", ""} }, "REELKEEPER_PREVIOUS_SECRETS: has an empty entry"},
		"MACs":           {func(c *webhook.Config) { c.MACs = nil }, joined},
		"recordings":     {func(c *webhook.Config) { c.Recordings = nil }, joined},
		"any time":       {func(c *webhook.Config) { c.Timeout = -1 }, "Timeout: must be positive, got -1ns"},
		"room for bytes": {func(c *webhook.Config) { c.MaxBody = -1 }, "MaxBody: must be positive, got -1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := whole
			tc.change(&c)
			_, err := webhook.New(c)
			require.EqualError(t, err, tc.want)
		})
	}
}
