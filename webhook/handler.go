// Package webhook is the endpoint to which LiveKit posts its webhooks. It verifies and redacts
// them, and passes them to their workflows as signals; it answers 200 only once Temporal has the
// signal.
//
// It keeps no state, decides nothing about an egress, and must never answer 4xx to what may be a
// real event: LiveKit would take that for delivered.
package webhook

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Handler is the endpoint. It serves egress.WebhookPath and all paths below it: the token in a path
// routes the event, and a path without a valid one is not an error.
type Handler struct {
	cfg     Config
	records *records
}

// New makes the endpoint. Its metrics exist from that moment.
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
	// A LiveKit that hangs up has still told us: its signal must not be lost.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.Context()), began.Add(h.cfg.Timeout))
	defer cancel()
	// If the connection supports no deadline, the server's ReadTimeout bounds the body.
	_ = http.NewResponseController(w).SetReadDeadline(began.Add(h.cfg.Timeout))

	d := &delivery{}
	o := h.records.outcomes[h.receive(ctx, d, w, r)]
	if o.Status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.Header().Set(egress.HeaderEndpoint, "webhook")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(o.Status)
	_, err := fmt.Fprintln(w, http.StatusText(o.Status))
	h.records.record(ctx, o, d, began, err)
}

// receive handles a webhook from its first byte to its reason.
func (h *Handler) receive(ctx context.Context, d *delivery, w http.ResponseWriter, r *http.Request) Reason {
	switch {
	case r.Method != http.MethodPost:
		return NotPost
	case r.Header.Get("Authorization") == "":
		return Unsigned
	}
	// Only a holder of a key may make us read a body, so its signature is checked first, without the
	// body: a good one then fails only at the body's hash.
	if reason := h.verify(r.Header, nil); reason != "" && reason != WrongHash {
		return reason
	}
	if !signsBody(r.Header) {
		return NoWebhook
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
	case d.isEgress() && d.event.IsAnnouncement(): // a consumer's URL leads here, or it passes on what it gets
		return Ignored
	case d.isEgress():
		reason := h.observe(ctx, d)
		if reason == Late && d.sent.GetEvent() == egress.EventEnded {
			return h.noteLate(ctx, d)
		}
		return reason
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
