package egress

import (
	"net/url"
	"strconv"
	"strings"
)

// HeaderDoor marks a request that one of our front doors passes on to LiveKit. No front door
// answers a request that has it.
const HeaderDoor = "X-Reelkeeper-Door"

// WebhookPath is where LiveKit posts its webhooks. A per-request webhook has the request's token
// appended.
const WebhookPath = "/webhooks/livekit"

// Token names a request and a part of its recording. It is the path of the per-request webhook
// URL, which LiveKit echoes in the EgressInfo's request, in every webhook and in every ListEgress
// item: so it routes a webhook without a look-up, and lets a retry find what an earlier attempt
// started.
type Token struct {
	RequestID string
	Part      int    // counted from 1
	MAC       string // keyed digest of the two; it routes and does not authenticate
}

// Path is the token's path below the public URL.
func (t Token) Path() string {
	return WebhookPath + "/" + t.RequestID + "/" + strconv.Itoa(t.Part) + "/" + t.MAC
}

// URL returns the token's whole URL below a public URL, which may have a path.
func (t Token) URL(public string) string { return strings.TrimSuffix(public, "/") + t.Path() }

// Same reports whether both name the same request and part.
func (t Token) Same(o Token) bool { return t.RequestID == o.RequestID && t.Part == o.Part }

// ParseToken finds our token in a webhook URL, whatever host or path stands before it.
func ParseToken(rawURL string) (Token, bool) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return Token{}, false
	}
	prefix := WebhookPath + "/"
	at := strings.LastIndex(u.Path, prefix) // what stands before it may end the same way
	if at < 0 {
		return Token{}, false
	}
	parts := strings.Split(strings.TrimSuffix(u.Path[at+len(prefix):], "/"), "/")
	if len(parts) != 3 {
		return Token{}, false
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 1 || ValidateRequestID(parts[0]) != nil || parts[2] == "" {
		return Token{}, false
	}
	return Token{RequestID: parts[0], Part: n, MAC: parts[2]}, true
}
