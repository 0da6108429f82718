package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// prober returns the same result for every probe.
type prober egress.Passage

func (p prober) Probe(context.Context) egress.Passage { return egress.Passage(p) }

// canaryMetrics returns what a probe left in the metrics.
func canaryMetrics(t *testing.T, meter *sdkmetric.ManualReader) (counts map[string]int64, took metricdata.HistogramDataPoint[float64], measured bool) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, meter.Collect(t.Context(), &all))
	counts = map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			require.Equal(t, activities.MetricCanary, m.Name)
			for _, p := range data.DataPoints {
				outcome, _ := p.Attributes.Value("outcome")
				counts[outcome.AsString()] = p.Value
			}
		case metricdata.Histogram[float64]:
			require.Equal(t, activities.MetricCanaryTook, m.Name)
			took, measured = data.DataPoints[0], true
		}
	}
	return counts, took, measured
}

func TestAProbeIsCountedByWhatItMet(t *testing.T) {
	t.Parallel()
	for _, o := range egress.CanaryOutcomes() {
		t.Run(string(o), func(t *testing.T) {
			t.Parallel()
			meter := sdkmetric.NewManualReader()
			c, err := activities.NewCanary(activities.CanaryConfig{
				Notify: true, For: egress.Duration(time.Hour), Meter: sdkmetric.NewMeterProvider(sdkmetric.WithReader(meter)).Meter("test"),
			}, prober{Outcome: o, Took: egress.Duration(3 * time.Second), Found: "found", Fix: "fix"})
			require.NoError(t, err)
			before, _, _ := canaryMetrics(t, meter)
			require.Len(t, before, len(egress.CanaryOutcomes()), "all values exist from the start")

			p, err := c.Probe(t.Context())

			require.NoError(t, err, "a bad way is a result")
			require.Equal(t, egress.Passage{Outcome: o, Took: egress.Duration(3 * time.Second), Found: "found", Fix: "fix", Notify: true, For: egress.Duration(time.Hour)}, p)
			counts, took, measured := canaryMetrics(t, meter)
			for name, n := range counts {
				require.Equal(t, map[bool]int64{true: 1}[name == string(o)], n, name)
			}
			require.Equal(t, o.Well(), measured, "the time of what nobody took is none")
			if measured {
				require.InDelta(t, 3, took.Sum, 1e-9)
				require.Subset(t, took.Bounds, []float64{1, 6, 10}, "LiveKit's budgets")
			}
		})
	}
}

func TestAProbeThatIsBrokenOffIsNotCounted(t *testing.T) {
	t.Parallel()
	c, err := activities.NewCanary(activities.CanaryConfig{}, prober{Outcome: egress.CanaryUnreachable})
	require.NoError(t, err)
	_, err = c.Probe(t.Context())
	require.NoError(t, err, "without a meter too")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Probe(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
