package activities

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/livekit/protocol/auth"

	"github.com/reelkeeper/reelkeeper/egress"
)

// DeliveryConfig is what the delivery steps work with.
type DeliveryConfig struct {
	AnnounceURL string // where the consumer takes `egress_ended`
	APIKey      string // the announcement is signed as LiveKit signs, with this key
	APISecret   string
	// Timeout bounds one request. Default: 10 s, LiveKit's own from protocol 1.54 on.
	Timeout time.Duration
}

// Delivery holds the activities that run after the recording.
type Delivery struct {
	cfg    DeliveryConfig
	client *http.Client
}

// NewDelivery makes the activities.
func NewDelivery(cfg DeliveryConfig) *Delivery {
	return &Delivery{cfg: cfg, client: &http.Client{
		Timeout: cmp.Or(cfg.Timeout, 10*time.Second),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a consumer that moved is told so by the failure
		},
	}}
}

// Announce posts an event to the consumer as LiveKit would have: same body, same
// signing, same headers. Repeats carry the same event ID, by which a consumer
// already tells LiveKit's own repeats. Any answer but 2xx is a failure.
func (d *Delivery) Announce(ctx context.Context, e egress.Event) error {
	body := e.Raw()
	sum := sha256.Sum256(body)
	token, err := auth.NewAccessToken(d.cfg.APIKey, d.cfg.APISecret).
		SetValidFor(5 * time.Minute).
		SetSha256(base64.StdEncoding.EncodeToString(sum[:])).ToJWT()
	if err != nil {
		return toTemporal(fmt.Errorf("sign announcement: %w", err))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.cfg.AnnounceURL, bytes.NewReader(body))
	if err != nil {
		return toTemporal(fmt.Errorf("announce: %w", err))
	}
	req.Header.Set("Authorization", token)
	req.Header.Set("Content-Type", "application/webhook+json")
	req.Header.Set("User-Agent", "LiveKit")
	res, err := d.client.Do(req)
	if err != nil {
		return toTemporal(&egress.Error{Reason: egress.Consumer, Message: "the consumer could not be reached", Err: err})
	}
	defer res.Body.Close()
	// The answer's text is the consumer's own affair; reading some of it lets the
	// connection be used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)); err != nil {
		return toTemporal(&egress.Error{Reason: egress.Consumer, Message: "the consumer's answer broke off", Err: err})
	}
	if res.StatusCode/100 != 2 {
		return toTemporal(&egress.Error{Reason: egress.Consumer, Message: "the consumer answered " + res.Status})
	}
	return nil
}
