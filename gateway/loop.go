package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// inLoop is the error for a door that calls itself. Without it, one call would use up all
// connections, and one start would cause others.
const inLoop = "LIVEKIT_URL of a starter or worker leads to the front door: set it to LiveKit's own address"

// marked marks each request, so that a door recognizes what a door has sent.
type marked struct{ next http.RoundTripper }

// RoundTrip sends a copy, as a RoundTripper must. The copy shares the trailer, which is yet to
// come.
func (m marked) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	r.Header.Set(egress.HeaderDoor, "1")
	return m.next.RoundTrip(r) //nolint:wrapcheck // the transport's own error
}

// handedOn marks each call of LiveKit's clients within a context as well, except the unified
// StartEgress, whose own headers replace these: checkLoop refuses it by its webhook.
func handedOn(ctx context.Context) context.Context {
	ctx, _ = twirp.WithHTTPRequestHeaders(ctx, http.Header{egress.HeaderDoor: {"1"}}) // it refuses only Twirp's own headers
	return ctx
}

// checkLoop refuses a start that a worker or a door has sent: it carries our webhook.
func (h *Handler) checkLoop(r egress.Request) error {
	for i, w := range r.GetWebhooks() {
		if t, ours := egress.ParseToken(w.GetUrl()); ours && h.cfg.Marker.Verify(t) {
			return egress.Invalidf(fmt.Sprintf("webhooks[%d].url", i), "belongs to a request that is under way: %s", inLoop)
		}
	}
	return nil
}
