package webhook

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/time/rate"
)

// buckets cover LiveKit's budgets: our own 2 s, the 10 s after which a sender hangs up, the 15 s
// after which it gives up on an endpoint that refuses, the 30 s after which it drops what is
// queued, and the 65 s of all attempts at an endpoint that hangs.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 65}

// strangersEvery is how often each reason that anybody can cause is logged above debug level: any
// number of such requests may come, and would push all other lines out of a log of limited size.
const strangersEvery = 10 * time.Second

// records counts and logs the outcome of each request.
type records struct {
	log      *slog.Logger
	figures  *Figures
	requests metric.Int64Counter
	duration metric.Float64Histogram
	outcomes map[Reason]Outcome
	seldom   map[Reason]*rate.Sometimes // those that are not logged each time
	labels   map[Reason]metric.MeasurementOption
}

func newRecords(m metric.Meter, log *slog.Logger, f *Figures) (*records, error) {
	r := &records{log: log, figures: f, outcomes: map[Reason]Outcome{}, labels: map[Reason]metric.MeasurementOption{}, seldom: map[Reason]*rate.Sometimes{}}
	var err error
	if r.requests, err = m.Int64Counter("reelkeeper_webhook_requests_total",
		metric.WithDescription("Requests to the webhook endpoint, by result.")); err != nil {
		return nil, err
	}
	if r.duration, err = m.Float64Histogram("reelkeeper_webhook_duration_seconds", metric.WithUnit("s"),
		metric.WithDescription("Time from a webhook's request header to the answer."),
		metric.WithExplicitBucketBoundaries(buckets...)); err != nil {
		return nil, err
	}
	for _, o := range Outcomes() {
		r.outcomes[o.Reason] = o
		r.labels[o.Reason] = metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", string(o.Reason))))
		r.requests.Add(context.Background(), 0, r.labels[o.Reason])
	}
	for _, reason := range strangers() {
		r.seldom[reason] = &rate.Sometimes{Interval: strangersEvery}
	}
	return r, nil
}

// record counts an outcome and writes its log line. answerErr is why the answer could not be sent;
// the sender is then gone, and will send again.
func (r *records) record(ctx context.Context, o Outcome, d *delivery, began time.Time, answerErr error) {
	took := time.Since(began)
	r.requests.Add(ctx, 1, r.labels[o.Reason])
	r.duration.Record(ctx, took.Seconds())
	r.figures.count(o.group, took)
	level := r.level(o)
	if !r.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("reason", string(o.Reason)), slog.Int("answer", o.Status), slog.Duration("took", took)}
	attrs = append(attrs, d.attrs()...)
	if answerErr != nil {
		attrs = append(attrs, slog.String("answerError", answerErr.Error()))
	}
	r.log.LogAttrs(ctx, level, "webhook", attrs...)
}

// level returns the level of an outcome's log line.
func (r *records) level(o Outcome) slog.Level {
	seldom, bounded := r.seldom[o.Reason]
	if !bounded {
		return o.Level
	}
	level := slog.LevelDebug
	seldom.Do(func() { level = o.Level })
	return level
}

// attrs returns what may be logged of a delivery: names and IDs.
func (d *delivery) attrs() []slog.Attr {
	var attrs []slog.Attr
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("event", d.sent.GetEvent())
	add("eventID", d.id)
	add("room", d.room())
	add("egressID", d.egressID())
	if info, err := d.event.Info(); err == nil && info.Known() {
		add("status", string(info.StatusName()))
	}
	add("workflowID", d.workflow)
	if d.err != nil {
		add("error", d.err.Error())
	}
	return attrs
}
