package fakelivekit

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	"github.com/livekit/protocol/utils/guid"
	"github.com/livekit/protocol/webhook"
)

// courier sends webhooks with LiveKit's own notifiers, composed as in its DefaultNotifier: one per project URL and one for
// all per-request webhooks, each with one queue per egress or room. The difference is that the project URLs are given per
// event, so that one event can be sent to an endpoint that never answers while its queue stays the same.
type courier struct {
	urls     []string
	projects []*webhook.ResourceURLNotifier
	extra    *webhook.ResourceURLNotifier
	apiKey   string
	keys     auth.KeyProvider
	dice     *dice
	chron    *chronicle
	late     time.Duration
	trap     trap

	mu     sync.Mutex // guards the lines
	lines  map[string]*line
	closed bool

	// stats guards the counters. It is a separate lock, since the notifier may report a drop while it is handed an event.
	stats  sync.Mutex
	counts map[string]Deliveries
	told   map[string]int
	wanted map[string]*delivery
}

// delivery signals that an event was first processed.
type delivery struct{ done chan struct{} }

// Deliveries counts the webhooks of one event name by outcome.
type Deliveries struct {
	// Events is the number of events, each meant for every URL.
	Events int
	// Suppressed is how many of them were never sent because of a fault or a downtime.
	Suppressed int
	// Sent is the number of requests that LiveKit takes for delivered: any answer but 429 and 5xx.
	Sent int
	// Failed is the number of requests that LiveKit gave up after all its attempts.
	Failed int
	// Dropped is the number of requests that LiveKit dropped without an attempt, because of the
	// queue's age or depth.
	Dropped int
}

// newCourier sets up the notifiers. Their statistics go to the process's default Prometheus registry, once.
func newCourier(cfg Config, keys auth.KeyProvider, d *dice, chron *chronicle) *courier {
	webhook.InitWebhookStats(prometheus.Labels{})
	c := &courier{
		urls: cfg.WebhookURLs, apiKey: cfg.APIKey, keys: keys, dice: d, chron: chron, late: cfg.Timings.WebhookLate,
		counts: map[string]Deliveries{}, told: map[string]int{}, wanted: map[string]*delivery{}, lines: map[string]*line{},
	}
	params := webhook.ResourceURLNotifierParams{
		HTTPClientParams: webhook.HTTPClientParams{
			RetryWaitMin: cfg.Timings.WebhookRetryMin, RetryWaitMax: cfg.Timings.WebhookRetryMax,
			MaxRetries: 4, ClientTimeout: cfg.Timings.WebhookTimeout,
		},
		Config:    webhook.ResourceURLNotifierConfig{MaxAge: cfg.Timings.WebhookMaxAge},
		Logger:    logger.GetDiscardLogger(),
		APIKey:    cfg.APIKey, // always: without a key the notifier returns with its lock held
		APISecret: cfg.APISecret,
	}
	for range c.urls {
		c.projects = append(c.projects, webhook.NewResourceURLNotifier(params))
	}
	c.extra = webhook.NewResourceURLNotifier(params)
	for _, n := range append(slices.Clone(c.projects), c.extra) {
		n.RegisterProcessedHook(c.processed)
	}
	return c
}

// letter is one event with everything that decides its route.
type letter struct {
	event  *livekit.WebhookEvent
	extras []*livekit.WebhookConfig
	key    string // of the egress's line; empty for room events
	hang   bool
}

// post hands an event to the notifiers now. LiveKit's own code silently stops at the first per-request webhook with an
// unknown signing key, and so does this.
func (c *courier) post(l letter) {
	ctx := context.Background()
	for i, n := range c.projects {
		_ = n.QueueNotify(ctx, l.event, webhook.WithExtraWebhooks([]*livekit.WebhookConfig{{Url: c.way(c.urls[i], l.hang), SigningKey: c.apiKey}}))
	}
	for _, hook := range l.extras {
		opts := []webhook.NotifyOption{webhook.WithExtraWebhooks([]*livekit.WebhookConfig{{Url: c.way(hook.Url, l.hang), SigningKey: hook.SigningKey}})}
		if hook.SigningKey != "" {
			secret := c.keys.GetSecret(hook.SigningKey)
			if secret == "" {
				return
			}
			opts = append(opts, webhook.WithSecret(secret))
		}
		if err := c.extra.QueueNotify(ctx, l.event, opts...); err != nil {
			return
		}
	}
}

// way returns where an event is sent: to its URL, or into the trap.
func (c *courier) way(url string, hang bool) string {
	if hang {
		return c.trap.url()
	}
	return url
}

// expect returns a delivery that is done when the event has been processed once, or nil if nobody would get it.
func (c *courier) expect(l letter) *delivery {
	if len(c.urls)+len(l.extras) == 0 {
		return nil
	}
	d := &delivery{done: make(chan struct{})}
	c.stats.Lock()
	defer c.stats.Unlock()
	c.wanted[l.event.Id] = d
	return d
}

// processed is called by LiveKit's notifier for each request, whatever its outcome.
func (c *courier) processed(_ context.Context, info *livekit.WebhookInfo) {
	c.stats.Lock()
	defer c.stats.Unlock()
	n := c.counts[info.Event]
	outcome := "sent"
	switch {
	case info.IsDropped:
		n.Dropped++
		outcome = "dropped"
	case info.SendError != "":
		n.Failed++
		outcome = "failed"
	default:
		n.Sent++
		if info.Event == webhook.EventEgressEnded {
			c.told[info.EgressId]++
		}
	}
	c.counts[info.Event] = n
	if info.EgressId != "" {
		c.chron.webhook(noteWebhook{ID: info.EventId, Event: info.Event, EgressID: info.EgressId, Outcome: outcome, Path: pathOf(info.Url)})
	}
	if d, ok := c.wanted[info.EventId]; ok {
		delete(c.wanted, info.EventId)
		close(d.done)
	}
}

// count counts an event that happened, sent or not.
func (c *courier) count(event string, suppressed bool) {
	c.stats.Lock()
	defer c.stats.Unlock()
	n := c.counts[event]
	n.Events++
	if suppressed {
		n.Suppressed++
	}
	c.counts[event] = n
}

func (c *courier) deliveries() map[string]Deliveries {
	c.stats.Lock()
	defer c.stats.Unlock()
	return maps.Clone(c.counts)
}

func (c *courier) toldOf(egressID string) int {
	c.stats.Lock()
	defer c.stats.Unlock()
	return c.told[egressID]
}

// stop drops what is queued. A request in flight may still arrive.
func (c *courier) stop() {
	c.mu.Lock()
	c.closed = true
	for _, l := range c.lines {
		l.stop()
	}
	c.lines = map[string]*line{}
	c.mu.Unlock()
	for _, n := range append(slices.Clone(c.projects), c.extra) {
		n.Stop(true)
	}
	c.trap.close()
}

// renamed returns the same state under a new event ID, as when a worker sends its update twice.
func renamed(event *livekit.WebhookEvent) *livekit.WebhookEvent {
	again := proto.CloneOf(event)
	again.Id = guid.New("EV_")
	return again
}
