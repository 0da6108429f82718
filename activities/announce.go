package activities

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"go.opentelemetry.io/otel/metric"

	"github.com/reelkeeper/reelkeeper/egress"
)

// DeliveryConfig is what the delivery steps work with.
type DeliveryConfig struct {
	AnnounceURL string // where the consumer of the settings takes `egress_ended`
	NotifyURL   string // the notification hook; may hold a token
	SigningKey  string // name of the key by which announcements are signed where none is named
	Keys        map[string]string
	Opener      Opener
	// Timeout bounds one request. Default: 10 s, LiveKit's own from protocol 1.54 on.
	Timeout time.Duration
	// Meter makes MetricAge. Default: none, and nothing is measured.
	Meter metric.Meter
	// Client connects to hosts that requests name: it refuses inner ones. Default: one
	// that connects anywhere, as to AnnounceURL.
	Client *http.Client
}

// Delivery holds the activities that tell the consumers.
type Delivery struct {
	cfg   DeliveryConfig
	age   *age
	own   *http.Client // to AnnounceURL and NotifyURL, which the operator chose
	named *http.Client // to what a request names
}

// NewDelivery makes the activities. It fails where the meter does.
func NewDelivery(cfg DeliveryConfig) (*Delivery, error) {
	age, err := newAge(cfg.Meter)
	if err != nil {
		return nil, err
	}
	own := &http.Client{
		Timeout: cmp.Or(cfg.Timeout, 10*time.Second),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a consumer that moved is told so by the failure
		},
	}
	return &Delivery{cfg: cfg, age: age, own: own, named: cmp.Or(cfg.Client, own)}, nil
}

// Announce posts an event to the consumer of the settings as LiveKit would have: same
// body, same signing, same headers. Repeats carry the same event ID, by which a
// consumer already tells LiveKit's own repeats. Any answer but 2xx is a failure.
func (d *Delivery) Announce(ctx context.Context, e egress.Event) error {
	if err := d.post(ctx, d.own, &livekit.WebhookConfig{Url: d.cfg.AnnounceURL}, e.Raw()); err != nil {
		return toTemporal(err)
	}
	d.age.taken(ctx, toConsumer, e)
	return nil
}

// TellRequest is the argument of Tell.
type TellRequest struct {
	RequestID string       `json:"request_id"`
	Input     egress.Input `json:"input"`
	Webhook   int          `json:"webhook"` // which of the caller's own, from 0 on
	Event     egress.Event `json:"event"`
}

// Tell posts an event to one of the caller's own webhooks, which we took out of the
// request, as LiveKit would have. Twice is harmless as with Announce.
func (d *Delivery) Tell(ctx context.Context, in TellRequest) error {
	req, err := d.cfg.Opener.OpenRequest(in.RequestID, in.Input)
	if err != nil {
		return toTemporal(err)
	}
	hooks := req.GetWebhooks()
	if in.Webhook < 0 || in.Webhook >= len(hooks) {
		return toTemporal(&egress.Error{Reason: egress.Internal, Field: "webhooks", Message: fmt.Sprintf("the request has no webhook %d", in.Webhook+1)})
	}
	e, err := in.Event.WithWebhooks(hooks)
	if err != nil {
		return toTemporal(err)
	}
	if err := d.post(ctx, d.named, hooks[in.Webhook], e.Raw()); err != nil {
		return toTemporal(err)
	}
	d.age.taken(ctx, toWebhook, e)
	return nil
}

func (d *Delivery) post(ctx context.Context, client *http.Client, to *livekit.WebhookConfig, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.GetUrl(), bytes.NewReader(body))
	if err != nil { // the URL is not shown: it may hold a credential
		return &egress.Error{Reason: egress.Invalid, Field: "webhooks.url", Message: "is not a URL"}
	}
	token, err := d.sign(cmp.Or(to.GetSigningKey(), d.cfg.SigningKey), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", token)
	req.Header.Set("Content-Type", "application/webhook+json")
	req.Header.Set("User-Agent", "LiveKit")
	res, err := client.Do(req)
	if err != nil {
		return unreached("the consumer", err)
	}
	defer res.Body.Close()
	// The answer's text is the consumer's own affair; reading some of it lets the
	// connection be used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)); err != nil {
		return &egress.Error{Reason: egress.ConsumerFailed, Message: "the consumer's answer broke off"}
	}
	if res.StatusCode/100 != 2 {
		return &egress.Error{Reason: egress.ConsumerFailed, Message: "the consumer answered " + res.Status}
	}
	return nil
}

// sign makes the token that LiveKit's webhooks carry: of the body's digest, fresh for
// each attempt.
func (d *Delivery) sign(key string, body []byte) (string, error) {
	secret, known := d.cfg.Keys[key]
	if !known {
		return "", &egress.Error{Reason: egress.Invalid, Field: "webhooks.signing_key", Message: fmt.Sprintf("no key %q is among ours (LIVEKIT_KEYS)", key)}
	}
	sum := sha256.Sum256(body)
	token, err := auth.NewAccessToken(key, secret).
		SetValidFor(5 * time.Minute).
		SetSha256(base64.StdEncoding.EncodeToString(sum[:])).ToJWT()
	if err != nil {
		return "", fmt.Errorf("sign announcement: %w", err)
	}
	return token, nil
}

// unreached is a request that got no answer. Its URL is left out, which the client's
// own error would show whole; the reason behind it stays.
func unreached(who string, err error) error {
	if refused, ok := errors.AsType[*egress.Error](err); ok {
		return refused
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &egress.Error{Reason: egress.ConsumerFailed, Message: who + " could not be reached", Err: err}
}
