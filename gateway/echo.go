package gateway

import (
	"net/url"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/reelkeeper/reelkeeper/egress"
)

var requestOneof = (&livekit.EgressInfo{}).ProtoReflect().Descriptor().Oneofs().ByName("request")

// showing is an EgressInfo whose echoed request has some webhooks: a caller sees its
// own there, and never ours.
func showing(m *livekit.EgressInfo, hooks []*livekit.WebhookConfig) *livekit.EgressInfo {
	m = proto.CloneOf(m)
	info := m.ProtoReflect()
	kind := info.WhichOneof(requestOneof)
	if kind == nil {
		return m
	}
	request := info.Get(kind).Message()
	field := request.Descriptor().Fields().ByName("webhooks")
	if field == nil {
		return m // A replay: nobody asks for those.
	}
	list := request.NewField(field).List()
	for _, w := range hooks {
		list.Append(protoreflect.ValueOfMessage(proto.CloneOf(w).ProtoReflect()))
	}
	request.Set(field, protoreflect.ValueOfList(list))
	return m
}

// shown is an EgressInfo of LiveKit's as a caller is shown it: with the caller's own
// webhooks in the place of ours, and without the credentials of our storage profiles.
func (h *Handler) shown(m *livekit.EgressInfo) *livekit.EgressInfo {
	m = h.cfg.Profiles.Conceal(m)
	for _, w := range egress.Webhooks(m) {
		if _, ours := egress.ParseToken(w.GetUrl()); ours {
			return showing(m, h.theirs(m))
		}
	}
	return m
}

// theirs are the caller's own webhooks: those that LiveKit has, and those that ours
// stands for, which its query holds sealed.
func (h *Handler) theirs(m *livekit.EgressInfo) []*livekit.WebhookConfig {
	var list []*livekit.WebhookConfig
	for _, w := range egress.Webhooks(m) {
		t, ours := egress.ParseToken(w.GetUrl())
		if !ours {
			list = append(list, w)
			continue
		}
		u, err := url.Parse(w.GetUrl())
		if err != nil || u.Query().Get(egress.QueryWebhooks) == "" {
			continue
		}
		sealed, err := h.cfg.Marker.OpenWebhooks(t.RequestID, u.Query().Get(egress.QueryWebhooks))
		if err != nil {
			h.cfg.Log.Warn("a caller's webhooks cannot be shown", "egressID", m.GetEgressId(), "error", err)
		}
		list = append(list, sealed...)
	}
	return list
}
