package activities

import (
	"context"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// call asks LiveKit for the egress, unless there is no reason to, or another attempt did so while
// this one waited.
func (s *starting) call(ctx context.Context) (*livekit.EgressInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CallTimeout)
	defer cancel()
	if by := s.in.NotAfter; s.withdrawn() || !by.IsZero() && time.Now().Add(-s.ahead).After(by) {
		return nil, &egress.Error{Reason: egress.TooLate, Message: "the recording is to be over by now"}
	}
	if err := s.checkRoom(ctx); err != nil {
		return nil, err
	}
	if s.maybeReplaced(ctx) {
		items, _ := s.list(ctx, false) // if LiveKit cannot be asked here, the start will fail, too
		if m := s.ours(items); m != nil {
			return m, nil
		}
	}
	if ctx.Err() != nil {
		return nil, &egress.Error{Reason: egress.Unreachable, Message: "LiveKit's answers took too long to ask it for the egress", Err: ctx.Err()}
	}
	return s.send(ctx)
}

// checkRoom returns why a later part cannot be recorded now, or never. If LiveKit does not say how
// its room is, it can be.
func (s *starting) checkRoom(ctx context.Context) error {
	if s.in.RoomID == "" {
		return nil
	}
	room, err := liveRoom(ctx, s.api, s.room, s.in.RoomID)
	switch {
	case err == nil && room == nil:
		return &egress.Error{Reason: egress.NotFound, Code: "not_found", Message: "the room that the part before recorded is gone"}
	case err == nil && s.in.Published && room.GetNumPublishers() == 0:
		return &egress.Error{Reason: egress.Unreachable, Message: "nobody publishes in the room"} // not yet: it is retried
	}
	return nil // if LiveKit cannot be asked here, the start will fail, too
}
