// Package webhook is the endpoint to which LiveKit posts its webhooks. It verifies
// them, redacts them, and hands them to their workflows as signals; it answers 200
// only when Temporal has the signal.
//
// It keeps nothing, decides nothing about an egress, and must never answer 4xx to
// what may be a real event: LiveKit would take that for delivered.
package webhook

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Handler is the endpoint. It serves egress.WebhookPath and all paths below it:
// the token in a path routes, and a path without a right one is no error.
type Handler struct {
	cfg     Config
	records *records
}

// New makes the endpoint. Its metrics exist from then on.
func New(c Config) (*Handler, error) {
	c = c.withDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r, err := newRecords(c.Meter, c.Log, c.Figures)
	if err != nil {
		return nil, fmt.Errorf("webhook metrics: %w", err)
	}
	return &Handler{cfg: c, records: r}, nil
}

// ServeHTTP answers one webhook, within Config.Timeout.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	// A LiveKit that hangs up has still told us: its going must not lose the signal.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.Context()), began.Add(h.cfg.Timeout))
	defer cancel()
	// Where the connection takes no deadline, the server's ReadTimeout bounds the body.
	_ = http.NewResponseController(w).SetReadDeadline(began.Add(h.cfg.Timeout))

	d := &delivery{}
	o := h.records.outcome(h.receive(ctx, d, w, r))
	if o.Status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.Header().Set(egress.HeaderEndpoint, "webhook")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(o.Status)
	_, err := fmt.Fprintln(w, http.StatusText(o.Status))
	h.records.record(ctx, o, d, began, err)
}

// receive is the whole life of a webhook here.
func (h *Handler) receive(ctx context.Context, d *delivery, w http.ResponseWriter, r *http.Request) Reason {
	switch {
	case r.Method != http.MethodPost:
		return NotPost
	case r.Header.Get("Authorization") == "":
		return Unsigned
	}
	body, reason := h.read(w, r)
	if reason != "" {
		return reason
	}
	if reason := h.verify(r.Header, body); reason != "" {
		return reason
	}
	if err := d.parse(r.URL.EscapedPath(), body); err != nil {
		return Unreadable
	}
	switch {
	case d.isEgress():
		return h.orLate(ctx, d, h.observe(ctx, d))
	case d.sent.GetEvent() == egress.EventRoomFinished:
		return h.hintRoom(ctx, d)
	case d.sent.GetEvent() == egress.EventParticipantLeft:
		return h.hintParticipant(ctx, d)
	case d.sent.GetEvent() == egress.EventProbe:
		return Probe
	default:
		return Ignored
	}
}
