package codec

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"

	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Names of the settings, as errors show them.
const (
	variableToken  = "REELKEEPER_CODEC_TOKEN"
	variableOrigin = "REELKEEPER_CODEC_ORIGIN"
)

// MinToken is the shortest token, in characters: what it protects is worth guessing for.
const MinToken = 16

// Config says who may use the endpoint.
type Config struct {
	// Token (REELKEEPER_CODEC_TOKEN) is the bearer token that every request must carry. At least
	// MinToken characters. Required.
	Token string
	// Origin (REELKEEPER_CODEC_ORIGIN) is the one origin whose pages may call the endpoint, as a
	// browser writes it: https://temporal.example. Required.
	Origin string
	// MaxBody is the longest request in bytes. Default: 16 MiB, well over the 4 MiB
	// that Temporal's server puts into one reply, in base64.
	MaxBody int64
}

func (c Config) withDefaults() Config {
	c.MaxBody = cmp.Or(c.MaxBody, 16<<20)
	return c
}

// Validate names the invalid variable.
func (c Config) Validate() error {
	switch {
	case len(c.Token) < MinToken:
		return egress.Invalidf(variableToken, "must have at least %d characters, has %d", MinToken, len(c.Token))
	case c.Origin == "":
		return egress.Invalidf(variableOrigin, "is not set, and %s needs it", variableToken)
	}
	return nil
}

// Handler is the codec server for Temporal's UI and CLI: POST /encode and POST /decode. Without the
// token it reveals nothing.
func Handler(c converter.PayloadCodec, cfg Config) (http.Handler, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	guarded := &guard{cfg: cfg, token: sha256.Sum256([]byte(cfg.Token)), next: converter.NewPayloadCodecHTTPHandler(c)}
	mux := http.NewServeMux()
	mux.Handle("/encode", guarded)
	mux.Handle("/decode", guarded)
	return mux, nil
}

// guard stands before the SDK's handler, which checks neither tokens nor origins and reads bodies
// of any length.
type guard struct {
	cfg   Config
	token [sha256.Size]byte
	next  http.Handler
}

// ServeHTTP admits requests with the token, and from browsers only those of the one origin.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch origin := r.Header.Get("Origin"); {
	case origin == g.cfg.Origin:
		g.allowOrigin(w.Header())
	case origin != "": // the CLI sends none
		http.Error(w, "this origin is not allowed; "+variableOrigin+" names the one that is", http.StatusForbidden)
		return
	}
	switch {
	case r.Method == http.MethodOptions: // a preflight carries no token
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST, OPTIONS")
		http.Error(w, "use POST", http.StatusMethodNotAllowed)
	case !g.authorized(r):
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "the bearer token from "+variableToken+" is required", http.StatusUnauthorized)
	case r.ContentLength > g.cfg.MaxBody:
		http.Error(w, fmt.Sprintf("want at most %d bytes", g.cfg.MaxBody), http.StatusRequestEntityTooLarge)
	default:
		r.Body = http.MaxBytesReader(w, r.Body, g.cfg.MaxBody)
		g.next.ServeHTTP(w, r)
	}
}

// allowOrigin lets the UI's pages read the answer, even a refusal. The UI sends credentials, with
// which a browser accepts no wildcards.
func (g *guard) allowOrigin(h http.Header) {
	h.Set("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", g.cfg.Origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Namespace")
	h.Set("Access-Control-Max-Age", "600")
}

// authorized takes equally long for the right token and for wrong ones of any length.
func (g *guard) authorized(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}
