package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"
	"github.com/stretchr/testify/require"
)

// hook is one webhook as it arrived.
type hook struct {
	*livekit.WebhookEvent
	path    string
	body    []byte
	headers map[string]any // those on which a receiver may depend
	mode    string         // the endpoint's state
}

// room returns the name of the room that it is about; a web egress has none.
func (h hook) room() string {
	if name := h.EgressInfo.GetRoomName(); name != "" {
		return name
	}
	return h.GetRoom().GetName()
}

// ofEgress reports whether it is an egress event.
func (h hook) ofEgress() bool { return strings.HasPrefix(h.Event, "egress_") }

// hooks takes webhooks, and verifies each with LiveKit's own code.
type hooks struct {
	*httptest.Server
	mu         sync.Mutex
	got        []hook
	news       chan struct{}
	breakdowns map[string]*breakdown // by room
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{news: make(chan struct{}), breakdowns: map[string]*breakdown{}}
	keys := auth.NewFileBasedKeyProviderFromMap(map[string]string{liveKey: liveSecret, otherKey: otherSecret})
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		event, err := webhook.ReceiveWebhookEvent(r, keys)
		if err != nil {
			t.Errorf("webhook at %s: %v", r.URL, err)
			return
		}
		h.take(w, hook{event, r.URL.Path, body, headersOf(r), well})
	}))
	t.Cleanup(h.Close)
	return h
}

// take keeps a webhook, and answers it: normally, or as the breakdown of its room says.
func (h *hooks) take(w http.ResponseWriter, got hook) {
	h.mu.Lock()
	o := h.breakdowns[got.room()]
	met := o.meets(got)
	if met {
		got.mode = o.mode
	}
	if got.mode != down {
		h.got = append(h.got, got)
	}
	h.announce()
	h.mu.Unlock()
	if !met {
		return
	}
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		o.inside--
		h.announce()
	}()
	o.does(w, o.scale)
}

// announce signals that something has changed. The caller holds the lock.
func (h *hooks) announce() {
	close(h.news)
	h.news = make(chan struct{})
}

// headersOf returns method, protocol and headers, with the signer's key in place of its token.
func headersOf(r *http.Request) map[string]any {
	claims := jwt.RegisteredClaims{}
	_, _, _ = jwt.NewParser().ParseUnverified(r.Header.Get("Authorization"), &claims) // anything but a token has no issuer
	headers := map[string]any{"method": r.Method, "proto": r.Proto, "signer": claims.Issuer}
	for name := range r.Header {
		if name != "Authorization" && name != "Content-Length" {
			headers[name] = r.Header.Get(name)
		}
	}
	return headers
}

// all returns the matching webhooks so far, in order, and a channel that is closed when more
// arrive.
func (h *hooks) all(match func(hook) bool) ([]hook, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []hook
	for _, got := range h.got {
		if match(got) {
			found = append(found, got)
		}
	}
	return found, h.news
}

// reached waits until n webhooks match.
func (h *hooks) reached(t *testing.T, n int, what string, match func(hook) bool) []hook {
	t.Helper()
	deadline := time.After(limit)
	for {
		found, news := h.all(match)
		if len(found) >= n {
			return found
		}
		select {
		case <-news:
		case <-deadline:
			require.Failf(t, "never came", "%d of %d: %s", len(found), n, what)
		}
	}
}

// event returns a hook's body as LiveKit's JSON.
func (h hook) event(t *testing.T) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(h.body, &v))
	return v
}
