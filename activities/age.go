package activities

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// MetricAge is the time from the end of an egress, by LiveKit's clock, to a consumer's 2xx. Label:
// to.
const MetricAge = "reelkeeper_announce_age_seconds"

// ageBuckets range from a webhook that came at once, past the 10 min that justify an alert, to the
// 3 days for which delivery to a consumer is tried.
var ageBuckets = []float64{1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600, 24 * 3600, 72 * 3600}

// recipient is who is told of an end, as a label of MetricAge and MetricAttempts.
type recipient string

const (
	toConsumer recipient = "consumer" // the consumer in the settings
	toWebhook  recipient = "webhook"  // a webhook that the request named
	toPipeline recipient = "pipeline" // a consumer of the pipeline
)

func recipients() []recipient { return []recipient{toConsumer, toWebhook, toPipeline} }

// age records how old an end was when a consumer accepted it.
type age struct{ seconds metric.Float64Histogram }

func newAge(m metric.Meter) (*age, error) {
	h, err := m.Float64Histogram(MetricAge, metric.WithUnit("s"),
		metric.WithDescription("Time from the end of an egress, by LiveKit's clock, to the consumer's 2xx."),
		metric.WithExplicitBucketBoundaries(ageBuckets...))
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", MetricAge, err)
	}
	return &age{h}, nil
}

// taken records that a consumer has just accepted an event. Intermediate events (`egress_started`,
// `egress_updated`) have no end, and some ends have no time. A redelivered end is old through no
// fault of its consumer.
func (a *age) taken(ctx context.Context, to recipient, e egress.Event) {
	info, err := e.Info()
	if err != nil || redelivered(ctx) || e.Proto().GetEvent() != egress.EventEnded || info.EndTime().IsZero() {
		return
	}
	a.seconds.Record(ctx, max(0, time.Since(info.EndTime()).Seconds()), metric.WithAttributeSet(attribute.NewSet(attribute.String("to", string(to)))))
}

// redelivered reports whether the activity runs for a redelivery.
func redelivered(ctx context.Context) bool {
	return activity.IsActivity(ctx) && activity.GetInfo(ctx).WorkflowType.Name == egress.RedeliveryType
}
