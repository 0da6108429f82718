package activities

import (
	"context"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Endpoint knows how our webhook endpoint fared.
type Endpoint interface {
	// Minutes returns what the endpoint reported about a span. An *egress.Error of reason NotFound
	// says that it has never reported. It must return when ctx ends.
	Minutes(ctx context.Context, from, to time.Time) (egress.Reported, error)
}

// endpointTimeout bounds the query about the endpoint: a verdict must not wait long only to learn
// why it came by another way.
const endpointTimeout = 5 * time.Second

// whyMissed returns the class of the missed webhook of an ended egress, with the evidence in
// words. m says when we learned of the end, and what is known of the egress's other webhooks. Both
// results are empty for an egress that has not ended, and without an endpoint. It takes up to 5 s,
// and only reads.
func whyMissed(ctx context.Context, e Endpoint, info egress.Info, m egress.Miss) (egress.Missed, string) {
	if e == nil || !info.Ended() {
		return "", ""
	}
	m.EndedAt = info.EndTime()
	from, to := m.Span()
	ctx, cancel := context.WithTimeout(ctx, endpointTimeout)
	defer cancel()
	reported, err := e.Minutes(ctx, from, to)
	if err != nil && egress.ReasonOf(err) != egress.NotFound {
		return egress.MissedUnclassified, "it could not be found out how the endpoint was: " + err.Error()
	}
	m.Reported = reported
	return egress.WhyMissed(m)
}

// reports are what the endpoint had reported by a moment, asked once for many ends.
type reports struct {
	at  time.Time // when it was asked
	all egress.Ring
	err error
}

// reportsOf asks an endpoint for all that it has reported. It takes up to 5 s.
func reportsOf(ctx context.Context, e Endpoint, now time.Time) reports {
	ctx, cancel := context.WithTimeout(ctx, endpointTimeout)
	defer cancel()
	r, err := e.Minutes(ctx, time.Time{}, now)
	return reports{at: now, all: egress.Ring{Minutes: r.Minutes}, err: err}
}

// Minutes returns what it had reported about a span.
func (r reports) Minutes(_ context.Context, from, to time.Time) (egress.Reported, error) {
	return r.all.Between(from, to), r.err
}
