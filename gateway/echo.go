package gateway

import (
	"net/url"
	"slices"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// shown is an EgressInfo of LiveKit's as a caller is shown it: with the caller's own
// webhooks in the place of ours, and without the credentials of our storage profiles.
func (h *Handler) shown(m *livekit.EgressInfo) *livekit.EgressInfo {
	m = h.cfg.Profiles.Conceal(m)
	if !slices.ContainsFunc(egress.Webhooks(m), isOurs) {
		return m
	}
	return egress.Echoing(m, h.theirs(m))
}

// theirs are the caller's own webhooks: those that LiveKit has, and those that ours stands for.
func (h *Handler) theirs(m *livekit.EgressInfo) []*livekit.WebhookConfig {
	var list []*livekit.WebhookConfig
	for _, w := range egress.Webhooks(m) {
		if isOurs(w) {
			list = append(list, h.behind(w)...)
		} else {
			list = append(list, w)
		}
	}
	return list
}

// behind are the caller's webhooks that one of ours stands for, whose query holds them sealed.
func (h *Handler) behind(ours *livekit.WebhookConfig) []*livekit.WebhookConfig {
	t, _ := egress.ParseToken(ours.GetUrl())
	u, err := url.Parse(ours.GetUrl())
	if err != nil || u.Query().Get(egress.QueryWebhooks) == "" {
		return nil
	}
	sealed, err := h.cfg.Marker.OpenWebhooks(t.RequestID, u.Query().Get(egress.QueryWebhooks))
	if err != nil {
		h.cfg.Log.Warn("a caller's webhooks cannot be shown", "requestID", t.RequestID, "error", err)
	}
	return sealed
}
