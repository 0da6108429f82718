package activities

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
)

// seek looks in their rooms for the recorders that are due, and has the workflows of the absent
// ones look for themselves. If more are due than one round may ask for, chance decides which. If
// more than one in fewFailed could not be asked for, or its workflow not told, all are due again
// in the next round.
func (r *round) seek(ctx context.Context, s egress.Sighting) error {
	due := anyOf(s.Recorders(r.cfg.Policy.SoughtEvery(), r.Round.At, r.Round.SoughtAt), egress.MaxSought)
	defer r.alive(ctx)()
	unasked := 0
	for some := range slices.Chunk(due, atOnce) {
		before := r.Round.Failed
		failed, err := r.seekSome(ctx, some)
		unasked += failed + r.Round.Failed - before // by LiveKit, and where their workflows were not told
		if err != nil {
			r.Round.Failed++
			activity.GetLogger(ctx).Error("reconcile: recorders could not be looked for", "recorders", failed, "error", err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("reconcile: %w", ctx.Err())
		}
		if failed == len(some) { // LiveKit is down, or limits us
			return nil
		}
	}
	if unasked*fewFailed > len(due) {
		return nil // all are due again in the next round
	}
	r.Round.SoughtAt = r.Round.At
	return nil
}

// fewFailed allows one recorder in so many to go unasked, in a room that LiveKit cannot answer
// for, before all are due again in the next round.
const fewFailed = 10

// seekSome looks for some recorders concurrently, and returns the number that it could not ask
// for.
func (r *round) seekSome(ctx context.Context, some []egress.Measure) (int, error) {
	var all errgroup.Group
	var failed atomic.Int64
	asked := &countedRooms{rooms: r.livekit}
	for _, s := range some {
		all.Go(func() error {
			m := r.infos[s.EgressID]
			here, _, err := recorderIn(ctx, asked, m.GetRoomName(), m.GetRoomId(), s.EgressID)
			switch {
			case err != nil:
				failed.Add(1)
			case here:
				r.cfg.Shown.Saw(m)
			case egress.Joins(m) != "" || r.cfg.Shown.Tells(m): // otherwise it may be there under another name
				r.do(ctx, s)
			}
			return err
		})
	}
	err := all.Wait()
	r.Round.Calls += int(asked.calls.Load())
	r.Round.Sought += len(some)
	return int(failed.Load()), err
}

// countedRooms counts the calls to LiveKit.
type countedRooms struct {
	rooms
	calls atomic.Int64
}

// Present calls LiveKit.
func (c *countedRooms) Present(ctx context.Context, room, identity string) (bool, error) {
	c.calls.Add(1)
	return c.rooms.Present(ctx, room, identity)
}

// Room calls LiveKit.
func (c *countedRooms) Room(ctx context.Context, name, sid string) (*livekit.Room, error) {
	c.calls.Add(1)
	return c.rooms.Room(ctx, name, sid)
}
