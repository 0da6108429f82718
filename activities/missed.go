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

// WhyMissed finds out why the webhook of an end did not come.
type WhyMissed struct {
	endpoint Endpoint
}

// NewWhyMissed makes a WhyMissed. Without an endpoint it gives no class to anything.
func NewWhyMissed(e Endpoint) *WhyMissed { return &WhyMissed{endpoint: e} }

// Of is the class of the missed webhook of an egress that has ended, as we learned at
// heard, with the evidence in words. Both are empty for one that has not ended. told
// says whether other webhooks of the egress came. It takes up to 5 s, and only reads.
func (w *WhyMissed) Of(ctx context.Context, info egress.Info, heard time.Time, told bool) (egress.Missed, string) {
	if w.endpoint == nil || !info.Ended() {
		return "", ""
	}
	return w.judge(ctx, egress.Miss{EndedAt: info.EndTime(), HeardAt: heard, Told: told})
}

// OfListed is as Of, for an egress of LiveKit's list: what came of it before is not known.
func (w *WhyMissed) OfListed(ctx context.Context, info egress.Info, heard time.Time) (egress.Missed, string) {
	if w.endpoint == nil || !info.Ended() {
		return "", ""
	}
	return w.judge(ctx, egress.Miss{EndedAt: info.EndTime(), HeardAt: heard, Unasked: true})
}

func (w *WhyMissed) judge(ctx context.Context, m egress.Miss) (egress.Missed, string) {
	from, to := m.Span()
	ctx, cancel := context.WithTimeout(ctx, endpointTimeout)
	defer cancel()
	reported, err := w.endpoint.Minutes(ctx, from, to)
	if err != nil && egress.ReasonOf(err) != egress.NotFound {
		return egress.MissedUnclassified, "it could not be found out how the endpoint was: " + err.Error()
	}
	m.Reported = reported
	return egress.WhyMissed(m)
}
