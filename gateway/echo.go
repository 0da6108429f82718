package gateway

import (
	"slices"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// shown returns LiveKit's EgressInfo as the caller sees it: with the caller's own webhooks in place
// of ours, and without the credentials of our storage profiles.
func (h *Handler) shown(m *livekit.EgressInfo) *livekit.EgressInfo {
	m = h.cfg.Profiles.Conceal(m)
	if !slices.ContainsFunc(egress.Webhooks(m), isOurs) {
		return m
	}
	return egress.Echoing(m, h.theirs(m))
}

// theirs returns the caller's own webhooks: those that LiveKit holds, and those that ours replaces.
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

// behind returns the caller's webhooks that one of ours replaces. Its query holds them sealed.
func (h *Handler) behind(ours *livekit.WebhookConfig) []*livekit.WebhookConfig {
	x := egress.ExtrasIn(ours)
	if x.Webhooks == "" {
		return nil
	}
	theirs, err := h.cfg.Marker.OpenWebhooks(x.RequestID, x.Webhooks)
	if err != nil {
		h.cfg.Log.Warn("a caller's webhooks cannot be shown", "requestID", x.RequestID, "error", err)
	}
	return theirs
}

// showPages puts the page URL into the answer to a start as the caller sent it, and as LiveKit
// lists it: a workflow holds the queries of URLs masked.
func showPages(m *livekit.EgressInfo, r egress.Request) {
	switch r := r.(type) {
	case *livekit.WebEgressRequest:
		if echo := m.GetWeb(); echo != nil {
			unmask(&echo.Url, r.GetUrl())
		}
	case *livekit.RoomCompositeEgressRequest:
		if echo := m.GetRoomComposite(); echo != nil {
			unmask(&echo.CustomBaseUrl, r.GetCustomBaseUrl())
		}
	case *livekit.StartEgressRequest:
		if echo := m.GetEgress().GetWeb(); echo != nil {
			unmask(&echo.Url, r.GetWeb().GetUrl())
		}
		if echo := m.GetEgress().GetTemplate(); echo != nil {
			unmask(&echo.CustomBaseUrl, r.GetTemplate().GetCustomBaseUrl())
		}
	}
}

// unmask replaces a masked URL with the URL sent, if they are the same.
func unmask(masked *string, sent string) {
	if egress.MaskURLs(sent) == *masked {
		*masked = sent
	}
}
