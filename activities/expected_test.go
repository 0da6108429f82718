package activities_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAnExpectedRecordingIsReportedAndBegunWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	b := &both{
		items: []*lk.EgressInfo{running("EG_1")},
		rooms: []*lk.Room{{Name: room, Sid: "RM_1", NumParticipants: 1}, {Name: "daily", Sid: "RM_2", NumParticipants: 1}},
	}
	r := reconcile(t, b, false, egress.Expectation{Rooms: []string{"*"}, After: egress.Duration(time.Minute)})
	require.Equal(t, []string{"daily"}, r.Unrecorded)
	require.Empty(t, r.Recording)
	require.Equal(t, 2, r.Calls)

	r = reconcile(t, b, false, egress.Expectation{Rooms: []string{"*"}, After: egress.Duration(time.Minute), Start: "x.mp4"})
	require.Equal(t, []string{"daily"}, r.Recording)
	require.Contains(t, b.noted(), "record expect-RM_2: room_composite of room daily to x.mp4")
}

func TestARoomWhoseExpectedRecordingEndedTooEarlyIsRecordedAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		over int
		last string
		want []string
	}{
		"once":           {1, "record expect-RM_2-2: room_composite of room daily to x-again2.mp4", []string{"daily"}},
		"nine times":     {9, "record expect-RM_2-10: room_composite of room daily to x-again10.mp4", []string{"daily"}},
		"time and again": {99, "record expect-RM_2-10: room_composite of room daily to x-again10.mp4", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &both{rooms: []*lk.Room{{Name: "daily", Sid: "RM_2", NumParticipants: 1}}, over: tc.over}
			r := reconcile(t, b, false, egress.Expectation{Rooms: []string{"*"}, After: egress.Duration(time.Minute), Start: "x.mp4"})
			require.Equal(t, tc.want, r.Recording)
			require.Contains(t, b.noted(), tc.last)
			require.NotContains(t, b.noted(), "record expect-RM_2-11: room_composite of room daily to x-again11.mp4")
		})
	}
}

// The alert depends on what is reported: a room that this round started to record is not.
func TestARoomIsCountedByWhetherTheRoundBeganToRecordIt(t *testing.T) {
	t.Parallel()
	for start, want := range map[string][2]int64{"": {1, 0}, "x.mp4": {0, 1}} {
		var m metrics
		b := &both{rooms: []*lk.Room{{Name: "daily", Sid: "RM_2", NumParticipants: 1}}}
		_, err := attempt(t, m.env(), b, false, egress.Expectation{Rooms: []string{"*"}, After: egress.Duration(time.Minute), Start: start})
		require.NoError(t, err)
		counted := func(action string) int64 { return m.sum(activities.MetricUnrecorded, labels{"action": action}) }
		require.Equal(t, want, [2]int64{counted(activities.RoomReported), counted(activities.RoomRecorded)}, start)
	}
}

// A round may take minutes, and somebody may have started the recording in that time.
func TestAnExpectedRecordingThatBeganDuringTheRoundIsNotBegunAgain(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string]func(b *both){
		"LiveKit has it": func(b *both) {
			b.items = append(b.items, &lk.EgressInfo{EgressId: "EG_2", RoomName: "daily", Status: active, StartedAt: minutesAgo(0)})
		},
		"it is being started": func(b *both) {
			b.running = append(b.running, egress.Ours{RequestID: "r-2", Room: "daily", StartedAt: time.Now()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &both{rooms: []*lk.Room{{Name: "daily", Sid: "RM_2", NumParticipants: 1}}}
			b.meanwhile = func() { begins(b) }
			r := reconcile(t, b, false, egress.Expectation{Rooms: []string{"*"}, After: egress.Duration(time.Minute), Start: "x.mp4"})
			require.Empty(t, r.Recording)
			require.NotContains(t, b.noted(), "record expect-RM_2: room_composite of room daily to x.mp4")
		})
	}
}

// LiveKit lists a dead worker's egress as active forever; the round has already found that its
// workflow is closed.
func TestADeadEgressIsNoRecordingOfARoomThatIsToBeRecorded(t *testing.T) {
	t.Parallel()
	dead := &lk.EgressInfo{EgressId: "EG_1", RoomName: "daily", RoomId: "RM_2", Status: active, StartedAt: minutesAgo(10)}
	rooms := []*lk.Room{{Name: "daily", Sid: "RM_2", NumParticipants: 1}}
	expect := egress.Expectation{Rooms: []string{"*"}, After: egress.Duration(time.Minute), Start: "x.mp4"}
	for name, tc := range map[string]struct {
		both *both
		deep bool
	}{
		"found by a round before": {both: &both{closed: "EG_1"}},
		"lost, as Temporal says": {deep: true, both: &both{completed: []egress.Ours{
			{RequestID: "r-1", EgressID: "EG_1", Room: "daily", Over: true, ClosedAt: time.Now(), Status: egress.Lost, StartedAt: time.Now().Add(-time.Hour)},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.both.items, tc.both.rooms = []*lk.EgressInfo{dead}, rooms
			a := reconciler(t, tc.both, expect)
			if !tc.deep {
				_, err := attemptBy(a, rounds(nil), false)
				require.NoError(t, err)
			}
			r, err := attemptBy(a, rounds(nil), tc.deep)
			require.NoError(t, err)
			require.Equal(t, []string{"daily"}, r.Unrecorded)
			require.Equal(t, []string{"daily"}, r.Recording)
		})
	}
}

// untaken is both sides, where no worker takes the recording of one room.
type untaken struct {
	*both
	key string
}

func (u untaken) Record(ctx context.Context, key string, r egress.Request) (begun, over bool, err error) {
	if key == u.key {
		select {
		case <-ctx.Done():
			return false, false, ctx.Err()
		case <-time.After(itsTime):
		}
	}
	return u.both.Record(ctx, key, r)
}

func TestARoomWhoseRecordingNoWorkerTakesHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := untaken{key: "expect-RM_1", both: &both{rooms: []*lk.Room{
			{Name: "daily", Sid: "RM_1", NumParticipants: 1}, {Name: "standup", Sid: "RM_2", NumParticipants: 1},
		}}}
		act := activities.NewReconciler(activities.ReconcilerConfig{
			Expect: egress.Expectation{Rooms: []string{"*"}, After: egress.Duration(time.Minute), Start: "x.mp4"},
		}, b, b, keys(t))
		var r egress.Round
		require.NoError(t, newAttempts(&api{}).run(act.Reconcile, activities.RoundRequest{At: time.Now()}, &r))
		require.Equal(t, []string{"daily", "standup"}, r.Unrecorded)
		require.Equal(t, []string{"standup"}, r.Recording)
		require.Equal(t, 1, r.Failed)
		require.Less(t, r.Took.D(), itsTime)
	})
}
