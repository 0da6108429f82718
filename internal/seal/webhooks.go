package seal

import (
	"encoding/base64"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
)

// webhooksPart is what a blob of webhooks is bound to, besides its request.
var webhooksPart = []byte("webhooks")

// SealWebhooks seals a caller's own webhooks for the query of ours, which replaces them: LiveKit
// echoes it wherever it echoes the request, so that they can be shown without a look-up.
func (k *Keys) SealWebhooks(requestID string, hooks []*livekit.WebhookConfig) (string, error) {
	b, err := proto.Marshal(&livekit.StartEgressRequest{Webhooks: hooks})
	if err != nil {
		return "", fmt.Errorf("seal webhooks: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(k.seal(b, requestID, webhooksPart)), nil
}

// OpenWebhooks is the inverse of SealWebhooks.
func (k *Keys) OpenWebhooks(requestID, sealed string) ([]*livekit.WebhookConfig, error) {
	blob, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, cannotOpen("webhooks", "are no base64url")
	}
	b, err := k.open(blob, requestID, webhooksPart)
	if err != nil {
		return nil, err
	}
	r := &livekit.StartEgressRequest{}
	if err := proto.Unmarshal(b, r); err != nil {
		return nil, cannotOpen("webhooks", "are no webhooks")
	}
	return r.GetWebhooks(), nil
}
