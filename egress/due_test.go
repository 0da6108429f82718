package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// watched returns an active egress whose start has been answered, bound at noon.
func watched(tb testing.TB) *egress.State {
	tb.Helper()
	s := seen(tb, active)
	s.Started = true
	return s
}

// patience returns how long an active EG_1 is left alone.
func patience() time.Duration {
	return egress.DefaultPolicy().Wait(egress.OutlookActive, 0, egress.Spread("EG_1"))
}

func TestWhatAnEgressNeedsAtAMoment(t *testing.T) {
	t.Parallel()
	dead := func(s *egress.State) {
		s.Evidence.Unanswered, s.EndExpected, s.Stopped = noon.Add(minute), noon, egress.StopRequested
	}
	judged := func(s *egress.State) {
		dead(s)
		s.LookedAt = noon.Add(minute)
	}
	gone := func(s *egress.State) {
		s.Evidence.RoomGone, s.EndExpected, s.Evidence.Absent = noon, noon, noon.Add(minute)
	}
	for name, tc := range map[string]struct {
		change func(*egress.State)
		after  time.Duration
		want   egress.Action
	}{
		"nothing before news is overdue":   {func(*egress.State) {}, patience() - 1, egress.ActNothing},
		"a look when news is overdue":      {func(*egress.State) {}, patience(), egress.ActLook},
		"nothing when a look was had":      {func(s *egress.State) { s.LookedAt = noon.Add(1) }, patience(), egress.ActNothing},
		"a look once it is old":            {func(s *egress.State) { s.LookedAt = noon.Add(1) }, patience() + 1, egress.ActLook},
		"a look soon after an end near":    {func(s *egress.State) { s.EndExpected = noon.Add(minute) }, minute + 20*time.Second, egress.ActLook},
		"nothing before that":              {func(s *egress.State) { s.EndExpected = noon.Add(minute) }, minute + 20*time.Second - 1, egress.ActNothing},
		"a stop that is wanted":            {func(s *egress.State) { s.StopDue = true }, 0, egress.ActStop},
		"a stop before the start answers":  {func(s *egress.State) { s.StopDue, s.Started = true, false }, 0, egress.ActStop},
		"nothing before the start answers": {func(s *egress.State) { s.Started = false }, 100 * day, egress.ActNothing},
		"nothing before it is confirmed":   {func(s *egress.State) { s.Phase, s.StopDue = egress.Requested, true }, day, egress.ActNothing},
		"nothing for its second part":      {func(s *egress.State) { s.Phase, s.Part = egress.Requested, 2 }, day, egress.ActNothing},
		"no second part after a stop":      {func(s *egress.State) { s.Phase, s.Part, s.StopDue = egress.Requested, 2, true }, 0, egress.ActWithdraw},
		"the first waits for its answer":   {func(s *egress.State) { s.Phase, s.Part, s.StopDue = egress.Requested, 1, true }, 0, egress.ActNothing},
		"nothing once it is settled":       {func(s *egress.State) { s.Phase, s.StopDue = egress.Settled, true }, day, egress.ActNothing},
		"nothing before its max_duration":  {func(s *egress.State) { s.MaxDuration = egress.Duration(minute) }, minute - 1, egress.ActNothing},
		"a stop at its max_duration":       {func(s *egress.State) { s.MaxDuration = egress.Duration(minute) }, minute, egress.ActStop},
		"no second stop":                   {func(s *egress.State) { s.MaxDuration, s.Stopped = egress.Duration(minute), egress.StopRequested }, minute, egress.ActNothing},
		"a stop before a look":             {func(s *egress.State) { s.MaxDuration = egress.Duration(minute) }, day, egress.ActStop},
		"a probe of an empty room":         {gone, minute, egress.ActProbe},
		"a look before that":               {gone, minute - 1, egress.ActLook},
		"a look before any probe":          {func(s *egress.State) { gone(s); s.Evidence.Absent = noon.Add(minute - 1) }, minute, egress.ActLook},
		"a probe of an absent participant": {func(s *egress.State) {
			s.Evidence.RecorderGone, s.EndExpected, s.Evidence.Absent = noon, noon, noon.Add(minute)
		}, minute, egress.ActProbe},
		"a look before that, too": {func(s *egress.State) {
			s.Evidence.RecorderGone, s.EndExpected, s.Evidence.Absent = noon, noon, noon.Add(minute)
		}, minute - 1, egress.ActLook},
		"to be lost":                     {judged, minute, egress.ActLose},
		"a look before it is lost":       {dead, 2 * minute, egress.ActLook},
		"a stop again before it is dead": {func(s *egress.State) { dead(s); s.Evidence.Unanswered = noon.Add(minute - 1) }, minute, egress.ActProbe},
		"a look before it is given up":   {func(s *egress.State) { s.EndExpected, s.Stuck = noon, "why" }, 2 * day, egress.ActLook},
		"to be given up": {func(s *egress.State) {
			s.EndExpected, s.LookedAt, s.Evidence.Absent = noon, noon.Add(day), noon.Add(day)
		}, 2 * day, egress.ActLose},
		"to be lost before anything else":   {func(s *egress.State) { judged(s); s.MaxDuration, s.Stopped = 1, "" }, minute, egress.ActLose},
		"a wanted stop before that":         {func(s *egress.State) { dead(s); s.StopDue = true }, minute, egress.ActStop},
		"no stop again where one is tried":  {func(s *egress.State) { judged(s); s.StopDue, s.StoppedAt, s.Evidence.Probed = true, noon, noon }, minute, egress.ActLose},
		"a stop again before it is lost":    {func(s *egress.State) { dead(s); s.StopDue, s.StoppedAt, s.Evidence.Probed = true, noon, noon }, minute - 1, egress.ActStop},
		"not lost before the start answers": {func(s *egress.State) { dead(s); s.Started = false }, minute, egress.ActNothing},
		"a stop wanted since the probe":     {func(s *egress.State) { dead(s); s.StopDue, s.StoppedAt, s.Evidence.Probed = true, noon.Add(1), noon }, minute, egress.ActStop},
		"a stop nobody tried, though lost":  {func(s *egress.State) { judged(s); s.StopDue = true }, minute, egress.ActStop},
		"… and a probe before it is none":   {func(s *egress.State) { judged(s); s.StopDue, s.StoppedAt, s.Evidence.Probed = true, noon.Add(1), noon }, minute, egress.ActStop},
		"nor lost though it was looked at":  {func(s *egress.State) { judged(s); s.Started = false }, minute, egress.ActNothing},
		"a mark when it runs for too long":  {func(*egress.State) {}, 13 * time.Hour, egress.ActMark},
		"a look just before":                {func(*egress.State) {}, 13*time.Hour - 1, egress.ActLook},
		"a look once it is marked":          {func(s *egress.State) { s.Stuck = "why" }, 13 * time.Hour, egress.ActLook},
		"a stop before a mark":              {func(s *egress.State) { s.MaxDuration = egress.Duration(minute) }, 13 * time.Hour, egress.ActStop},
		"a probe before a mark":             {gone, 13 * time.Hour, egress.ActProbe},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			tc.change(s)
			require.Equal(t, tc.want, s.Due(noon.Add(tc.after)))
		})
	}
}

func TestTheNextLookFollowsTheLastOfNewsEndAndLook(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ news, end, look, want time.Duration }{
		"the end":                      {1, 5 * minute, 2 * minute, 5*minute + 20*time.Second},
		"the end, whatever came after": {6 * minute, 5 * minute, 2 * minute, 5*minute + 20*time.Second},
		"the last look":                {1, 5 * minute, 7 * minute, 7*minute + 20*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			s.NewsAt, s.EndExpected, s.LookedAt = noon.Add(tc.news), noon.Add(tc.end), noon.Add(tc.look)
			require.Equal(t, noon.Add(tc.want), s.NextLook())
		})
	}
	s := watched(t)
	s.NewsAt, s.LookedAt = noon.Add(3*minute), noon.Add(2*minute)
	active := s.Policy.Wait(egress.OutlookActive, 0, egress.Spread(s.ID))
	require.Equal(t, noon.Add(3*minute+active), s.NextLook(), "news")
	s.LookedAt = noon.Add(4 * minute)
	require.Equal(t, noon.Add(4*minute+active), s.NextLook(), "a look")
	begun := seen(t, starting)
	require.Zero(t, begun.NextLook(), "until the start answers there is no policy")
	begun.Started = true
	require.Equal(t, noon.Add(15*time.Second), begun.NextLook())
}

func TestTheAlarmRingsAtTheFirstMomentAtWhichMoreThanALookIsDue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*egress.State)
		want   time.Duration
	}{
		"it runs too long":              {func(*egress.State) {}, 13 * time.Hour},
		"its max_duration":              {func(s *egress.State) { s.MaxDuration = egress.Duration(minute) }, minute},
		"its max_duration, but stopped": {func(s *egress.State) { s.MaxDuration, s.Stopped = egress.Duration(minute), egress.StopRequested }, 13 * time.Hour},
		"the room is gone": {func(s *egress.State) {
			s.EndExpected, s.Evidence.RoomGone, s.Evidence.Absent = noon, noon, noon.Add(minute)
		}, minute},
		"the room is gone, not looked": {func(s *egress.State) {
			s.EndExpected, s.Evidence.RoomGone, s.LookedAt, s.Stuck = noon, noon, noon.Add(minute), "x"
		}, day},
		"a probe was answered": {func(s *egress.State) {
			s.EndExpected, s.Evidence.RoomGone, s.Evidence.Probed, s.Evidence.Absent = noon, noon, noon.Add(minute), noon.Add(2*minute)
		}, 2 * minute},
		"a probe was not answered": {func(s *egress.State) { s.EndExpected, s.Evidence.Unanswered, s.Stuck = noon, noon.Add(minute), "x" }, minute},
		"the end does not come":    {func(s *egress.State) { s.EndExpected, s.Stuck, s.Latest = noon, "x", infoOf(t, "EG_1", ending) }, day},
		"LiveKit does not know it": {func(s *egress.State) { s.Evidence.MissingSince = noon.Add(minute) }, 2 * minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			tc.change(s)
			require.Equal(t, noon.Add(tc.want), s.Alarm())
			require.Contains(t, []egress.Action{egress.ActNothing, egress.ActLook}, s.Due(s.Alarm().Add(-1)))
			if s.Decisive().Equal(s.Alarm()) { // the last look decides on it
				require.Equal(t, egress.ActLook, s.Due(s.Alarm()))
				s.LookedAt, s.AnsweredAt = s.Alarm(), s.Alarm()
			}
			require.NotContains(t, []egress.Action{egress.ActNothing, egress.ActLook}, s.Due(noon.Add(tc.want)))
		})
	}
	marked := watched(t)
	marked.Stuck = "why"
	require.Zero(t, marked.Alarm())
}

func TestTheFirstWishToStopIsKept(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.WantStop(egress.StopRequested, noon.Add(minute))
	s.StopDue = false
	s.WantStop(egress.StopMaxDuration, noon.Add(2*minute))
	require.Equal(t, egress.StopRequested, s.Stopped)
	require.Equal(t, noon.Add(minute), s.StoppedAt)
	require.Equal(t, noon.Add(minute), s.EndExpected)
	require.True(t, s.StopDue)
}

// pageInRoom returns a web egress whose request names a room that it is not in.
func pageInRoom(t *testing.T) egress.Info {
	t.Helper()
	i, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", RoomId: "RM_1", Status: livekit.EgressStatus_EGRESS_ACTIVE, Request: &livekit.EgressInfo_Egress{
		Egress: &livekit.StartEgressRequest{RoomName: "daily", Source: &livekit.StartEgressRequest_Web{Web: &livekit.WebSource{Url: "https://example.com"}}},
	}})
	require.NoError(t, err)
	return i
}

func TestAHintOfOurRoomOrOurRecorderIsTaken(t *testing.T) {
	t.Parallel()
	hint := func(event, sid, identity string) string {
		return `{"event":"` + event + `","room":{"name":"daily","sid":"` + sid + `"},"participant":{"identity":"` + identity + `"}}`
	}
	for name, tc := range map[string]struct {
		event    string
		change   func(*egress.State)
		want     bool
		roomGone time.Time
	}{
		"our room finished":                       {hint("room_finished", "RM_1", ""), func(*egress.State) {}, true, noon},
		"our recorder left":                       {hint("participant_left", "RM_1", "EG_1"), func(*egress.State) {}, true, time.Time{}},
		"another recorder left":                   {hint("participant_left", "RM_1", "EG_2"), func(*egress.State) {}, false, time.Time{}},
		"a room of the same name":                 {hint("room_finished", "RM_2", ""), func(*egress.State) {}, false, time.Time{}},
		"a room without its SID":                  {hint("room_finished", "", ""), func(s *egress.State) { s.Latest = egress.Info{} }, false, time.Time{}},
		"something else":                          {hint("room_started", "RM_1", "EG_1"), func(*egress.State) {}, false, time.Time{}},
		"of a page, whose request names the room": {hint("room_finished", "RM_1", ""), func(s *egress.State) { s.Latest = pageInRoom(t) }, false, time.Time{}},
		"after the end":                           {hint("room_finished", "RM_1", ""), func(s *egress.State) { s.Phase = egress.Settled }, false, time.Time{}},
		"what we knew":                            {hint("room_finished", "RM_1", ""), func(s *egress.State) { s.EndExpected = noon }, false, noon},
		"what we knew, with its time":             {hint("room_finished", "RM_1", ""), func(s *egress.State) { s.Evidence.RoomGone = noon.Add(-minute) }, true, noon.Add(-minute)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := egress.ParseEvent([]byte(tc.event))
			require.NoError(t, err)
			s := watched(t)
			tc.change(s)
			before := s.EndExpected
			require.Equal(t, tc.want, s.Hint(e, noon))
			require.Equal(t, tc.roomGone, s.Evidence.RoomGone)
			require.Equal(t, tc.want, before.IsZero() && s.EndExpected.Equal(noon))
		})
	}
}

func TestAPollFoldsInAllThatItSaw(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		look          egress.Look
		want          egress.News
		missing, gone time.Time
		expected      time.Time
	}{
		"nothing new":    {egress.Look{Info: infoOf(t, "EG_1", active)}, egress.NoNews, time.Time{}, time.Time{}, time.Time{}},
		"nothing at all": {egress.Look{}, egress.NoNews, time.Time{}, time.Time{}, time.Time{}},
		"its end":        {egress.Look{Info: infoOf(t, "EG_1", complete), RoomGone: noon, EndExpected: noon}, egress.Moved, time.Time{}, noon, noon},
		"an empty room":  {egress.Look{Info: infoOf(t, "EG_1", active), RoomGone: noon, EndExpected: noon}, egress.NoNews, time.Time{}, noon, noon},
		"an upload":      {egress.Look{Info: infoOf(t, "EG_1", livekit.EgressStatus_EGRESS_ENDING), EndExpected: noon}, egress.Moved, time.Time{}, time.Time{}, noon},
		"no such egress": {egress.Look{MissingSince: noon}, egress.NoNews, noon, time.Time{}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			require.Equal(t, tc.want, s.Looked(tc.look, noon.Add(minute)))
			require.Equal(t, egress.Ended(tc.look.Info.Proto().GetStatus()), s.Phase == egress.Settled)
			require.Equal(t, noon.Add(minute), s.LookedAt)
			require.Equal(t, egress.Evidence{MissingSince: tc.missing, RoomGone: tc.gone}, s.Evidence)
			require.Equal(t, tc.expected, s.EndExpected)
		})
	}
}

func TestAnEmptyRoomIsEmptySinceItWasFirstSeenSo(t *testing.T) {
	t.Parallel()
	s := watched(t)
	for _, at := range []time.Time{noon, noon.Add(minute)} {
		s.Looked(egress.Look{Info: infoOf(t, "EG_1", livekit.EgressStatus_EGRESS_ACTIVE), RoomGone: at, EndExpected: at}, at)
	}
	require.Equal(t, noon, s.Evidence.RoomGone)
	require.Equal(t, noon, s.EndExpected)
}

func TestALookIsToldOnceAndWhileTheEgressIsWatched(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		look egress.Look
		want string
	}{
		"room":        {egress.Look{RoomGone: noon}, "its room is gone"},
		"recorder":    {egress.Look{RecorderGone: noon}, "its participant is not in the room"},
		"the unknown": {egress.Look{MissingSince: noon}, "LiveKit no longer knows it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			s.Looked(tc.look, noon.Add(minute))
			s.Looked(tc.look, noon.Add(2*minute))
			require.Equal(t, []egress.Beat{{At: noon.Add(minute), What: tc.want, By: egress.FromPoll}}, s.Story[1:])
			for _, phase := range []egress.Phase{egress.Held, egress.Settled, egress.Delivered} {
				s := watched(t)
				s.Phase = phase
				s.Looked(tc.look, noon.Add(minute))
				require.Len(t, s.Story, 1, phase)
			}
		})
	}
}

// The metadata of rooms and participants is nobody's in a history.
func TestAHintIsKeptWithoutWhatItDoesNotNeed(t *testing.T) {
	t.Parallel()
	said, err := hintOf(t, `{"event":"participant_left","id":"EV_1","createdAt":"7","numDropped":3,
		"room":{"sid":"RM_1","name":"daily","metadata":"CANARY"},"participant":{"identity":"EG_1","name":"CANARY"}}`).AsHint()
	require.NoError(t, err)
	require.JSONEq(t, `{"event":"participant_left","id":"EV_1","createdAt":"7","room":{"sid":"RM_1","name":"daily"},"participant":{"identity":"EG_1"}}`, string(said.Raw()))
}
