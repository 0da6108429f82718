// Package telemetry is a process's log and metrics. Both belong to one value, so that two instances
// in one process (dev, tests) do not share them. It must never set a global provider, logger or
// registry.
package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/log"
)

// temporalScope names the meter of Temporal's SDK.
const temporalScope = "temporal-sdk-go"

// Config says how to log.
type Config struct {
	Level  slog.Level // the lowest level that is logged; default: info
	Format string     // "text" (default) or "json"
	Output io.Writer  // where the log goes; default: standard error
}

func (c Config) withDefaults() Config {
	c.Format = cmp.Or(c.Format, "text")
	if c.Output == nil {
		c.Output = os.Stderr
	}
	return c
}

// Telemetry is a process's log and metrics.
type Telemetry struct {
	logger   *slog.Logger
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
}

// New makes the telemetry of a process. It fails if the format is neither text nor json, or if the
// metrics' exporter cannot be made.
func New(c Config) (*Telemetry, error) {
	c = c.withDefaults()
	handler, err := newHandler(c)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("make metrics exporter: %w", err)
	}
	return &Telemetry{
		logger:   slog.New(handler),
		registry: registry,
		// There are no traces that an exemplar could name, and looking for one takes half of the time that
		// counting takes.
		provider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithView(secondsView()),
			sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter)),
	}, nil
}

func newHandler(c Config) (slog.Handler, error) {
	opts := &slog.HandlerOptions{Level: c.Level}
	switch c.Format {
	case "text":
		return slog.NewTextHandler(c.Output, opts), nil
	case "json":
		return slog.NewJSONHandler(c.Output, opts), nil
	default:
		return nil, fmt.Errorf("no such log format: %q", c.Format)
	}
}

// Buckets of Temporal's histograms, in seconds: from 5 ms, a Temporal call, through 5 min, an
// egress start with all its retries, to 10 min. Those of ours that workflows record with the same
// handler continue up to the day for which LiveKit keeps an end that nobody reported to us.
var (
	temporalBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	ourBuckets      = append(slices.Clone(temporalBuckets), 1800, 3600, 6*3600, 24*3600)
)

// secondsView gives those buckets to the histograms in seconds. OpenTelemetry's defaults are meant
// for milliseconds.
func secondsView() sdkmetric.View {
	histograms := sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram, Unit: "s", Scope: instrumentation.Scope{Name: temporalScope}}
	view := func(boundaries []float64) sdkmetric.View {
		return sdkmetric.NewView(histograms, sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: boundaries}})
	}
	theirs, ours := view(temporalBuckets), view(ourBuckets)
	return func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
		if strings.HasPrefix(i.Name, "reelkeeper_") {
			return ours(i)
		}
		return theirs(i)
	}
}

// Logger returns the process's log.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// TemporalLogger returns the same log for Temporal's clients and workers.
func (t *Telemetry) TemporalLogger() log.Logger { return log.NewStructuredLogger(t.logger) }

// Meter returns the meter of one part of the process, such as "webhook".
func (t *Telemetry) Meter(name string) metric.Meter {
	return t.provider.Meter("github.com/reelkeeper/reelkeeper/" + name)
}

// TemporalMetrics counts what Temporal's client and worker do, in addition to our own metrics. An
// instrument that cannot be made is logged and counts nothing.
func (t *Telemetry) TemporalMetrics() client.MetricsHandler {
	return &cached{of: opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                t.provider.Meter(temporalScope),
		UseMonotonicCounters: true,
		OnError:              func(err error) { t.logger.Error("Temporal metric cannot be made", "error", err) },
	})}
}

// Handler serves the metrics in Prometheus's format.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{Registry: t.registry})
}

// Shutdown ends the metrics; nothing is counted afterwards.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("end metrics: %w", err)
	}
	return nil
}
