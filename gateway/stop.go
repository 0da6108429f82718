package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// The shares of a caller's time in a stop: finding the request, and its workflow's answer. The
// rest, 3.6 s of 9, is for LiveKit, which needs 3 s to say that it cannot stop an egress.
const (
	lookShare, stopShare = 1, 3
	shares               = 5
)

// stop ends an egress through its workflow, or directly if it is not ours, Temporal is down, or its
// workflow has closed without knowing its end: then LiveKit's answer counts. So every stop is
// answered by LiveKit or by a workflow. Doing both is harmless: LiveKit answers a second stop like
// the first.
func (h *Handler) stop(ctx context.Context, egressID string) (*livekit.EgressInfo, error) {
	c := callOf(ctx)
	c.egressID = egressID
	ctx, cancel := c.lasting(ctx)
	defer cancel()
	m, of, err := h.stopDurable(ctx, c)
	switch {
	case err == nil && m != nil:
		c.outcome = Durable
		return m, nil
	case err != nil && !temporalAway(err) && egress.ReasonOf(err) != egress.NotFound:
		c.cause = err
		return nil, toTwirp(err)
	}
	c.outcome, c.cause = Direct, err
	m, failed := h.cfg.LiveKit.Stop(ctx, egressID)
	if failed == nil {
		return h.shown(m), nil
	}
	c.cause = errors.Join(c.cause, failed)
	if temporalAway(err) && egress.ReasonOf(failed) == egress.AlreadyOver {
		if m = h.overSince(ctx, egressID, &of); m != nil {
			return h.shown(m), nil
		}
		if of.mayGoOn() {
			failed = err // the next part must be stopped, and only Temporal knows it
		}
	}
	if e := asEgress(failed); e != nil && unheard(e) {
		failed = &egress.Error{Reason: e.Reason, Message: "no answer in time; it may have been stopped all the same: ask again"}
	}
	return nil, toTwirp(failed)
}

// overSince returns an egress, as LiveKit lists it, that has ended since its workflow was asked to
// stop it: the caller that stopped it gets that answer. It returns nil if the egress may have ended
// before, or if its recording may go on.
func (h *Handler) overSince(ctx context.Context, egressID string, of *request) *livekit.EgressInfo {
	if of.listed == nil || egress.Ended(of.listed.GetStatus()) {
		return nil
	}
	m, err := h.cfg.LiveKit.Get(ctx, egressID)
	if err != nil { // LiveKit has answered the stop, and says no more now
		return nil
	}
	if of.listed = m; !egress.Ended(m.GetStatus()) || of.mayGoOn() {
		return nil
	}
	return m
}

// stopDurable stops an egress through its workflow. It returns nil for an egress that is not ours.
func (h *Handler) stopDurable(ctx context.Context, c *call) (m *livekit.EgressInfo, of request, err error) {
	looking, cancel := context.WithDeadline(ctx, c.share(lookShare, shares))
	defer cancel()
	of, err = h.requestOf(looking, c.egressID)
	if err != nil || of.id == "" {
		return nil, of, err
	}
	c.requestID = of.id
	answering := ctx
	ctx, cancel = context.WithDeadline(ctx, c.share(stopShare, shares))
	defer cancel()
	info, err := h.stopKnown(ctx, c.egressID, of, c.askedBy)
	if err != nil {
		return nil, of, err
	}
	m, err = h.stopOther(answering, c.egressID, info.Proto())
	if err != nil || len(of.hooks) == 0 {
		return m, of, err
	}
	return egress.Echoing(m, of.hooks), of, nil
}

// stopKnown ends an egress through its workflow. If it has none yet because its start went past
// Temporal, it is adopted first: this stop may be all that ever shows that its worker is dead.
func (h *Handler) stopKnown(ctx context.Context, egressID string, of request, by *egress.Asker) (egress.Info, error) {
	info, err := h.cfg.Recordings.StopEgress(ctx, of.id, egressID, of.listed.GetRoomName(), by)
	if egress.ReasonOf(err) != egress.NotFound || of.listed == nil {
		return info, err
	}
	adopted, failed := h.cfg.Recordings.Adopt(ctx, of.id, of.listed)
	switch {
	case temporalAway(failed): // that matters more than the missing workflow
		return egress.Info{}, failed
	case failed != nil || !adopted:
		return egress.Info{}, errors.Join(err, failed)
	}
	return h.cfg.Recordings.StopEgress(ctx, of.id, egressID, of.listed.GetRoomName(), by)
}

// stopOther also stops the egress that was asked for if the workflow has stopped another one of the
// request: it may be a twin unknown to the workflow. If LiveKit has nothing to stop, such as an
// earlier part, the workflow's answer is returned.
func (h *Handler) stopOther(ctx context.Context, egressID string, stopped *livekit.EgressInfo) (*livekit.EgressInfo, error) {
	if stopped == nil || stopped.GetEgressId() == egressID {
		return stopped, nil
	}
	m, err := h.cfg.LiveKit.Stop(ctx, egressID)
	if r := egress.ReasonOf(err); r == egress.AlreadyOver || r == egress.NotFound {
		return stopped, nil
	}
	if err != nil {
		return nil, err
	}
	return h.shown(m), nil
}

// requestOf resolves an egress ID to its request. If LiveKit does not list the egress, the stop
// itself reports that.
func (h *Handler) requestOf(ctx context.Context, egressID string) (request, error) {
	asking, end := context.WithDeadline(ctx, callOf(ctx).share(lookShare, 2*shares)) // the other half is for Temporal
	m, _ := h.cfg.LiveKit.Get(asking, egressID)
	end()
	return h.requestOfListed(ctx, egressID, m)
}

// requestOfListed resolves an egress to its request: first by the token that LiveKit echoes, then
// by Temporal's search attributes, which lag behind.
func (h *Handler) requestOfListed(ctx context.Context, egressID string, m *livekit.EgressInfo) (request, error) {
	if t, ours := egress.OurToken(m, h.cfg.Marker.Verify); ours {
		return request{t.RequestID, h.theirs(m), m}, nil
	}
	id, err := h.cfg.Recordings.RequestOf(ctx, egressID)
	return request{id: id, listed: m}, err
}

// request is the request that an egress belongs to.
type request struct {
	id     string                   // empty for an egress that is not ours
	hooks  []*livekit.WebhookConfig // the caller's own
	listed *livekit.EgressInfo      // LiveKit's EgressInfo, nil if it gave none
}

// mayGoOn reports whether the recording may have continued as another egress: this one failed, or
// reached a limit.
func (r request) mayGoOn() bool {
	status := r.listed.GetStatus()
	return egress.Failed(status) || status == livekit.EgressStatus_EGRESS_LIMIT_REACHED
}

// closeRoom stops all of a room's egresses that are ours, concurrently. LiveKit answers a stop with
// an egress that is ENDING or has ended.
func (h *Handler) closeRoom(ctx context.Context, room string, by *egress.Asker) error {
	items, err := h.cfg.LiveKit.InRoom(ctx, room)
	if err != nil {
		return fmt.Errorf("list egresses: %w", err)
	}
	failed := make([]error, len(items))
	var all sync.WaitGroup
	for i, m := range items {
		if !egress.Ended(m.GetStatus()) {
			all.Go(func() { failed[i] = h.end(ctx, m, by) })
		}
	}
	all.Wait()
	return errors.Join(failed...)
}

// end stops one egress if it is ours or was adopted. While Temporal is down it goes past it, but
// only Temporal knows what was adopted. The workflow gets half of the time that the deletion of a
// room allows: if it does not answer, LiveKit needs the other half.
func (h *Handler) end(ctx context.Context, m *livekit.EgressInfo, by *egress.Asker) error {
	until, _ := ctx.Deadline()
	half, cancel := context.WithTimeout(ctx, time.Until(until)/2)
	defer cancel()
	of, err := h.requestOfListed(half, m.GetEgressId(), m)
	if err != nil {
		return fmt.Errorf("find the recording of %s: %w", m.GetEgressId(), err)
	}
	if of.id == "" {
		return nil
	}
	info, err := h.stopKnown(half, m.GetEgressId(), of, by)
	switch {
	case err == nil:
		_, err = h.stopOther(ctx, m.GetEgressId(), info.Proto())
	case temporalAway(err) || egress.ReasonOf(err) == egress.NotFound:
		_, err = h.cfg.LiveKit.Stop(ctx, m.GetEgressId())
	}
	if err != nil && egress.ReasonOf(err) != egress.AlreadyOver {
		return fmt.Errorf("stop %s: %w", m.GetEgressId(), err)
	}
	return nil
}
