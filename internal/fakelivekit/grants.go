package fakelivekit

import (
	"context"
	"net/http"
	"strings"

	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/auth"
)

// grantsKey is the context key of a token's grants.
type grantsKey struct{}

// authenticate checks a token if there is one, before Twirp and in plain text, as livekit-server does. A call without a
// token goes on, and is refused if it needs a grant.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, problem := tokenOf(r)
		if problem == "" && token != "" {
			var grants *auth.ClaimGrants
			if grants, problem = s.verify(token); problem == "" {
				r = r.WithContext(context.WithValue(r.Context(), grantsKey{}, grants))
			}
		}
		if problem != "" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(problem))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tokenOf finds the token in the header, or else in the query or form.
func tokenOf(r *http.Request) (token, problem string) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return r.FormValue("access_token"), ""
	}
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return "", "invalid authorization header. Must start with Bearer "
	}
	return token, ""
}

// verify returns a token's grants, or what is wrong with it, in livekit-server's words.
func (s *Server) verify(token string) (*auth.ClaimGrants, string) {
	v, err := auth.ParseAPIToken(token)
	if err != nil {
		return nil, "invalid authorization token"
	}
	secret := s.keys.GetSecret(v.APIKey())
	if secret == "" {
		return nil, "invalid API key: " + v.APIKey()
	}
	_, grants, err := v.Verify(secret)
	if err != nil {
		return nil, "invalid token: " + token + ", error: " + err.Error()
	}
	return grants, ""
}

// grant reports whether a token allows something.
type grant func(*auth.VideoGrant) bool

func recording(v *auth.VideoGrant) bool { return v.RoomRecord }
func creating(v *auth.VideoGrant) bool  { return v.RoomCreate }
func listing(v *auth.VideoGrant) bool   { return v.RoomList }

func administering(room string) grant {
	return func(v *auth.VideoGrant) bool { return v.RoomAdmin && v.Room == room }
}

// allow returns the one error that LiveKit uses both for a missing token and for a token without
// the grant.
func allow(ctx context.Context, g grant) error {
	grants, _ := ctx.Value(grantsKey{}).(*auth.ClaimGrants)
	if grants == nil || grants.Video == nil || !g(grants.Video) {
		return twirp.NewError(twirp.Unauthenticated, "permissions denied")
	}
	return nil
}
