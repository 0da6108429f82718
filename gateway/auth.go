package gateway

import (
	"net/http"
	"strings"

	"github.com/livekit/protocol/auth"

	"github.com/reelkeeper/reelkeeper/egress"
)

// caller is whose token a request has. Without one it is zero, which is no problem yet:
// LiveKit refuses it where a grant is needed.
type caller struct {
	token   string
	grant   auth.VideoGrant
	askedBy *egress.Asker // who signed the token, and for whom
}

// callerOf verifies a request's token as livekit-server does. A problem is said in its words, and
// answered with 401 in plain text, before Twirp.
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

// mayDelete reports whose a request's token is, and whether it is good, and enough to delete a room.
func (h *Handler) mayDelete(r *http.Request) (by *egress.Asker, ok bool) {
	c, problem := h.callerOf(r)
	return c.askedBy, problem == "" && c.grant.RoomCreate
}

const bearer = "Bearer "

// bearerOf finds a token in the header, else in the query or form.
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
