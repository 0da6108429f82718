package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestARoomThatIsExpectedToBeRecordedAndIsNotIsFound(t *testing.T) {
	t.Parallel()
	room := func(name string, age time.Duration, people uint32) *livekit.Room {
		return &livekit.Room{Name: name, Sid: "RM_1", CreationTime: noon.Add(-age).Unix(), NumParticipants: people, NumPublishers: people / 2}
	}
	for name, tc := range map[string]struct {
		room   *livekit.Room
		listed []egress.Listed
		ours   []egress.Ours
		found  bool
		begin  bool
	}{
		"nothing records it":                  {room("standup", time.Hour, 2), nil, nil, true, true},
		"for just long enough":                {room("standup", time.Minute, 1), nil, nil, true, true},
		"another pattern":                     {room("daily-7", time.Hour, 1), nil, nil, true, true},
		"it is recorded":                      {room("standup", time.Hour, 2), all(listed("EG_1", active)), nil, false, false},
		"its recording starts":                {room("standup", time.Hour, 2), all(listed("EG_1", starting)), nil, false, false},
		"its recording never starts":          {room("standup", time.Hour, 2), all(listed("EG_1", starting, ago(5*time.Minute))), have(ours("r", "EG_1")), true, false},
		"… that of others":                    {room("standup", time.Hour, 2), all(listed("EG_1", starting, ago(5*time.Minute))), nil, true, false},
		"… where another one records":         {room("standup", time.Hour, 2), all(listed("EG_1", starting, ago(5*time.Minute)), listed("EG_2", active)), nil, false, false},
		"… and nobody publishes":              {room("standup", time.Hour, 1), all(listed("EG_1", starting, ago(5*time.Minute))), nil, false, false},
		"its recording starts slowly":         {room("standup", time.Hour, 2), all(listed("EG_1", starting, ago(4*time.Minute))), nil, false, false},
		"… since nobody knows when":           {room("standup", time.Hour, 2), all(listed("EG_1", starting, timeless)), nil, false, false},
		"its recording uploads":               {room("standup", time.Hour, 2), all(listed("EG_1", ending)), nil, false, false},
		"its recording is lost":               {room("standup", time.Hour, 2), all(listed("EG_1", active)), have(ours("r", "EG_1", over, func(o *egress.Ours) { o.Status = egress.Lost })), true, true},
		"… whoever else of ours had it":       {room("standup", time.Hour, 2), all(listed("EG_1", active)), have(ours("r", "EG_1", settledAs(egress.Lost)), ours("s", "EG_1", over)), true, true},
		"… by a word that was taken back":     {room("standup", time.Hour, 2), all(listed("EG_1", active)), have(ours("r", "EG_1", func(o *egress.Ours) { o.Status = egress.Lost })), false, false},
		"its recording failed, and runs":      {room("standup", time.Hour, 2), all(listed("EG_1", active)), have(ours("r", "EG_1", settledAs("EGRESS_FAILED"))), false, false},
		"it is recorded for long":             {room("standup", time.Hour, 2), all(listed("EG_1", active, ago(time.Hour))), nil, false, false},
		"… beside one that never starts":      {room("standup", time.Hour, 2), all(listed("EG_1", active), listed("EG_2", starting, ago(5*time.Minute))), nil, false, false},
		"its next part has no ID yet":         {room("standup", time.Hour, 2), all(listed("EG_1", active, of("r"))), have(ours("r", "")), false, false},
		"its end is on its way to us":         {room("standup", time.Hour, 2), all(listed("EG_1", finished)), have(ours("r", "EG_1")), true, false},
		"its part before is lost":             {room("standup", time.Hour, 2), all(listed("EG_1", active, of("r")), listed("EG_2", finished, of("r"))), have(ours("r", "EG_2", over)), true, true},
		"its next part starts":                {room("standup", time.Hour, 2), all(listed("EG_1", active, of("r")), listed("EG_2", starting, of("r"))), have(ours("r", "EG_3")), false, false},
		"… which is of another room":          {room("standup", time.Hour, 2), all(listed("EG_1", active, of("r")), listed("EG_2", active, of("r"), func(l *egress.Listed) { l.Room, l.RoomID = "retro", "RM_2" })), have(ours("r", "EG_2", func(o *egress.Ours) { o.Room = "retro" })), false, false},
		"its next part records":               {room("standup", time.Hour, 2), all(listed("EG_1", active, of("r")), listed("EG_2", active, of("r"))), have(ours("r", "EG_2")), false, false},
		"its recording has ended":             {room("standup", time.Hour, 2), all(listed("EG_1", finished)), nil, true, true},
		"an earlier room of its name uploads": {room("standup", time.Hour, 2), all(listed("EG_1", ending, func(l *egress.Listed) { l.RoomID = "RM_0" })), nil, true, true},
		"… which is ours":                     {room("standup", time.Hour, 2), all(listed("EG_1", ending, func(l *egress.Listed) { l.RoomID = "RM_0" })), have(ours("r", "EG_1")), true, true},
		"… and a start of ours is under way":  {room("standup", time.Hour, 2), all(listed("EG_1", ending, func(l *egress.Listed) { l.RoomID = "RM_0" })), have(ours("r", "EG_1"), ours("s", "")), true, false},
		"recorded, in a room without an ID":   {room("standup", time.Hour, 2), all(listed("EG_1", active, func(l *egress.Listed) { l.RoomID = "" })), nil, false, false},
		"it is streamed":                      {room("standup", time.Hour, 2), all(listed("EG_1", active, func(l *egress.Listed) { l.KeepsNothing = true })), nil, true, true},
		"… by ours":                           {room("standup", time.Hour, 2), all(listed("EG_1", active, func(l *egress.Listed) { l.KeepsNothing = true })), have(ours("r", "EG_1")), true, true},
		"another room is recorded":            {room("standup", time.Hour, 2), all(listed("EG_1", active, func(l *egress.Listed) { l.Room = "retro" })), nil, true, true},
		"a start of ours is under way":        {room("standup", time.Hour, 2), nil, have(ours("r", "")), true, false},
		"a start of ours is over":             {room("standup", time.Hour, 2), nil, have(ours("r", "", over)), true, true},
		"one over, and one under way":         {room("standup", time.Hour, 2), nil, have(ours("r", ""), ours("s", "EG_1", over)), true, false},
		"too young":                           {room("standup", 59*time.Second, 2), nil, nil, false, false},
		"nobody is there":                     {room("standup", time.Hour, 0), nil, nil, false, false},
		"no room that must be":                {room("retro", time.Hour, 2), nil, nil, false, false},
		"no room of the pattern":              {room("standups", time.Hour, 2), nil, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := egress.Expectation{Rooms: []string{"standup", "daily-*"}, After: egress.Duration(time.Minute), Start: "x.mp4"}
			require.NoError(t, e.Validate())
			rooms := []*livekit.Room{tc.room}
			var want []egress.Unrecorded
			if tc.found {
				want = []egress.Unrecorded{{Room: tc.room, Begin: tc.begin}}
			}
			require.Equal(t, want, e.Unrecorded(noon, rooms, tc.listed, tc.ours))

			e.Start = ""
			for i := range want {
				want[i].Begin = false
			}
			require.Equal(t, want, e.Unrecorded(noon, rooms, tc.listed, tc.ours), "reported, and nothing is begun")
		})
	}
}

func TestARoomIsRecordedUnderAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	e := egress.Expectation{Rooms: []string{"*"}, Start: "{room_name}-{time}.mp4"}
	key, r := e.Request(&livekit.Room{Name: "standup", Sid: "RM_kX"}, 1)
	require.Equal(t, "expect-RM_kX", key)
	require.NoError(t, egress.ValidateRequestID(key))
	again, second := e.Request(&livekit.Room{Name: "standup", Sid: "RM_kX"}, 2)
	require.Equal(t, "expect-RM_kX-2", again)
	require.NoError(t, egress.ValidateRequestID(again))
	require.Equal(t, "room_composite of room standup to {room_name}-{time}-again2.mp4", egress.Summarize(second).Title())
	require.Equal(t, "room_composite of room standup to {room_name}-{time}.mp4", egress.Summarize(r).Title())
}

func TestAnExpectationThatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, egress.Expectation{Rooms: []string{"ok", "[a-"}}.Validate(), `REELKEEPER_EXPECT: "[a-" is not a pattern`)
	require.ErrorContains(t, egress.Expectation{Start: "x.mp4"}.Validate(), "REELKEEPER_EXPECT_START: is set, but REELKEEPER_EXPECT is not")
	require.NoError(t, egress.Expectation{}.Validate())
}

func TestUnrecordedRoomsAreListedByName(t *testing.T) {
	t.Parallel()
	room := func(name string) *livekit.Room {
		return &livekit.Room{Name: name, Sid: "RM_" + name, NumParticipants: 1}
	}
	var names []string
	for _, u := range (egress.Expectation{Rooms: []string{"*"}}).Unrecorded(noon, []*livekit.Room{room("c"), room("a"), room("b")}, nil, nil) {
		names = append(names, u.Room.GetName())
	}
	require.Equal(t, []string{"a", "b", "c"}, names)
}

func TestARoomIsBegunToBeRecordedTenTimesAtMost(t *testing.T) {
	t.Parallel()
	require.Equal(t, 10, egress.MaxExpected)
}
