package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/reelkeeper/reelkeeper/internal/sender"
)

// forge sends us a false end, as somebody could who knows our URL, the name of a key and an egress
// ID, but not the key's secret. What the consumer is told shows the effect.
func (a *agent) forge(ctx context.Context, egressID string) {
	body, err := json.Marshal(map[string]any{
		"event": "egress_ended", "id": "EV_forged", "createdAt": time.Now().Unix(),
		"egressInfo": map[string]any{"egressId": egressID, "status": "EGRESS_LIMIT_REACHED", "endedAt": time.Now().UnixNano()},
	})
	if err != nil {
		return
	}
	for range 3 { // the door may be down, or not know the egress yet
		req, err := sender.Request(ctx, a.door+"/webhooks/livekit", apiKey, "not-the-secret-not-the-secret-not-the", body)
		if err != nil {
			return
		}
		if res, err := a.http.Do(req); err == nil {
			_ = res.Body.Close()
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return
		}
	}
}
