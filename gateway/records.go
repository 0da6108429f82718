package gateway

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/time/rate"

	"github.com/reelkeeper/reelkeeper/egress"
)

// buckets cover the budgets of a start: our own steps, LiveKit's usual 0.55 s, the 3 s after which
// a start fails open, and the 9 s within which a caller is answered.
var buckets = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2, 3, 5, 9, 10}

// other is the label of all methods that we do not look at.
const other = "other"

// deniedEvery is how often a caller who may not record is logged above debug level: anybody can ask
// any number of times, and would push all other lines out of a log of limited size.
const deniedEvery = 10 * time.Second

// records counts and logs the outcome of each request.
type records struct {
	log      *slog.Logger
	requests metric.Int64Counter
	starts   metric.Float64Histogram
	denied   map[bool]*rate.Sometimes // by whether the caller's token is good, and only lacks the grant
	levels   map[Outcome]slog.Level
	labels   map[string]map[Outcome]metric.MeasurementOption
}

func newRecords(m metric.Meter, log *slog.Logger) (*records, error) {
	r := &records{log: log, levels: Outcomes(), labels: map[string]map[Outcome]metric.MeasurementOption{}}
	r.denied = map[bool]*rate.Sometimes{false: {Interval: deniedEvery}, true: {Interval: deniedEvery}}
	var err error
	if r.requests, err = m.Int64Counter("reelkeeper_door_requests_total",
		metric.WithDescription("Requests to the front door, by method and outcome.")); err != nil {
		return nil, err
	}
	if r.starts, err = m.Float64Histogram("reelkeeper_door_start_duration_seconds", metric.WithUnit("s"),
		metric.WithDescription("Time from a start's request header to the answer."),
		metric.WithExplicitBucketBoundaries(buckets...)); err != nil {
		return nil, err
	}
	methods := []string{stopEgress, listEgress, setLayout, setStream, deleteRoom, other}
	for method := range starts {
		methods = append(methods, method)
	}
	for _, method := range methods {
		r.labels[method] = map[Outcome]metric.MeasurementOption{}
		for o := range r.levels {
			if !happens(method, o) {
				continue
			}
			r.labels[method][o] = metric.WithAttributeSet(attribute.NewSet(
				attribute.String("method", method), attribute.String("outcome", string(o))))
			r.requests.Add(context.Background(), 0, r.labels[method][o])
		}
	}
	return r, nil
}

// happens reports whether an outcome can occur for a method.
func happens(method string, o Outcome) bool {
	_, start := starts[method]
	switch {
	case method == deleteRoom || method == other:
		return o == Proxied
	case start:
		return o != Direct && o != Proxied
	case method == stopEgress:
		return o != FailedOpen && o != Forwarded && o != Proxied
	default:
		return o != FailedOpen && o != Proxied
	}
}

// passed counts a request that is passed on to LiveKit.
func (r *records) passed(ctx context.Context, method string) {
	r.requests.Add(ctx, 1, r.labels[method][Proxied])
}

// level returns the level of a request's log line.
func (r *records) level(c *call) slog.Level {
	if c.outcome != Unauthenticated {
		return r.levels[c.outcome]
	}
	level := slog.LevelDebug
	r.denied[c.askedBy != nil].Do(func() { level = r.levels[c.outcome] })
	return level
}

// record counts a request of ours and writes its log line. Only starts, stops and failures are
// logged above debug level.
func (r *records) record(ctx context.Context, c *call) {
	took := time.Since(c.began)
	level := r.level(c)
	r.requests.Add(ctx, 1, r.labels[c.method][c.outcome])
	if _, start := starts[c.method]; start {
		r.starts.Record(ctx, took.Seconds())
	} else if level == slog.LevelInfo && c.method != stopEgress {
		level = slog.LevelDebug
	}
	if r.log.Enabled(ctx, level) {
		r.log.LogAttrs(ctx, level, "door", append(c.attrs(), slog.Duration("took", took))...)
	}
}

// attrs returns what may be logged of a request: names and IDs.
func (c *call) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("method", c.method), slog.String("outcome", string(c.outcome))}
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("requestID", c.requestID)
	add("egressID", c.egressID)
	add("room", c.room)
	if a := c.askedBy; a != nil {
		add("apiKey", a.APIKey)
		add("identity", a.Identity)
	}
	add("code", string(c.code))
	if c.cause != nil {
		add("error", egress.MaskQuoted(c.cause.Error(), c.request))
	}
	return attrs
}
