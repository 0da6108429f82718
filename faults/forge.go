package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/reelkeeper/reelkeeper/internal/sender"
)

// forge tells us of an end that is not true, as somebody would who knows where we are,
// the name of a key and an egress ID, and not the key's secret. What comes of it shows
// in what the consumer is told.
func (a *agent) forge(ctx context.Context, egressID string) {
	body, err := json.Marshal(map[string]any{
		"event": "egress_ended", "id": "EV_forged", "createdAt": time.Now().Unix(),
		"egressInfo": map[string]any{"egressId": egressID, "status": "EGRESS_LIMIT_REACHED", "endedAt": time.Now().UnixNano()},
	})
	if err != nil {
		return
	}
	for range 3 { // the door may be away, or not know the egress yet
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
