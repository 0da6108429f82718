package egress

import (
	"fmt"
	"time"
)

// LiveKit's budgets for a webhook.
const (
	// webhookBudget is the longest that LiveKit tries: five attempts of 10 s each, with
	// waits of 1, 2, 4 and 8 s between them.
	webhookBudget = 65 * time.Second
	// webhookMargin allows for differing clocks and for transit.
	webhookMargin = 5 * time.Second
	// webhookSlow is how slow an answer must be to lose what is queued behind it. LiveKit drops an
	// event that has waited for 30 s, and the start, the updates and the end of an egress share one
	// queue: some five events, so 6 s each.
	webhookSlow = 6 * time.Second
	// webhookSoon bounds how long LiveKit takes to send an event: an end that we saw sooner than
	// that is not yet a missed webhook.
	webhookSoon = time.Second
	// endpointHole is the part of a minute for which the endpoint must be absent to lose an event:
	// 15 s, over which LiveKit spreads its attempts at a refused connection.
	endpointHole = 4
	// endpointThere is the part of a minute for which the endpoint must be known to be up: 7.5 s
	// suffice, since LiveKit's attempts come at 0, 1, 3 and 7 s.
	endpointThere = 8
)

// Miss is what is known about the webhook of an end that we learned otherwise.
type Miss struct {
	EndedAt     time.Time // by LiveKit
	HeardAt     time.Time // when we learned of the end
	WebhookSeen bool      // other webhooks of this egress had come
	Unasked     bool      // nobody knows whether other webhooks had come
	Reported
}

// Span returns the time within which LiveKit can have sent the webhook, as far as we may judge it.
func (m Miss) Span() (from, to time.Time) {
	return m.EndedAt, later(m.EndedAt, sooner(m.HeardAt, m.EndedAt.Add(webhookBudget+webhookMargin)))
}

// WhyMissed says why the webhook of an end did not come, with the evidence in words.
//
// What the endpoint answered in that time takes precedence over its absence, since the answers are
// about requests that arrived. Among the answers, those that Temporal caused come first: such a
// request was verified, so it was LiveKit's, and the keys are right. Anybody can cause a refusal,
// so refusals come second. A merely slow answer counts if no other was wrong. Then comes absence;
// without one, LiveKit never sent it. For time that nobody reported on, no guess is made.
func WhyMissed(m Miss) (Missed, string) {
	switch {
	case m.EndedAt.IsZero():
		return MissedUnclassified, "LiveKit does not say when it ended"
	case m.First.IsZero():
		return MissedUnclassified, "the endpoint has never reported"
	}
	sum, hole, known := m.figures()
	switch {
	case sum.Unavailable > 0:
		return MissedDown, fmt.Sprintf("the endpoint could not take %s at that time", m.of(sum, sum.Unavailable))
	case sum.Refused > 0:
		return MissedRefused, fmt.Sprintf("the endpoint refused %s at that time: see its log for the key, clock or path", m.of(sum, sum.Refused))
	case sum.Slowest.D() >= webhookSlow:
		return MissedSlow, fmt.Sprintf("the endpoint took %s to answer at that time, and LiveKit drops what waits for 30s", round(sum.Slowest.D()))
	case m.HeardAt.Sub(m.EndedAt) < webhookSoon:
		return MissedUnclassified, fmt.Sprintf("we looked %s after the end: it may only have been late", round(max(0, m.HeardAt.Sub(m.EndedAt))))
	case hole.long(m):
		return MissedDown, fmt.Sprintf("the endpoint did not report from %s to %s", clock(hole.from), clock(hole.to))
	case known:
		return MissedUntried, fmt.Sprintf("the endpoint was well and answered %s, but LiveKit did not send this one as far as we can see%s", count(sum.Requests()), m.others())
	default:
		return MissedUnclassified, fmt.Sprintf("the endpoint has not reported on that time; its reports go from %s to %s", clock(m.First), clock(m.Last))
	}
}

// hole is a time for which the endpoint should have reported and has not.
type hole struct{ from, to time.Time }

func (h hole) len() time.Duration { return h.to.Sub(h.from) }

// long reports whether a hole can have swallowed the webhook.
func (h hole) long(m Miss) bool { return h.len() > 0 && h.len() >= m.upTo(endpointHole) }

// upTo returns that part of a minute, or the whole span if it is shorter.
func (m Miss) upTo(part time.Duration) time.Duration {
	from, to := m.Span()
	return min(to.Sub(from), m.Every.D()/part)
}

// figures returns the span's figures summed up, the longest hole in it, and whether enough of it
// is known. Time before the first report says nothing; time after the last one counts only once
// the next is overdue.
func (m Miss) figures() (sum Minute, worst hole, known bool) {
	from, to := m.Span()
	covered, at := time.Duration(0), later(from, m.First)
	look := func(h hole) {
		if h.len() > worst.len() {
			worst = h
		}
	}
	for i, minute := range m.Minutes {
		if i == 0 {
			sum = minute
		} else {
			sum = sum.join(minute)
		}
		look(hole{at, sooner(minute.From, to)})
		start, end := later(at, minute.From), sooner(minute.Until, to)
		covered += max(0, end.Sub(start))
		at = later(at, minute.Until)
	}
	switch {
	case !m.Last.Before(to):
		look(hole{at, to})
	case m.HeardAt.Sub(m.Last) > 2*m.Due.D(): // the next report is overdue
		look(hole{later(at, m.Last), to})
	}
	return sum, worst, covered > 0 && covered >= m.upTo(endpointThere)
}

func (m Miss) of(sum Minute, n int) string {
	return fmt.Sprintf("%d of %s", n, count(sum.Requests()))
}

func (m Miss) others() string {
	switch {
	case m.Unasked:
		return ""
	case m.WebhookSeen:
		return "; others of this egress came"
	default:
		return "; none of this egress came"
	}
}

func count(n int) string {
	if n == 1 {
		return "1 webhook"
	}
	return fmt.Sprintf("%d webhooks", n)
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
