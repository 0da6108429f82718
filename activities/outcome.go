package activities

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// MetricAttempts counts attempts to tell a consumer of something. Labels: to, outcome.
const MetricAttempts = "reelkeeper_announce_attempts_total"

// outcome is the result of an attempt to tell a consumer.
type outcome string

// The outcomes, which are label values of MetricAttempts.
const (
	outcomeTaken      outcome = "taken"      // a 2xx
	outcomeRefused    outcome = "refused"    // another answer
	outcomeUnreached  outcome = "unreached"  // no answer, or not a complete one
	outcomeNoPlace    outcome = "no_place"   // nothing was sent: that host already has the most concurrent requests
	outcomeUnsendable outcome = "unsendable" // nothing can be sent: no such key, or no URL
)

// outcomes lists every outcome.
func outcomes() []outcome {
	return []outcome{outcomeTaken, outcomeRefused, outcomeUnreached, outcomeNoPlace, outcomeUnsendable}
}

// attempts counts attempts by outcome.
type attempts struct{ total metric.Int64Counter }

// newAttempts creates the counter, with every value of its labels.
func newAttempts(m metric.Meter) (*attempts, error) {
	c, err := m.Int64Counter(MetricAttempts, metric.WithDescription("Attempts to deliver something to a consumer, by outcome."))
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", MetricAttempts, err)
	}
	a := &attempts{c}
	for _, to := range recipients() {
		for _, o := range outcomes() {
			a.add(context.Background(), to, o, 0)
		}
	}
	return a, nil
}

func (a *attempts) count(ctx context.Context, to recipient, o outcome) { a.add(ctx, to, o, 1) }

func (a *attempts) add(ctx context.Context, to recipient, o outcome, n int64) {
	a.total.Add(ctx, n, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("to", string(to)), attribute.String("outcome", string(o)))))
}
