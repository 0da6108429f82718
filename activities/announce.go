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

// DeliveryConfig is what the delivery steps work with.
type DeliveryConfig struct {
	AnnounceURL string // where the consumer of the settings takes `egress_ended`
	NotifyURL   string // the notification hook; may hold a token
	SigningKey  string // name of the key by which announcements are signed where none is named
	Keys        map[string]string
	// Secrets are those by which announcements are signed as standard-webhooks says, beside
	// LiveKit's way: by a consumer's name, that of the settings being egress.StepAnnounce.
	// Several for one are a rotation: it takes either. Default: none, and no such signature.
	Secrets map[string][]string
	Opener  Opener
	// Timeout bounds one request, but for those of Client. Default: RequestTimeout.
	Timeout time.Duration
	// PerHost is the most requests under way to one host and port. Default: 8.
	PerHost int
	// Meter makes MetricAge and MetricAttempts. Default: none, and nothing is measured.
	Meter metric.Meter
	// Client connects to hosts that requests name: it refuses inner ones. Default: one
	// that connects anywhere, as to AnnounceURL.
	Client *http.Client
}

// Delivery holds the activities that tell the consumers.
type Delivery struct {
	cfg      DeliveryConfig
	age      *age
	attempts *attempts
	hosts    *hostLimiter
	standard map[string]standardSigner
	own      *http.Client // to what the operator chose: AnnounceURL, NotifyURL, the pipeline's consumers
	named    *http.Client // to what a request names
}

// NewDelivery makes the activities. It fails where the meter does, or where one of
// Secrets is none, which is named by its consumer alone.
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

// ownClient keeps a connection for each request that may be under way to a host: the
// default is two. It follows no redirect: a consumer that moved is told so by the failure.
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

// Envelope is what goes with an event that is told.
type Envelope struct {
	Headers map[string]string `json:"headers,omitempty"` // beside LiveKit's own: egress.State.Headers
	// PutOff is for how long the first attempt of this activity waits, since an attempt of
	// another one has failed. Default: it does not.
	PutOff egress.Duration `json:"put_off,omitempty"`
	// Because is how that one failed, for who looks at what is pending.
	Because string `json:"because,omitempty"`
}

// Announcement is the argument of Announce.
type Announcement struct {
	Event egress.Event `json:"event"`
	// Consumer is who is told, of the pipeline's. Default: the consumer of the settings,
	// whose URL is this worker's own and in no history.
	Consumer *egress.Consumer `json:"consumer,omitempty"`
	Envelope
}

// Announce posts an event to a consumer as LiveKit would have: same body, same signing,
// same headers, and some more. Repeats carry the same event ID, by which a consumer
// already tells LiveKit's own repeats. Any answer but 2xx is a failure, and is tried
// again after egress.RetryConsumer.
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
	Webhook   int          `json:"webhook"` // which of the caller's own, from 0 on
	Event     egress.Event `json:"event"`
	Envelope
}

// Tell posts an event to one of the caller's own webhooks, which we took out of the
// request, as LiveKit would have. Twice is harmless as with Announce.
func (d *Delivery) Tell(ctx context.Context, in TellRequest) error {
	hook, e, err := d.hooked(in)
	if err != nil {
		return toTemporal(err)
	}
	l := letter{to: toWebhook, client: d.named, url: hook.GetUrl(), key: hook.GetSigningKey(), event: e}
	return d.deliver(ctx, l, in.Envelope)
}

// hooked is one of the caller's own webhooks, and the event as it would have come there.
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
