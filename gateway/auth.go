package gateway

import (
	"net/http"
	"strings"

	"github.com/livekit/protocol/auth"

	"github.com/reelkeeper/reelkeeper/egress"
)

// gate checks tokens as livekit-server does, and in its words.
type gate struct{ keys auth.KeyProvider }

// grants are those of a request's token; nil without a token, which is no problem
// yet: LiveKit refuses it where a grant is needed. A problem is answered with 401
// in plain text, before Twirp.
func (g gate) grants(r *http.Request) (_ *auth.ClaimGrants, problem string) {
	token, problem := tokenOf(r)
	if problem != "" || token == "" {
		return nil, problem
	}
	v, err := auth.ParseAPIToken(token)
	if err != nil {
		return nil, "invalid authorization token"
	}
	secret := g.keys.GetSecret(v.APIKey())
	if secret == "" {
		return nil, "invalid API key: " + v.APIKey()
	}
	_, grants, err := v.Verify(secret)
	if err != nil {
		return nil, "invalid token: " + token + ", error: " + err.Error()
	}
	return grants, ""
}

// askerOf is who signed a token that was verified, and for whom.
func askerOf(token string) *egress.Asker {
	v, err := auth.ParseAPIToken(token)
	if err != nil {
		return nil // there is no token
	}
	return egress.AskedBy(v.APIKey(), v.Identity())
}

// allowed reports whether a request's token is good and has a grant.
func (g gate) allowed(r *http.Request, grant func(*auth.VideoGrant) bool) bool {
	grants, problem := g.grants(r)
	return problem == "" && has(grants, grant)
}

func has(grants *auth.ClaimGrants, grant func(*auth.VideoGrant) bool) bool {
	return grants != nil && grants.Video != nil && grant(grants.Video)
}

func recording(v *auth.VideoGrant) bool { return v.RoomRecord }
func creating(v *auth.VideoGrant) bool  { return v.RoomCreate }

const bearer = "Bearer "

// tokenOf finds a token in the header, else in the query or form.
func tokenOf(r *http.Request) (token, problem string) {
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
