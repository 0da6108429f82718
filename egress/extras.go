package egress

import (
	"net/url"
	"time"

	"github.com/livekit/protocol/livekit"
)

// URL parameters of our webhook, one for each field of Extras except the request ID.
const (
	queryPipeline    = "p"
	queryMaxDuration = "d"
	queryWebhooks    = "w"
)

// Extras are what was asked for with a start beyond what LiveKit itself takes. They travel in the
// URL of our webhook, which LiveKit echoes wherever it echoes the request: so an egress unknown to
// Temporal is adopted with them.
type Extras struct {
	RequestID   string   // of the token in the URL
	Pipeline    string   // default: the worker's
	MaxDuration Duration // default: no limit
	Webhooks    string   // the caller's own, which ours replaces, sealed for RequestID; default: none
}

// ExtrasOf returns the extras of a start of ours, from the webhook that carries our token.
func ExtrasOf(m *livekit.EgressInfo, ours func(Token) bool) Extras {
	return ExtrasIn(ourWebhook(m, ours))
}

// ExtrasIn returns the extras in a webhook, or none if it is not ours. Invalid ones are left out.
func ExtrasIn(w *livekit.WebhookConfig) Extras {
	t, ours := ParseToken(w.GetUrl())
	u, err := url.Parse(w.GetUrl())
	if !ours || err != nil {
		return Extras{}
	}
	q := u.Query()
	x := Extras{RequestID: t.RequestID, Webhooks: q.Get(queryWebhooks)}
	if name := q.Get(queryPipeline); ValidName(name) {
		x.Pipeline = name
	}
	if d, err := time.ParseDuration(q.Get(queryMaxDuration)); err == nil && d > 0 {
		x.MaxDuration = Duration(d)
	}
	return x
}

// In adds the extras to the URL of our webhook, from which ExtrasIn reads them.
func (x Extras) In(webhook string) string {
	q := url.Values{}
	if x.Pipeline != "" {
		q.Set(queryPipeline, x.Pipeline)
	}
	if x.MaxDuration > 0 {
		q.Set(queryMaxDuration, x.MaxDuration.String())
	}
	if x.Webhooks != "" {
		q.Set(queryWebhooks, x.Webhooks)
	}
	if len(q) == 0 {
		return webhook
	}
	return webhook + "?" + q.Encode()
}
