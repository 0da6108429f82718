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

// The shares of a caller's time in a stop: looking for the request, and its workflow's
// answer. What is left, 3.6 s of 9, is for LiveKit, which needs 3 s to say that it
// cannot stop an egress.
const (
	lookShare, stopShare = 1, 3
	shares               = 5
)

// stop ends an egress through its workflow, and directly where it is not ours, Temporal
// is away, or its workflow is over without knowing its end: then the answer is LiveKit's.
// So every stop is answered by LiveKit or by a workflow. Doing both is harmless: LiveKit
// answers a second stop as the first.
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
			failed = err // the next part is to stop, and Temporal alone knows of it
		}
	}
	if e := asEgress(failed); e != nil && unheard(e) {
		failed = &egress.Error{Reason: e.Reason, Message: "no answer in time; it may have been stopped all the same: ask again"}
	}
	return nil, toTwirp(failed)
}

// overSince is an egress that has ended since its workflow was asked to stop it, as LiveKit lists
// it: so is it answered to whoever has stopped it. It is nil where the egress may have ended
// before, and where its recording may go on.
func (h *Handler) overSince(ctx context.Context, egressID string, of *request) *livekit.EgressInfo {
	if of.listed == nil || egress.Ended(of.listed.GetStatus()) {
		return nil
	}
	m, err := h.cfg.LiveKit.Get(ctx, egressID)
	if err != nil { // LiveKit has answered the stop, which is all that it says now
		return nil
	}
	if of.listed = m; !egress.Ended(m.GetStatus()) || of.mayGoOn() {
		return nil
	}
	return m
}

// stopDurable is nil for an egress that is not ours.
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

// stopKnown ends an egress through its workflow. One that has none yet, since its start
// went past Temporal, is adopted first: that somebody wants its end may be all that ever
// shows that its worker is dead.
func (h *Handler) stopKnown(ctx context.Context, egressID string, of request, by *egress.Asker) (egress.Info, error) {
	info, err := h.cfg.Recordings.StopEgress(ctx, of.id, egressID, of.listed.GetRoomName(), by)
	if egress.ReasonOf(err) != egress.NotFound || of.listed == nil {
		return info, err
	}
	adopted, failed := h.cfg.Recordings.Adopt(ctx, of.id, of.listed)
	switch {
	case temporalAway(failed): // which counts more than that there was none
		return egress.Info{}, failed
	case failed != nil || !adopted:
		return egress.Info{}, errors.Join(err, failed)
	}
	return h.cfg.Recordings.StopEgress(ctx, of.id, egressID, of.listed.GetRoomName(), by)
}

// stopOther stops the egress that was asked for, too, where the workflow has stopped
// another one of the request: it may be a twin that the workflow does not know of. The
// answer is the workflow's where LiveKit has nothing to stop, as of an earlier part.
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

// requestOf resolves an egress ID to its request: by LiveKit's echoed token first, and
// by Temporal's search attributes second, which lag behind. What LiveKit says of an
// egress that it does not list is not asked here: the stop itself will hear it.
func (h *Handler) requestOf(ctx context.Context, egressID string) (request, error) {
	asking, end := context.WithDeadline(ctx, callOf(ctx).share(lookShare, 2*shares)) // the other half is Temporal's
	m, err := h.cfg.LiveKit.Get(asking, egressID)
	end()
	if err == nil {
		if t, ours := egress.OurToken(m, h.cfg.Marker.Verify); ours {
			return request{t.RequestID, h.theirs(m), m}, nil
		}
	}
	id, found, err := h.cfg.Recordings.ByEgressID(ctx, egressID)
	if !found {
		id = ""
	}
	return request{id: id, listed: m}, err
}

// request is whose an egress is.
type request struct {
	id     string                   // empty for an egress that is not ours
	hooks  []*livekit.WebhookConfig // the caller's own
	listed *livekit.EgressInfo      // what LiveKit says of it, nil where it says nothing
}

// mayGoOn reports whether a recording may have gone on as another egress: this one failed, or
// reached a limit.
func (r request) mayGoOn() bool {
	status := r.listed.GetStatus()
	return egress.Failed(status) || status == livekit.EgressStatus_EGRESS_LIMIT_REACHED
}

// closeRoom stops those of a room's egresses that are ours, all at once. LiveKit answers
// a stop with an egress that is ENDING or has ended.
func (h *Handler) closeRoom(ctx context.Context, room string, by *egress.Asker) error {
	items, err := h.cfg.LiveKit.InRoom(ctx, room)
	if err != nil {
		return fmt.Errorf("list egresses: %w", err)
	}
	failed := make([]error, len(items))
	var all sync.WaitGroup
	for i, m := range items {
		if t, ours := egress.OurToken(m, h.cfg.Marker.Verify); ours && !egress.Ended(m.GetStatus()) {
			all.Go(func() { failed[i] = h.end(ctx, m, t, by) })
		}
	}
	all.Wait()
	return errors.Join(failed...)
}

// end stops one egress, past Temporal where that is away. Its workflow is given half of the time,
// as the deletion of a room bounds it: LiveKit needs the other where it does not answer.
func (h *Handler) end(ctx context.Context, m *livekit.EgressInfo, t egress.Token, by *egress.Asker) error {
	until, _ := ctx.Deadline()
	half, cancel := context.WithTimeout(ctx, time.Until(until)/2)
	defer cancel()
	info, err := h.stopKnown(half, m.GetEgressId(), request{id: t.RequestID, listed: m}, by)
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
