package gateway

import (
	"net/http"
	"strings"

	"github.com/livekit/protocol/auth"

	"github.com/reelkeeper/reelkeeper/egress"
)

// gate checks tokens as livekit-server does, and in its words.
type gate struct{ keys auth.KeyProvider }

// caller is whose token a request has. Without one it is zero, which is no problem yet:
// LiveKit refuses it where a grant is needed.
type caller struct {
	token   string
	grants  *auth.ClaimGrants
	askedBy *egress.Asker // who signed the token, and for whom
}

// caller verifies a request's token. A problem is answered with 401 in plain text, before Twirp.
func (g gate) caller(r *http.Request) (_ caller, problem string) {
	token, problem := bearerOf(r)
	if problem != "" || token == "" {
		return caller{}, problem
	}
	v, err := auth.ParseAPIToken(token)
	if err != nil {
		return caller{}, "invalid authorization token"
	}
	secret := g.keys.GetSecret(v.APIKey())
	if secret == "" {
		return caller{}, "invalid API key: " + v.APIKey()
	}
	_, grants, err := v.Verify(secret)
	if err != nil {
		return caller{}, "invalid token: " + token + ", error: " + err.Error()
	}
	return caller{token, grants, egress.AskedBy(v.APIKey(), v.Identity())}, ""
}

// allowed reports whether a request's token is good and has a grant.
func (g gate) allowed(r *http.Request, grant func(*auth.VideoGrant) bool) bool {
	c, problem := g.caller(r)
	return problem == "" && has(c.grants, grant)
}

func has(grants *auth.ClaimGrants, grant func(*auth.VideoGrant) bool) bool {
	return grants != nil && grants.Video != nil && grant(grants.Video)
}

func recording(v *auth.VideoGrant) bool { return v.RoomRecord }
func creating(v *auth.VideoGrant) bool  { return v.RoomCreate }

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
