package egress

import (
	"net/url"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Parameters of our webhook's URL, one for each field of Asked but the request ID.
const (
	queryPipeline    = "p"
	queryMaxDuration = "d"
	queryWebhooks    = "w"
)

// Asked is what was asked for with a start, beside what LiveKit itself takes. It goes in the URL
// of our webhook, which LiveKit echoes wherever it echoes the request: so an egress that Temporal
// knows nothing of is adopted as it was asked for.
type Asked struct {
	RequestID   string   // of the token in the URL
	Pipeline    string   // default: the worker's
	MaxDuration Duration // default: no limit
	Webhooks    string   // the caller's own, in whose place ours stands, sealed for RequestID; default: none
}

// AskedOf is what was asked for with a start of ours, as the webhook of OurToken says.
func AskedOf(m *livekit.EgressInfo, ours func(Token) bool) Asked {
	a, _ := AskedIn(ourWebhook(m, ours))
	return a
}

// AskedIn is what a webhook says, and whether it is ours. What is not valid is left out.
func AskedIn(w *livekit.WebhookConfig) (Asked, bool) {
	t, ours := ParseToken(w.GetUrl())
	u, err := url.Parse(w.GetUrl())
	if !ours || err != nil {
		return Asked{}, false
	}
	q := u.Query()
	a := Asked{RequestID: t.RequestID, Webhooks: q.Get(queryWebhooks)}
	if name := q.Get(queryPipeline); ValidName(name) {
		a.Pipeline = name
	}
	if d, err := time.ParseDuration(q.Get(queryMaxDuration)); err == nil && d > 0 {
		a.MaxDuration = Duration(d)
	}
	return a, true
}

// In adds it to the URL of a webhook of ours, from which AskedIn reads it.
func (a Asked) In(webhook string) string {
	q := url.Values{}
	if a.Pipeline != "" {
		q.Set(queryPipeline, a.Pipeline)
	}
	if a.MaxDuration > 0 {
		q.Set(queryMaxDuration, a.MaxDuration.String())
	}
	if a.Webhooks != "" {
		q.Set(queryWebhooks, a.Webhooks)
	}
	if len(q) == 0 {
		return webhook
	}
	return webhook + "?" + q.Encode()
}
