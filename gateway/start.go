package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
)

// start handles every start: through a workflow, or straight to LiveKit if Temporal is down.
func (h *Handler) start(ctx context.Context, r egress.Request) (*livekit.EgressInfo, error) {
	c := callOf(ctx)
	ctx, cancel := c.lasting(ctx)
	defer cancel()
	c.room = egress.Summarize(r).Room
	m, err := h.obtain(ctx, c, r)
	if err != nil {
		c.cause = errors.Join(c.cause, err)
		return nil, toTwirp(goesOn(c.requestID, err))
	}
	c.egressID = m.GetEgressId()
	m = egress.Echoing(m, r.GetWebhooks())
	showPages(m, r)
	return h.cfg.Profiles.Conceal(m), nil
}

// obtain returns the egress of a start. The call's outcome then says which way the start took.
func (h *Handler) obtain(ctx context.Context, c *call, r egress.Request) (*livekit.EgressInfo, error) {
	if err := h.checkWebhooks(r); err != nil {
		return nil, err
	}
	s := egress.StartOptions{RequestID: c.requestID, Made: c.key == "", Request: r, Storage: c.storage, Pipeline: c.pipeline, AskedBy: c.askedBy}
	before := h.bypass.of(s.RequestID)
	if before.conflicts(digestOf(s)) {
		return nil, egress.IDTaken(s.RequestID)
	}
	s.Again, s.Unlisted = !s.Made && h.bypass.mayHave(s), before.unlisted()
	if h.failsOpen() && !s.Unlisted { // otherwise the worker may search for longer, and asks once it is sure
		s.StartBy = time.Now().Add(h.cfg.FailOpenAfter)
	}
	if before.result == awaited {
		c.outcome = FailedOpen
		return h.join(ctx, s)
	}
	pending, err := h.begin(ctx, s)
	switch {
	case err == nil:
		return h.durably(ctx, c, s, pending)
	case !h.failsOpen() || !temporalAway(err):
		return nil, err
	}
	c.outcome, c.cause = FailedOpen, err
	if s.Unlisted {
		return h.join(ctx, s)
	}
	return h.failOpen(ctx, s)
}

// durably waits for LiveKit's answer to a start that a workflow has. If no worker could ask LiveKit,
// it does so itself.
func (h *Handler) durably(ctx context.Context, c *call, s egress.StartOptions, p Pending) (*livekit.EgressInfo, error) {
	c.outcome = Durable
	m, err := confirmed(ctx, p)
	if egress.ReasonOf(err) == egress.Ambiguous {
		h.bypass.noteDoubt(s.RequestID)
	}
	if !h.failsOpen() || !unasked(err) {
		return m, err
	}
	c.outcome, c.cause = FailedOpen, err
	return h.direct(ctx, s)
}

// failsOpen reports whether a start may go past Temporal.
func (h *Handler) failsOpen() bool { return h.cfg.FailOpenAfter > 0 }

// begin gives Temporal its time to accept a start: all of the caller's time if a start never fails
// open.
func (h *Handler) begin(ctx context.Context, s egress.StartOptions) (Pending, error) {
	if h.failsOpen() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.cfg.FailOpenAfter+egress.FailOpenMargin)
		defer cancel()
	}
	return h.cfg.Recordings.Begin(ctx, s)
}

// unasked reports whether a workflow took a start but LiveKit was not asked, through no fault of
// the caller's: the worker was late, lacks the secret with which we sealed the request,
// or is too old to read it.
func unasked(err error) bool {
	reason := egress.ReasonOf(err)
	return reason == egress.HandedBack || reason == egress.Sealed
}

// confirmed waits for LiveKit's answer to a start that is durable.
func confirmed(ctx context.Context, p Pending) (*livekit.EgressInfo, error) {
	info, err := p.Started(ctx)
	switch {
	case temporalAway(err): // The start is durable all the same.
		return nil, &egress.Error{Reason: egress.Ambiguous, Message: "LiveKit has not answered in time", Err: err}
	case err != nil:
		return nil, err
	case !info.Known():
		return nil, &egress.Error{Reason: egress.Internal, Message: "the start has no EgressInfo"}
	}
	return info.Proto(), nil
}

func (h *Handler) checkWebhooks(r egress.Request) error {
	if err := h.checkLoop(r); err != nil {
		return err
	}
	return egress.CheckWebhooks(r, func(key string) bool { return h.cfg.Keys.GetSecret(key) != "" })
}

// signed returns a request for LiveKit itself in which every webhook names a signing key, ours if
// the caller named none: LiveKit would sign with a default of its own, and older servers stop
// sending webhooks altogether once they have met one without a key. What we send ourselves is
// signed with whatever key is ours at that time.
func (h *Handler) signed(r egress.Request) egress.Request {
	r, _ = proto.Clone(r).(egress.Request)
	for _, w := range r.GetWebhooks() {
		if w.GetSigningKey() == "" {
			w.SigningKey = h.cfg.SigningKey
		}
	}
	return r
}

// goesOn tells a caller who got no answer how to get one.
func goesOn(requestID string, err error) error {
	e := asEgress(err)
	if e == nil && !errors.Is(err, context.DeadlineExceeded) || e != nil && e.Reason != egress.Ambiguous {
		return err
	}
	return &egress.Error{Reason: egress.Ambiguous, Message: fmt.Sprintf(
		"no answer in time; the recording may go on: ask again with the header %s: %s", HeaderKey, requestID)}
}
