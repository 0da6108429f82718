package activities

import (
	"context"
	"errors"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// rooms is what LiveKit is asked about rooms. Errors are egress.Errors.
type rooms interface {
	Present(ctx context.Context, room, identity string) (bool, error)
	Room(ctx context.Context, name, sid string) (*livekit.Room, error)
}

// recorderIn reports whether an egress's own participant is in its room, and, if that shows it, that
// the room itself is gone. Some LiveKit servers pass the question on to the room: once it is gone,
// they say that nobody answers. Only if their list of rooms then lacks the room does the participant
// count as absent. What is not LiveKit's answer, and so has no code, says nothing of either.
func recorderIn(ctx context.Context, api rooms, room, sid, egressID string) (here, roomGone bool, err error) {
	here, err = api.Present(ctx, room, egressID)
	if said, _ := errors.AsType[*egress.Error](err); said == nil || said.Reason != egress.Ambiguous || said.Code == "" {
		return here, false, err
	}
	if live, listErr := liveRoom(ctx, api, room, sid); live != nil || listErr != nil {
		return false, false, err
	}
	return false, true, nil
}

// liveRoom returns a room as LiveKit lists it, nil once it is gone. One answer does not say that: a
// proxy's empty reply looks the same.
func liveRoom(ctx context.Context, api rooms, name, sid string) (*livekit.Room, error) {
	room, err := api.Room(ctx, name, sid)
	switch {
	case room != nil || err != nil:
		return room, err
	case !sleep(ctx, time.Second):
		return nil, ctx.Err()
	}
	return api.Room(ctx, name, sid)
}
