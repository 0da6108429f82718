package egress

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
)

// OurToken returns the first token in the request that an EgressInfo echoes that ours accepts: a
// token not made with our keys, such as another Reelkeeper's on the same LiveKit, names nothing of
// ours. It needs the EgressInfo as LiveKit sent it: a redacted one shows only the caller's
// webhooks.
func OurToken(m *livekit.EgressInfo, ours func(Token) bool) (Token, bool) {
	return ParseToken(ourWebhook(m, ours).GetUrl())
}

// ourWebhook returns the webhook with that token, or nil.
func ourWebhook(m *livekit.EgressInfo, ours func(Token) bool) *livekit.WebhookConfig {
	for _, w := range Webhooks(m) {
		if t, ok := ParseToken(w.GetUrl()); ok && ours(t) {
			return w
		}
	}
	return nil
}

// Webhooks returns the per-request webhooks of the request that an EgressInfo echoes.
func Webhooks(m *livekit.EgressInfo) []*livekit.WebhookConfig {
	if r, ok := RequestOf(m); ok {
		return r.GetWebhooks()
	}
	return nil
}

// Echoing returns a copy of an EgressInfo with the webhooks of its echoed request replaced.
func Echoing(m *livekit.EgressInfo, hooks []*livekit.WebhookConfig) *livekit.EgressInfo {
	m = proto.CloneOf(m)
	if r, ok := RequestOf(m); ok {
		setWebhooks(r, hooks)
	}
	return m
}

// RequestOf returns the request that an EgressInfo echoes.
func RequestOf(m *livekit.EgressInfo) (Request, bool) {
	r := m.ProtoReflect()
	fd := r.WhichOneof(infoMessage.Oneofs().ByName("request"))
	if fd == nil {
		return nil, false
	}
	v, ok := r.Get(fd).Message().Interface().(Request)
	return v, ok
}

// WithWebhooks returns the event with the caller's own webhooks in the echoed request, where ours
// stood in their place, as LiveKit would have sent it. It is for the caller alone, since a
// webhook's URL may hold a credential.
func (e Event) WithWebhooks(hooks []*livekit.WebhookConfig) (Event, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(e.raw, &fields); err != nil {
		return Event{}, fmt.Errorf("decode webhook event: %w", err)
	}
	for _, name := range []string{"egressInfo", "egress_info"} {
		if fields[name] == nil {
			continue
		}
		info, err := echoWebhooks(fields[name], hooks)
		if err != nil {
			return Event{}, err
		}
		fields[name] = info
	}
	return eventOf(fields)
}

// echoWebhooks puts webhooks into an EgressInfo's echoed request, whatever its kind.
func echoWebhooks(info json.RawMessage, hooks []*livekit.WebhookConfig) (json.RawMessage, error) {
	hooked := []json.RawMessage{}
	for _, w := range hooks {
		b, err := protojson.Marshal(w)
		if err != nil {
			return nil, fmt.Errorf("encode webhook: %w", err)
		}
		hooked = append(hooked, b)
	}
	list, err := json.Marshal(hooked)
	if err != nil {
		return nil, fmt.Errorf("encode webhooks: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(info, &fields); err != nil {
		return nil, fmt.Errorf("decode EgressInfo: %w", err)
	}
	kinds := infoMessage.Oneofs().ByName("request").Fields()
	for i := range kinds.Len() {
		for _, name := range []string{kinds.Get(i).JSONName(), kinds.Get(i).TextName()} {
			var request map[string]json.RawMessage
			if fields[name] == nil || json.Unmarshal(fields[name], &request) != nil {
				continue
			}
			request["webhooks"] = list
			b, err := json.Marshal(request)
			if err != nil {
				return nil, fmt.Errorf("encode request: %w", err)
			}
			fields[name] = b
		}
	}
	return json.Marshal(fields)
}

// Limits on a request's own webhooks.
const (
	mostWebhooks = 10
	// longestWebhooks bounds their size in bytes: sealed, they are part of our webhook's URL, and
	// some proxies accept only 8 kB.
	longestWebhooks = 4 << 10
	// longestRelay bounds the copies of a request, one for each webhook, that one workflow task
	// hands out, in bytes. Temporal accepts 4 MB per task, encoded.
	longestRelay = 1 << 20
)

// CheckWebhooks rejects webhooks that we could not serve: too many or too large, or with a signing
// key that is not the project's. We could not sign with that key, and LiveKit would accept the
// request but then send neither that webhook nor those after it.
func CheckWebhooks(r Request, known func(key string) bool) error {
	hooks, size := r.GetWebhooks(), 0
	for _, w := range hooks {
		size += proto.Size(w)
	}
	switch {
	case len(hooks) > mostWebhooks:
		return Invalidf("webhooks", "are %d; the limit is %d", len(hooks), mostWebhooks)
	case size > longestWebhooks:
		return Invalidf("webhooks", "take %d bytes; the limit is %d", size, longestWebhooks)
	case len(hooks) > 1 && len(hooks)*proto.Size(r) > longestRelay:
		return Invalidf("webhooks", "are %d with a request of %d bytes, which is copied to each: the limit for all is %d bytes", len(hooks), proto.Size(r), longestRelay)
	}
	for i, w := range hooks {
		if key := w.GetSigningKey(); key != "" && !known(key) {
			return Invalidf(fmt.Sprintf("webhooks[%d].signing_key", i), "%q is not an API key of this project", key)
		}
	}
	return nil
}
