package activities

import (
	"context"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Endpoint knows how our webhook endpoint was.
type Endpoint interface {
	// Minutes is what the endpoint reported on a span. An *egress.Error of reason
	// NotFound says that it has never reported. It must return when ctx ends.
	Minutes(ctx context.Context, from, to time.Time) (egress.Reported, error)
}

// endpointTimeout bounds the question how the endpoint was: nobody may wait long for a
// verdict only to know why it came by another way.
const endpointTimeout = 5 * time.Second

// whyMissed is the class of the missed webhook of an egress that has ended, with the
// evidence in words. m says when the end was heard of, and what is known of its other
// webhooks. Both are empty for one that has not ended, and without an endpoint. It takes up
// to 5 s, and only reads.
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
