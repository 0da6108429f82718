package gateway

import (
	"net/http"
	"strings"

	"github.com/livekit/protocol/auth"

	"github.com/reelkeeper/reelkeeper/egress"
)

// caller identifies who signed a request's token. It is zero for a request without a token, which
// is not yet an error: LiveKit refuses the call if it needs a grant.
type caller struct {
	token   string
	grant   auth.VideoGrant
	askedBy *egress.Asker // who signed the token, and on whose behalf
}

// callerOf verifies a request's token as livekit-server does. A problem is worded as livekit-server
// words it, and is answered with 401 in plain text, before Twirp.
func (h *Handler) callerOf(r *http.Request) (_ caller, problem string) {
	token, problem := bearerOf(r)
	if problem != "" || token == "" {
		return caller{}, problem
	}
	v, err := auth.ParseAPIToken(token)
	if err != nil {
		return caller{}, "invalid authorization token"
	}
	secret := h.cfg.Keys.GetSecret(v.APIKey())
	if secret == "" {
		return caller{}, "invalid API key: " + v.APIKey()
	}
	_, grants, err := v.Verify(secret)
	if err != nil {
		return caller{}, "invalid token: " + token + ", error: " + err.Error()
	}
	c := caller{token: token, askedBy: egress.AskedBy(v.APIKey(), v.Identity())}
	if grants.Video != nil {
		c.grant = *grants.Video
	}
	return c, ""
}

// mayDelete reports who signed a request's token, and whether the token is valid and allows
// deleting a room.
func (h *Handler) mayDelete(r *http.Request) (by *egress.Asker, ok bool) {
	c, problem := h.callerOf(r)
	return c.askedBy, problem == "" && c.grant.RoomCreate
}

const bearer = "Bearer "

// bearerOf finds a token in the header, or else in the query or form.
func bearerOf(r *http.Request) (token, problem string) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return r.FormValue("access_token"), ""
	}
	token, ok := strings.CutPrefix(header, bearer)
	if !ok {
		return "", "invalid authorization header. Must start with Bearer "
	}
	return token, ""
}
