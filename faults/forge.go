package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/livekit/protocol/auth"
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
		req, err := webhookRequest(ctx, a.door+"/webhooks/livekit", "not-the-secret-not-the-secret-not-the", body)
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

// webhookRequest is a webhook as LiveKit sends it, signed with that secret.
func webhookRequest(ctx context.Context, url, secret string, body []byte) (*http.Request, error) {
	sum := sha256.Sum256(body)
	token, err := auth.NewAccessToken(apiKey, secret).
		SetValidFor(5 * time.Minute).SetSha256(base64.StdEncoding.EncodeToString(sum[:])).ToJWT()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", token)
	req.Header.Set("Content-Type", "application/webhook+json")
	return req, nil
}
