package activities

import (
	"cmp"
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Metrics of the canary.
const (
	MetricCanary     = "reelkeeper_canary_total" // label: outcome, an egress.CanaryOutcome
	MetricCanaryTook = "reelkeeper_canary_duration_seconds"
)

// canaryBuckets include LiveKit's limits: 10 s for one answer, and 6 s for each event of an
// egress, so that none is queued for 30 s. From 1 s on, an answer is called slow.
var canaryBuckets = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 6, 10}

// Prober sends a signed event of ours to where LiveKit posts its webhooks, as LiveKit would.
// *doctor.Doctor is one.
type Prober interface {
	// Probe reports what became of the event. It must return when ctx ends.
	Probe(ctx context.Context) egress.Passage
}

// CanaryConfig configures the canary.
type CanaryConfig struct {
	// Notify says whether there is a notification hook, and For how long delivery to it is tried.
	Notify bool
	For    egress.Duration
	// Meter creates the metrics. Default: none, and nothing is measured.
	Meter metric.Meter
}

// Canary holds the activity that tests whether webhooks can arrive.
type Canary struct {
	cfg    CanaryConfig
	prober Prober
	count  metric.Int64Counter
	took   metric.Float64Histogram
}

// NewCanary returns the activity. Its metrics exist from then on; it fails if the meter does.
func NewCanary(cfg CanaryConfig, p Prober) (*Canary, error) {
	cfg.Meter = cmp.Or[metric.Meter](cfg.Meter, noop.Meter{})
	c := &Canary{cfg: cfg, prober: p}
	var err error
	if c.count, err = cfg.Meter.Int64Counter(MetricCanary,
		metric.WithDescription("Test events sent along the path of LiveKit's webhooks, by outcome.")); err != nil {
		return nil, fmt.Errorf("make %s: %w", MetricCanary, err)
	}
	if c.took, err = cfg.Meter.Float64Histogram(MetricCanaryTook, metric.WithUnit("s"),
		metric.WithDescription("Time from sending a test event to the answer, if our endpoint accepted it."),
		metric.WithExplicitBucketBoundaries(canaryBuckets...)); err != nil {
		return nil, fmt.Errorf("make %s: %w", MetricCanaryTook, err)
	}
	for _, o := range egress.CanaryOutcomes() {
		c.count.Add(context.Background(), 0, outcomeLabel(o))
	}
	return c, nil
}

// Probe sends an event and reports what became of it: a broken path is a result, not an error.
// Running it twice is harmless: the endpoint passes the event to nobody.
func (c *Canary) Probe(ctx context.Context) (egress.Passage, error) {
	p := c.prober.Probe(ctx)
	if err := ctx.Err(); err != nil { // it was interrupted and says nothing
		return egress.Passage{}, err
	}
	p.Notify, p.For = c.cfg.Notify, c.cfg.For
	c.count.Add(ctx, 1, outcomeLabel(p.Outcome))
	if p.Outcome.Well() {
		c.took.Record(ctx, p.Took.D().Seconds())
	}
	return p, nil
}

func outcomeLabel(o egress.CanaryOutcome) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", string(o))))
}
