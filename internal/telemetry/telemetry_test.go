package telemetry

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
)

func newTelemetry(t *testing.T, c Config) *Telemetry {
	t.Helper()
	tel, err := New(c)
	require.NoError(t, err)
	return tel
}

func scrape(tel *Telemetry) string {
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func TestBothLogsAreOne(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel := newTelemetry(t, Config{Format: "json", Level: slog.LevelWarn, Output: &out})
	tel.Logger().Info("not shown")
	tel.Logger().Warn("ours", "egressID", "EG_1")
	tel.TemporalLogger().Debug("not shown")
	tel.TemporalLogger().Error("Temporal's", "attempt", 3)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"msg":"ours","egressID":"EG_1"`) || !strings.Contains(lines[1], `"msg":"Temporal's","attempt":3`) {
		t.Errorf("got %s", out.String())
	}
}

func TestTextIsTheDefaultAndInfoTheLeastLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel := newTelemetry(t, Config{Output: &out})
	tel.Logger().Debug("not shown")
	tel.Logger().Info("shown")
	if !strings.HasSuffix(out.String(), "level=INFO msg=shown\n") || strings.Contains(out.String(), "not") {
		t.Errorf("got %s", out.String())
	}
}

func TestAnUnknownFormatIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Format: "xml"}); err == nil || err.Error() != `no such log format: "xml"` {
		t.Errorf("got %v", err)
	}
}

func TestOurMetricsAndTemporalsAreServedTogether(t *testing.T) {
	t.Parallel()
	tel := newTelemetry(t, Config{})
	counter, err := tel.Meter("webhook").Int64Counter("reelkeeper_webhooks", metric.WithDescription("Webhooks."))
	require.NoError(t, err)
	counter.Add(t.Context(), 2)
	temporal := tel.TemporalMetrics().WithTags(map[string]string{"namespace": "default"})
	temporal.Counter("temporal_request").Inc(3)
	temporal.Timer("temporal_request_latency").Record(30 * time.Millisecond)
	temporal.Timer("reelkeeper_lag").Record(2 * time.Hour) // recorded by our workflows
	temporal.Gauge("temporal_slots").Update(4)
	body := scrape(tel)
	for _, want := range []string{
		"reelkeeper_webhooks_total 2\n",
		`temporal_request_total{namespace="default"} 3` + "\n",
		`temporal_request_latency_seconds_bucket{namespace="default",le="0.025"} 0` + "\n",
		`temporal_request_latency_seconds_bucket{namespace="default",le="0.05"} 1` + "\n",
		`temporal_request_latency_seconds_bucket{namespace="default",le="600"} 1` + "\n" +
			`temporal_request_latency_seconds_bucket{namespace="default",le="+Inf"} 1` + "\n",
		`reelkeeper_lag_seconds_bucket{namespace="default",le="3600"} 0` + "\n" +
			`reelkeeper_lag_seconds_bucket{namespace="default",le="21600"} 1` + "\n",
		`temporal_slots{namespace="default"} 4` + "\n",
		"go_goroutines ",
		"process_open_fds ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics lack %q:\n%s", want, body)
		}
	}
}

func TestTwoInOneProcessShareNothing(t *testing.T) {
	t.Parallel()
	one, two := newTelemetry(t, Config{}), newTelemetry(t, Config{})
	one.TemporalMetrics().Counter("only_one").Inc(1)
	if body := scrape(two); strings.Contains(body, "only_one") {
		t.Error("the second shows the first one's metric")
	}
}

func TestAnInstrumentThatCannotBeMadeIsLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel := newTelemetry(t, Config{Output: &out})
	tel.TemporalMetrics().Counter("not a name").Inc(1)
	if !strings.Contains(out.String(), "Temporal metric cannot be made") {
		t.Errorf("got %q", out.String())
	}
}

func TestAfterShutdownNothingIsCounted(t *testing.T) {
	t.Parallel()
	tel := newTelemetry(t, Config{})
	require.NoError(t, tel.Shutdown(t.Context()))
	tel.TemporalMetrics().Counter("late").Inc(1)
	if strings.Contains(scrape(tel), "late") {
		t.Error("a metric was counted after the shutdown")
	}
	if err := tel.Shutdown(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "end metrics: ") {
		t.Errorf("a second shutdown gave %v", err)
	}
}
