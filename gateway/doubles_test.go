package gateway_test

import (
	"context"
	"errors"
	"sync"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

// marker marks without a secret.
type marker struct{}

func (marker) Token(id string, part int) egress.Token {
	return egress.Token{RequestID: id, Part: part, MAC: "mac-" + id}
}

func (m marker) Verify(t egress.Token) bool { return t == m.Token(t.RequestID, 1) }

// OpenWebhooks opens a value that these tests do not seal: a URL.
func (marker) OpenWebhooks(id, sealed string) ([]*livekit.WebhookConfig, error) {
	if sealed == "broken" {
		return nil, errors.New("cannot be opened")
	}
	return []*livekit.WebhookConfig{{Url: sealed, SigningKey: id}}, nil
}

// ours returns our webhook for a request.
func ours(id string) *livekit.WebhookConfig {
	return &livekit.WebhookConfig{Url: publicURL + marker{}.Token(id, 1).Path(), SigningKey: apiKey}
}

// theirs returns a webhook of the caller's.
func theirs() *livekit.WebhookConfig {
	return &livekit.WebhookConfig{Url: "https://consumer.example.com/hook?key=CANARY", SigningKey: otherKey}
}

// recordings are the durable recordings, in memory.
type recordings struct {
	begin     func(context.Context, egress.StartOptions) (gateway.Pending, error)
	stop      func(ctx context.Context, requestID, egressID string) (egress.Info, error)
	adopt     func(ctx context.Context, requestID string, m *livekit.EgressInfo) (bool, error)
	requestOf func(context.Context, string) (string, error)
	lost      func(context.Context, []string) (map[string]string, error)
	ended     func(ctx context.Context, egressID, room string, known ...string) ([]egress.Info, error)

	mu     sync.Mutex
	starts []egress.StartOptions
	stops  []string
}

func (r *recordings) Begin(ctx context.Context, s egress.StartOptions) (gateway.Pending, error) {
	r.mu.Lock()
	r.starts = append(r.starts, s)
	r.mu.Unlock()
	return r.begin(ctx, s)
}

func (r *recordings) StopEgress(ctx context.Context, id, egressID, _ string, _ *egress.Asker) (egress.Info, error) {
	r.mu.Lock()
	r.stops = append(r.stops, id)
	r.mu.Unlock()
	return r.stop(ctx, id, egressID)
}

func (r *recordings) Adopt(ctx context.Context, id string, m *livekit.EgressInfo) (bool, error) {
	return r.adopt(ctx, id, m)
}

func (r *recordings) RequestOf(ctx context.Context, id string) (string, error) {
	return r.requestOf(ctx, id)
}

func (r *recordings) Lost(ctx context.Context, ids []string) (map[string]string, error) {
	return r.lost(ctx, ids)
}

func (r *recordings) Ended(ctx context.Context, egressID, room string, known ...string) ([]egress.Info, error) {
	return r.ended(ctx, egressID, room, known...)
}

func (r *recordings) begun() []egress.StartOptions {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts
}

func (r *recordings) stopped() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stops
}

// pending answers a durable start.
type pending func(context.Context) (egress.Info, error)

func (p pending) Started(ctx context.Context) (egress.Info, error) { return p(ctx) }

// liveKit is LiveKit as the door calls it in its own name. Nothing reaches it once a context has
// ended.
type liveKit struct {
	start func(context.Context, egress.Request) (*livekit.EgressInfo, error)
	stop  func(context.Context, string) (*livekit.EgressInfo, error)
	list  func(context.Context) error // what makes lists fail

	mu    sync.Mutex
	items []*livekit.EgressInfo
	asked []egress.Request // starts that reached it
	stops []string
	looks []string // rooms, "active" or "all"
}

func (l *liveKit) Start(ctx context.Context, r egress.Request) (*livekit.EgressInfo, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.asked = append(l.asked, r)
	l.mu.Unlock()
	m, err := l.start(ctx, r)
	if err == nil {
		l.add(m)
	}
	return m, err
}

func (l *liveKit) add(m ...*livekit.EgressInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, m...)
}

func (l *liveKit) Get(ctx context.Context, id string) (*livekit.EgressInfo, error) {
	items, err := l.which(ctx, "", func(m *livekit.EgressInfo) bool { return m.EgressId == id })
	if err == nil && len(items) == 0 {
		return nil, &egress.Error{Reason: egress.NotFound, Code: "not_found", Message: "egress does not exist"}
	}
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

func (l *liveKit) InRoom(ctx context.Context, room string) ([]*livekit.EgressInfo, error) {
	return l.which(ctx, room, func(m *livekit.EgressInfo) bool { return m.RoomName == room })
}

func (l *liveKit) Active(ctx context.Context) ([]*livekit.EgressInfo, error) {
	return l.which(ctx, "active", func(m *livekit.EgressInfo) bool { return !egress.Ended(m.GetStatus()) })
}

func (l *liveKit) Remembered(ctx context.Context) ([]*livekit.EgressInfo, error) {
	return l.which(ctx, "all", func(*livekit.EgressInfo) bool { return true })
}

func (l *liveKit) which(ctx context.Context, look string, ok func(*livekit.EgressInfo) bool) ([]*livekit.EgressInfo, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if look != "" {
		l.looks = append(l.looks, look)
	}
	var items []*livekit.EgressInfo
	for _, m := range l.items {
		if ok(m) {
			items = append(items, m)
		}
	}
	return items, l.list(ctx)
}

func (l *liveKit) Stop(ctx context.Context, id string) (*livekit.EgressInfo, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.stops = append(l.stops, id)
	l.mu.Unlock()
	return l.stop(ctx, id)
}

func (l *liveKit) started() []egress.Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

func (l *liveKit) looked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looks
}

func (l *liveKit) stopped() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stops
}
