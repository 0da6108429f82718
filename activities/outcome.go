package activities

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// MetricAttempts counts attempts to tell a consumer of something. Labels: to, outcome.
const MetricAttempts = "reelkeeper_announce_attempts_total"

// Outcome is what became of an attempt to tell a consumer.
type Outcome string

// The outcomes, which are values of a label of MetricAttempts.
const (
	Taken      Outcome = "taken"      // a 2xx
	Refused    Outcome = "refused"    // another answer
	Unreached  Outcome = "unreached"  // no answer, or none that was whole
	NoPlace    Outcome = "no_place"   // nothing was sent: as many as may be are under way to that host
	Unsendable Outcome = "unsendable" // nothing can be sent: no such key, or no URL
)

// Outcomes lists every Outcome.
func Outcomes() []Outcome { return []Outcome{Taken, Refused, Unreached, NoPlace, Unsendable} }

// attempts counts what became of attempts.
type attempts struct{ total metric.Int64Counter }

// newAttempts makes the counter, with every value of its labels.
func newAttempts(m metric.Meter) (*attempts, error) {
	c, err := m.Int64Counter(MetricAttempts, metric.WithDescription("Attempts to tell a consumer of something, by what became of them."))
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", MetricAttempts, err)
	}
	a := &attempts{c}
	for _, to := range recipients() {
		for _, o := range Outcomes() {
			a.add(context.Background(), to, o, 0)
		}
	}
	return a, nil
}

func (a *attempts) count(ctx context.Context, to recipient, o Outcome) { a.add(ctx, to, o, 1) }

func (a *attempts) add(ctx context.Context, to recipient, o Outcome, n int64) {
	a.total.Add(ctx, n, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("to", string(to)), attribute.String("outcome", string(o)))))
}
