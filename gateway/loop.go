package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
)

// inLoop is what is wrong where a door meets itself. Without an end to it, one call would take all
// connections, and one start would make others.
const inLoop = "LIVEKIT_URL of a starter or worker leads to the front door: it wants LiveKit's own address"

// marked marks each request, so that a door knows what a door has handed on.
type marked struct{ next http.RoundTripper }

// RoundTrip sends a copy, as a RoundTripper has to, that shares the trailer: that is yet to come.
func (m marked) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	r.Header.Set(egress.HeaderDoor, "1")
	return m.next.RoundTrip(r) //nolint:wrapcheck // it is the transport's own word
}

// handedOn has each call of LiveKit's clients within a context marked as well.
func handedOn(ctx context.Context) context.Context {
	ctx, _ = twirp.WithHTTPRequestHeaders(ctx, http.Header{egress.HeaderDoor: {"1"}}) // it refuses headers of Twirp's own alone
	return ctx
}

// checkLoop refuses a start that a worker has asked for, or a door: its webhook is ours.
func (h *Handler) checkLoop(r egress.Request) error {
	for i, w := range r.GetWebhooks() {
		if t, ours := egress.ParseToken(w.GetUrl()); ours && h.cfg.Marker.Verify(t) {
			return egress.Invalidf(fmt.Sprintf("webhooks[%d].url", i), "is of a request that is under way: %s", inLoop)
		}
	}
	return nil
}
