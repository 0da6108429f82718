package activities

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/reelkeeper/reelkeeper/egress"
)

// RequestTimeout bounds one request to a consumer: LiveKit's own limit from protocol 1.54 on.
const RequestTimeout = 10 * time.Second

// DeliveryConfig configures the delivery steps.
type DeliveryConfig struct {
	AnnounceURL string // where the consumer in the settings receives `egress_ended`
	NotifyURL   string // the notification hook; may hold a token
	SigningKey  string // name of the key that signs announcements if none is named
	Keys        map[string]string
	// Secrets are the standard-webhooks secrets that sign announcements in addition to LiveKit's
	// way, by a consumer's name; that of the consumer in the settings is egress.StepAnnounce.
	// Several secrets for one consumer are a rotation: it accepts either. Default: none, and no
	// such signature.
	Secrets map[string][]string
	Opener  Opener
	// Timeout bounds one request, except those of Client. Default: RequestTimeout.
	Timeout time.Duration
	// PerHost is the most concurrent requests to one host and port. Default: 8.
	PerHost int
	// Meter creates MetricAge and MetricAttempts. Default: none, and nothing is measured.
	Meter metric.Meter
	// Client connects to hosts that requests name: it refuses internal ones. Default: one that
	// connects anywhere, as to AnnounceURL.
	Client *http.Client
}

// Delivery holds the activities that tell consumers.
type Delivery struct {
	cfg      DeliveryConfig
	age      *age
	attempts *attempts
	hosts    *hostLimiter
	standard map[string]standardSigner
	own      *http.Client // for what the operator chose: AnnounceURL, NotifyURL, the pipeline's consumers
	named    *http.Client // for what a request names
}

// NewDelivery returns the activities. It fails if the meter does, or if one of Secrets is
// malformed; the error names only its consumer.
func NewDelivery(cfg DeliveryConfig) (*Delivery, error) {
	cfg.Meter = cmp.Or[metric.Meter](cfg.Meter, noop.Meter{})
	age, err := newAge(cfg.Meter)
	if err != nil {
		return nil, err
	}
	attempts, err := newAttempts(cfg.Meter)
	if err != nil {
		return nil, err
	}
	standard, err := standardSigners(cfg.Secrets)
	if err != nil {
		return nil, err
	}
	cfg.PerHost = cmp.Or(cfg.PerHost, 8)
	own := ownClient(cmp.Or(cfg.Timeout, RequestTimeout), cfg.PerHost)
	return &Delivery{
		cfg: cfg, age: age, attempts: attempts, hosts: newHostLimiter(cfg.PerHost), standard: standard,
		own: own, named: cmp.Or(cfg.Client, own),
	}, nil
}

// ownClient keeps one idle connection per concurrent request to a host; the default is two.
// Otherwise, its connections are kept as those of the process's default transport. It follows no
// redirects: the failure shows that the consumer has moved.
func ownClient(timeout time.Duration, perHost int) *http.Client {
	c := &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConnsPerHost = perHost
		c.Transport = t
	}
	return c
}

// Envelope is what accompanies an event to be delivered.
type Envelope struct {
	Headers map[string]string `json:"headers,omitempty"` // in addition to LiveKit's own: egress.State.Headers
	// PutOff is how long the first attempt of this activity waits because an attempt of another one
	// failed. Default: not at all.
	PutOff egress.Duration `json:"put_off,omitempty"`
	// Because is how that attempt failed, for readers of the pending activities.
	Because string `json:"because,omitempty"`
}

// Announcement is the argument of Announce.
type Announcement struct {
	Event egress.Event `json:"event"`
	// Consumer is the consumer of the pipeline to tell. Default: the consumer in the settings,
	// whose URL is this worker's own setting and in no history.
	Consumer *egress.Consumer `json:"consumer,omitempty"`
	Envelope
}

// Announce posts an event to a consumer as LiveKit would: same body, same signing, same headers,
// and some more. Repeats carry the same event ID, by which a consumer already recognizes LiveKit's
// own repeats. Any answer but 2xx is a failure, which is retried after egress.RetryConsumer.
func (d *Delivery) Announce(ctx context.Context, in Announcement) error {
	l := letter{to: toConsumer, name: egress.StepAnnounce, url: d.cfg.AnnounceURL, event: in.Event}
	if c := in.Consumer; c != nil {
		l = letter{to: toPipeline, name: c.Name, url: c.URL, key: c.Key, event: in.Event}
	}
	l.client = d.own
	return d.deliver(ctx, l, in.Envelope)
}

// TellRequest is the argument of Tell.
type TellRequest struct {
	RequestID string       `json:"request_id"`
	Input     egress.Input `json:"input"`
	Webhook   int          `json:"webhook"` // which of the caller's own webhooks, from 0
	Event     egress.Event `json:"event"`
	Envelope
}

// Tell posts an event to one of the caller's own webhooks, which we took out of the request, as
// LiveKit would. Running it twice is as harmless as with Announce.
func (d *Delivery) Tell(ctx context.Context, in TellRequest) error {
	hook, e, err := d.hooked(in)
	if err != nil {
		return toTemporal(err)
	}
	l := letter{to: toWebhook, client: d.named, url: hook.GetUrl(), key: hook.GetSigningKey(), event: e}
	return d.deliver(ctx, l, in.Envelope)
}

// hooked returns one of the caller's own webhooks, and the event as LiveKit would have sent it
// there.
func (d *Delivery) hooked(in TellRequest) (*livekit.WebhookConfig, egress.Event, error) {
	req, err := d.cfg.Opener.OpenRequest(in.RequestID, in.Input)
	if err != nil {
		return nil, egress.Event{}, err
	}
	hooks := req.GetWebhooks()
	if in.Webhook < 0 || in.Webhook >= len(hooks) {
		return nil, egress.Event{}, &egress.Error{Reason: egress.Internal, Field: "webhooks", Message: fmt.Sprintf("the request has no webhook %d", in.Webhook+1)}
	}
	e, err := in.Event.WithWebhooks(hooks)
	return hooks[in.Webhook], e, err
}
