package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/livekit/protocol/livekit"
	"golang.org/x/sync/singleflight"

	"github.com/reelkeeper/reelkeeper/egress"
)

// failOpen starts an egress past Temporal: the durability layer must never cost a recording. The
// request carries our token, so that its first webhook gets it adopted.
//
// Temporal may have the start all the same, and a worker may ask LiveKit until StartBy. The door
// waits a little longer, and asks only if LiveKit does not list our token; a worker that comes
// later finds the door's egress. If LiveKit lists the worker's egress later than that, or two doors
// ask with one key at once, there is a twin, which the workflow's own rule ends.
func (h *Handler) failOpen(ctx context.Context, s egress.StartOptions) (*livekit.EgressInfo, error) {
	h.bypass.noteOutage()
	if !sleep(ctx, time.Until(s.StartBy.Add(egress.FailOpenMargin))) {
		return nil, &egress.Error{Reason: egress.Ambiguous, Message: "no time left to look whether it was started", Err: ctx.Err()}
	}
	return h.direct(ctx, s)
}

// direct starts an egress at LiveKit, unless LiveKit lists it already. No worker will start it: its
// moment has passed, or no worker can read its request.
func (h *Handler) direct(ctx context.Context, s egress.StartOptions) (*livekit.EgressInfo, error) {
	filled, err := h.filled(s)
	if err != nil {
		return nil, err
	}
	digest := digestOf(s)
	return once(&h.flights, s.RequestID, digest, func() (m *livekit.EgressInfo, err error) {
		if h.bypass.of(s.RequestID).conflicts(digest) { // it was started while this one waited for a worker
			return nil, egress.IDTaken(s.RequestID)
		}
		if m, err = h.find(ctx, s); m != nil || err != nil {
			return m, err
		}
		if h.bypass.of(s.RequestID).unlisted() {
			return nil, unlistedYet()
		}
		h.bypass.ask(s.RequestID, digest, func() error {
			m, err = h.cfg.LiveKit.Start(ctx, egress.AddWebhook(egress.ForPart(h.signed(filled), 1), h.webhook(s.RequestID, s.Pipeline)))
			return err
		})
		return m, err
	})
}

// join waits for a start of the same key that LiveKit has not answered yet, or finds the egress it
// began. LiveKit lists that egress only once it answers, and asking again might begin a second one.
func (h *Handler) join(ctx context.Context, s egress.StartOptions) (*livekit.EgressInfo, error) {
	return once(&h.flights, s.RequestID, digestOf(s), func() (*livekit.EgressInfo, error) {
		m, err := h.find(ctx, s) // LiveKit has just answered
		if m == nil && err == nil {
			err = unlistedYet()
		}
		return m, err
	})
}

func unlistedYet() error {
	return &egress.Error{Reason: egress.Ambiguous, Message: "LiveKit has not said whether it was started"}
}

// filled returns a start's request with its storage profile filled in, as the worker would do it.
// If only the worker knows the profile, the start fails instead of recording elsewhere.
func (h *Handler) filled(s egress.StartOptions) (egress.Request, error) {
	if s.Storage != "" && h.cfg.Profiles.Named[s.Storage] == nil {
		return nil, &egress.Error{Reason: egress.Unavailable, Message: fmt.Sprintf(
			"a start past Temporal needs the storage profile %q, which is not known here: give `starter serve` the same REELKEEPER_STORAGE as the worker", s.Storage)}
	}
	filled, _, err := h.cfg.Profiles.Apply(s.Request, s.Storage)
	return filled, err
}

// once runs the start of a request ID once for all concurrent callers, and gives them all its
// answer. A caller that asks for something else under the same key, or in another way, is refused,
// as its workflow would refuse it.
func once[T any](flights *singleflight.Group, requestID, digest string, start func() (T, error)) (T, error) {
	type flown struct {
		digest string
		answer T
	}
	v, err, _ := flights.Do(requestID, func() (any, error) {
		answer, err := start()
		return flown{digest, answer}, err
	})
	f, _ := v.(flown)
	if f.digest != digest {
		err = egress.IDTaken(requestID)
	}
	return f.answer, err
}

// find looks once for our token among LiveKit's egresses. If LiveKit does not answer, nothing is
// started: it might be the second egress.
func (h *Handler) find(ctx context.Context, s egress.StartOptions) (*livekit.EgressInfo, error) {
	items, err := h.candidates(ctx, s)
	if err != nil {
		return nil, &egress.Error{Reason: egress.Ambiguous, Message: "look for an earlier start", Err: err}
	}
	return egress.OfToken(items, h.cfg.Marker.Token(s.RequestID, 1), h.cfg.Marker.Verify), nil
}

// candidates lists the egresses among which ours would be. A web egress has no room to filter by.
// It is among the active ones, unless a door has asked for it before and it may have ended: only
// then is everything listed, which takes long where many recordings were made.
func (h *Handler) candidates(ctx context.Context, s egress.StartOptions) ([]*livekit.EgressInfo, error) {
	room := egress.Summarize(s.Request).Room
	switch {
	case room != "":
		return h.cfg.LiveKit.InRoom(ctx, room)
	case !s.Made && (h.bypass.of(s.RequestID).known() || h.bypass.young()):
		return h.cfg.LiveKit.Remembered(ctx)
	default:
		return h.cfg.LiveKit.Active(ctx)
	}
}

// webhook returns our own webhook for a request. It names the pipeline, since a start that is
// adopted later carries nothing else.
func (h *Handler) webhook(requestID, pipeline string) *livekit.WebhookConfig {
	ours := h.cfg.Marker.Token(requestID, 1).URL(h.cfg.PublicURL)
	return &livekit.WebhookConfig{Url: egress.Extras{Pipeline: pipeline}.In(ours), SigningKey: h.cfg.SigningKey}
}

// sleep waits, and reports false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
