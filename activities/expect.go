package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/egress"
)

// recordFor is how long a round waits for a worker to take one expected recording: three times the
// 5 s for which Temporal keeps a task for a worker that has died.
const recordFor = 15 * time.Second

// expect finds rooms that should be recorded and are not, and starts those recordings that are
// due, under a key derived from the room: another attempt starts nothing twice.
func (r *round) expect(ctx context.Context, s egress.Sighting) error {
	if len(r.cfg.Expect.Rooms) == 0 {
		return nil
	}
	defer r.alive(ctx)()
	rooms, err := r.livekit.Rooms(ctx)
	r.Round.Calls++
	if err != nil {
		return fmt.Errorf("list rooms: %w", err)
	}
	log, metrics := activity.GetLogger(ctx), activity.GetMetricsHandler(ctx)
	list := r.cfg.Expect.Unrecorded(r.clock(), rooms, s.Listed, s.Ours)
	if slices.ContainsFunc(list, func(u egress.Unrecorded) bool { return u.Begin }) {
		if s, err = r.now(ctx, s.Ours); err != nil {
			return err
		}
		list = r.cfg.Expect.Unrecorded(r.clock(), rooms, s.Listed, s.Ours)
	}
	counts := map[string]int64{}
	for _, u := range list {
		name := u.Room.GetName()
		r.Round.Unrecorded = egress.AppendBounded(r.Round.Unrecorded, name)
		action := RoomReported
		if u.Begin && r.record(ctx, u.Room) {
			r.Round.Recording = egress.AppendBounded(r.Round.Recording, name)
			action = RoomRecorded
		} else {
			log.Warn("a room is expected to be recorded, and is not", "room", name, "roomID", u.Room.GetSid())
		}
		counts[action]++
	}
	for action, n := range counts { // all at once, so that a round appears as a whole
		metrics.WithTags(map[string]string{"action": action}).Counter(MetricUnrecorded).Inc(n)
	}
	return nil
}

// record starts the recording of a room, or its next one if an earlier one ended too early. It
// reports false if none is due.
func (r *round) record(ctx context.Context, room *livekit.Room) (begun bool) {
	log := activity.GetLogger(ctx)
	for n, over := 1, true; over && n <= egress.MaxExpected; n++ {
		key, request := r.cfg.Expect.Request(room, n)
		var err error
		if begun, over, err = r.begin(ctx, key, request); err != nil {
			r.Round.Failed++
			log.Error("an expected recording could not be begun", "room", room.GetName(), "requestID", key, "error", err)
			return false
		}
		if begun {
			log.Info("an expected recording was begun", "room", room.GetName(), "roomID", room.GetSid(), "requestID", key)
			return true
		}
	}
	return false
}

// begin is the registry's Record, for recordFor: no worker may ever take a run that waits for one of
// a version that is gone. What was sent goes on, and the next round finds it.
func (r *round) begin(ctx context.Context, key string, request egress.Request) (begun, over bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, recordFor)
	defer cancel()
	return r.temporal.Record(ctx, key, request)
}
