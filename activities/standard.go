package activities

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/reelkeeper/reelkeeper/egress"
)

// standardSigner signs as https://www.standardwebhooks.com specifies, with each of a consumer's
// secrets.
type standardSigner []*standardwebhooks.Webhook

func standardSigners(secrets map[string][]string) (map[string]standardSigner, error) {
	all := map[string]standardSigner{}
	for name, list := range secrets {
		for _, secret := range list {
			w, err := standardwebhooks.NewWebhook(secret)
			if err != nil { // the error is not shown, since it may quote the secret
				return nil, egress.Invalidf("REELKEEPER_WEBHOOK_SECRETS", "its value for %q is not a secret", name)
			}
			all[name] = append(all[name], w)
		}
	}
	return all, nil
}

// sign adds the three headers. The ID is the event's, so that a repeat has the same one.
func (s standardSigner) sign(h http.Header, id string, at time.Time, body []byte) error {
	var signatures []string
	for _, w := range s {
		signature, err := w.Sign(id, at, body)
		if err != nil {
			return fmt.Errorf("sign announcement as standard-webhooks: %w", err)
		}
		signatures = append(signatures, signature)
	}
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
