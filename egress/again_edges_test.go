package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// lostAt returns a recording that was given up at noon, as everybody has been told.
func lostAt(tb testing.TB) *egress.State {
	tb.Helper()
	s := recording(tb)
	s.EndExpected = noon
	s.GiveUp(egress.FromTimeout, "why", noon)
	s.Phase = egress.Delivered
	return s
}

func TestTheEndOfALostEgressIsTakenWithoutItsTime(t *testing.T) {
	t.Parallel()
	s := lostAt(t)
	require.Equal(t, egress.Moved, s.Observe(observed(infoOf(t, "EG_1", complete), minute)))
	require.Equal(t, egress.Settled, s.Phase)
	require.Equal(t, egress.Lost, s.Corrects)
	require.Equal(t, egress.Lost, s.Verdict("r", egress.Summary{}).Corrects)
}

func TestAnEndThatIsOnlyUpdatedIsNoSignOfLife(t *testing.T) {
	t.Parallel()
	i, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", RoomId: "RM_1", Status: failed, EndedAt: 20, UpdatedAt: 30})
	require.NoError(t, err)
	s := heldAt(t)
	require.Equal(t, egress.NoNews, s.Observe(observed(i, 2*minute)))
	require.Equal(t, egress.Held, s.Phase)
	require.Equal(t, egress.Status("EGRESS_FAILED"), s.Status)
}

func TestAStatusOfTheSameClockAfterALossIsLate(t *testing.T) {
	t.Parallel()
	s := lostAt(t)
	require.Equal(t, egress.NoNews, s.Observe(observed(infoAt(t, ending, 10, 0), minute)), "further along, and of no later moment")
	require.Equal(t, egress.Lost, s.Status)
}

func TestWhoeverShowedThatAnEgressLivesIsWhoWasHeard(t *testing.T) {
	t.Parallel()
	for by, told := range map[egress.Source]bool{egress.FromPoll: false, egress.FromReconcile: false, egress.FromWebhook: true} {
		s := heldAt(t)
		s.WebhookSeen = false
		o := observed(infoAt(t, active, 30, 1), 2*minute)
		o.Source = by
		require.Equal(t, egress.Moved, s.Observe(o))
		require.Equal(t, by, s.NewsBy)
		require.Equal(t, told, s.WebhookSeen)
		require.Zero(t, s.HeldSince)
		beat := s.Story[len(s.Story)-1]
		require.Equal(t, egress.Beat{At: noon.Add(2 * minute), What: "EGRESS_ACTIVE", By: by}, egress.Beat{At: beat.At, What: beat.What, By: beat.By})
	}
	s := heldAt(t)
	require.True(t, s.WebhookSeen)
	o := observed(infoAt(t, active, 30, 1), 2*minute)
	o.Source = egress.FromPoll
	s.Observe(o)
	require.True(t, s.WebhookSeen, "its webhooks did come before")
}

func TestWhatIsKnownOfTheRoomAndTheWishToStopOutlivesARevival(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change         func(*egress.State)
		gone, expected time.Time
	}{
		"its room is there":            {func(*egress.State) {}, time.Time{}, time.Time{}},
		"its room is gone":             {func(s *egress.State) { s.Evidence.RoomGone = noon }, noon, noon.Add(day)},
		"it is to stop":                {func(s *egress.State) { s.Stopped = egress.StopRequested }, time.Time{}, noon.Add(day)},
		"it is to stop, its room gone": {func(s *egress.State) { s.Evidence.RoomGone, s.Stopped = noon, egress.StopRequested }, noon, noon.Add(day)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := lostAt(t)
			tc.change(s)
			s.Evidence.Unanswered, s.Evidence.Probed, s.LookedAt = noon, noon, noon.Add(day)
			require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, active, 11, 0), day)))
			require.Equal(t, egress.Evidence{RoomGone: tc.gone}, s.Evidence)
			require.Equal(t, tc.expected, s.EndExpected)
			require.NotEqual(t, egress.ActLose, s.Due(noon.Add(day)), "it has just shown that it lives")
		})
	}
}

func TestTheWebhookOfAnEndThatIsHeldCanComeLate(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Looked(egress.Look{Info: infoAt(t, failed, 20, 0), Missed: egress.MissedUntried}, noon.Add(minute))
	require.Equal(t, egress.Held, s.Phase)
	o := observed(infoAt(t, failed, 20, 0), 2*minute)
	o.Final, o.Event = true, []byte(`{"id":"EV_1"}`)
	require.Equal(t, egress.NoNews, s.Observe(o))
	require.Equal(t, egress.MissedLate, s.MissedWhy)
	require.JSONEq(t, `{"id":"EV_1"}`, string(s.Event), "consumers know it by LiveKit's own ID")
}

func TestAnEndThatIsOverOnceTheStartIsAnsweredStaysSo(t *testing.T) {
	t.Parallel()
	secondRun := observed(infoAt(t, active, 30, 1), 2*minute)
	for name, change := range map[string]func(*egress.State){
		"settled, where nothing is held": func(s *egress.State) { s.Started = true },
		"delivered":                      func(s *egress.State) { s.Started, s.Phase = true, egress.Delivered },
		"delivered without an answer":    func(s *egress.State) { s.Phase = egress.Delivered },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &egress.State{Phase: egress.Requested}
			require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, failed, 20, 0), minute)))
			require.Equal(t, egress.Settled, s.Phase)
			change(s)
			want := s.Phase
			require.Equal(t, egress.NoNews, s.Observe(secondRun))
			require.Equal(t, want, s.Phase)
		})
	}
}

func TestWhatIsDeliveredIsNotHeldBack(t *testing.T) {
	t.Parallel()
	s := &egress.State{Phase: egress.Requested}
	s.Observe(observed(infoAt(t, failed, 20, 0), minute))
	s.Phase, s.Policy.HoldFor = egress.Delivered, egress.Duration(minute)
	s.HoldEarly()
	require.Equal(t, egress.Delivered, s.Phase)
	require.Zero(t, s.HeldSince)
}

func TestTheWebhookOfAGoodEndThatWeAskedForIsLate(t *testing.T) {
	t.Parallel()
	s := recording(t)
	end := observed(infoAt(t, complete, 20, 0), minute)
	polled, webhook := end, end
	polled.Source, webhook.Final = egress.FromPoll, true
	require.Equal(t, egress.Moved, s.Observe(polled))
	require.Equal(t, egress.Settled, s.Phase)
	require.Equal(t, egress.NoNews, s.Observe(webhook))
	require.Equal(t, egress.MissedLate, s.MissedWhy)
}

// The news of the second run may come before the end of the first.
func TestANewRunIsKnownBeforeTheEndOfTheOneBefore(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*egress.State){
		"while it records":         func(*egress.State) {},
		"while it uploads":         func(s *egress.State) { s.Observe(observed(infoAt(t, ending, 12, 0), 1)) },
		"while it is to stop":      func(s *egress.State) { s.WantStop(egress.StopRequested, noon) },
		"before start is answered": func(s *egress.State) { s.Started = false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			change(s)
			asked := s.EndExpected
			require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, active, 20, 1), minute)))
			require.Equal(t, int32(1), s.Latest.Proto().GetRetryCount())
			require.Equal(t, s.Stopped != "", !s.EndExpected.IsZero(), "expected at %s before", asked)
			require.Equal(t, egress.NoNews, s.Observe(observed(infoAt(t, failed, 19, 0), minute)))
			require.Equal(t, egress.NoNews, s.Observe(observed(infoAt(t, active, 18, 0), minute)))
			require.Equal(t, egress.Watching, s.Phase)
			require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, complete, 30, 1), minute)))
			require.Equal(t, egress.Settled, s.Phase)
		})
	}
}

func TestASecondRunOfWhatIsToStopIsStoppedItselfUnlessItEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*egress.State)
		seen   egress.Info
		want   bool
	}{
		"it records":              {func(s *egress.State) { s.WantStop(egress.StopRequested, noon) }, infoAt(t, active, 20, 1), true},
		"it begins":               {func(s *egress.State) { s.WantStop(egress.StopRequested, noon) }, infoAt(t, starting, 20, 1), true},
		"it uploads":              {func(s *egress.State) { s.WantStop(egress.StopRequested, noon) }, infoAt(t, ending, 20, 1), false},
		"the same run":            {func(s *egress.State) { s.WantStop(egress.StopRequested, noon) }, infoAt(t, active, 20, 0), false},
		"nobody wants it to stop": {func(*egress.State) {}, infoAt(t, active, 20, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			tc.change(s)
			s.StopDue = false // it was sent
			s.Observe(observed(tc.seen, day))
			require.Equal(t, tc.want, s.StopDue)
		})
	}
}

// However long ago its end was first expected, a second run has just shown that it lives.
func TestTheEndOfASecondRunIsExpectedFromThenOn(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.WantStop(egress.StopRequested, noon)
	s.Observe(observed(infoAt(t, active, 20, 1), day))
	require.Equal(t, noon.Add(day), s.EndExpected)
	s.StopDue, s.LookedAt, s.Evidence.Probed, s.Evidence.Unanswered = false, noon.Add(day), noon.Add(day), noon.Add(day)
	require.NotEqual(t, egress.ActLose, s.Due(noon.Add(day)), "a stop that goes unanswered once")
}

// A stop may be answered for the run before: it was under way when the next one began.
func TestAnAnswerToAStopOfAnEarlierRunSaysNothing(t *testing.T) {
	t.Parallel()
	begun := func(status livekit.EgressStatus, start, second int64) egress.Info {
		return infoWith(t, status, func(m *livekit.EgressInfo) {
			if m.StartedAt, m.UpdatedAt = start, second; status >= complete {
				m.EndedAt = second
			}
		})
	}
	for name, tc := range map[string]struct {
		runs, seen egress.Info
		want       egress.News
	}{
		"it uploads":                       {infoAt(t, active, 20, 1), infoAt(t, ending, 30, 0), egress.NoNews},
		"it has failed":                    {infoAt(t, active, 20, 1), infoAt(t, failed, 30, 0), egress.NoNews},
		"it has failed, and nobody counts": {begun(active, 18, 20), begun(failed, 5, 15), egress.NoNews},
		"of the run itself":                {infoAt(t, active, 20, 1), infoAt(t, ending, 30, 1), egress.Moved},
		"of the run itself, uncounted":     {begun(active, 18, 20), begun(failed, 18, 25), egress.Moved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			require.Equal(t, egress.Moved, s.Observe(observed(begun(failed, 5, 15), minute/2)))
			require.Equal(t, egress.Moved, s.Observe(observed(tc.runs, minute)))
			o := observed(tc.seen, 2*minute)
			o.Source = egress.FromStop
			require.Equal(t, tc.want, s.Observe(o))
		})
	}
}

// A stop requested between an end and the answer to the start applies to the second run.
func TestAStopBeforeTheStartIsAnsweredIsForTheSecondRun(t *testing.T) {
	t.Parallel()
	early := func() *egress.State {
		s := &egress.State{Phase: egress.Requested} // the terms come with the answer
		require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, failed, 20, 0), minute)))
		require.Equal(t, egress.Settled, s.Phase)
		return s
	}
	answered := func(s *egress.State) {
		s.Started, s.Policy = true, egress.DefaultPolicy()
		s.HoldEarly()
	}
	for name, after := range map[string]time.Duration{"at that moment": 0, "later": minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := early()
			s.WantStop(egress.StopRequested, noon.Add(minute+after))
			answered(s)
			require.Equal(t, egress.Held, s.Phase)
			require.Equal(t, egress.ActStop, s.Due(noon.Add(minute+after)))
			require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, active, 30, 1), 2*minute)))
			require.Equal(t, egress.Watching, s.Phase)
		})
	}
	s := early()
	s.WantStop(egress.StopRequested, noon.Add(minute))
	require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, active, 30, 1), 2*minute)), "also while nothing is answered")

	asked := &egress.State{Phase: egress.Requested}
	asked.Observe(observed(infoAt(t, active, 10, 0), 0))
	asked.WantStop(egress.StopRequested, noon.Add(minute-1))
	asked.Observe(observed(infoAt(t, failed, 20, 0), minute))
	answered(asked)
	require.Equal(t, egress.Settled, asked.Phase, "an end that was asked for is one")
}

// LiveKit calls an egress whose worker died active forever: that it lists it is no sign of life.
func TestThatLiveKitListsWhatIsLostSaysNothing(t *testing.T) {
	t.Parallel()
	s := lostAt(t)
	o := observed(infoAt(t, active, 11, 0), minute)
	o.Source = egress.FromReconcile
	require.Equal(t, egress.NoNews, s.Observe(o))
	require.Equal(t, egress.Delivered, s.Phase)
	o.Source = egress.FromWebhook
	require.Equal(t, egress.Moved, s.Observe(o), "its own word does")
	ended := lostAt(t)
	o = observed(infoAt(t, complete, 11, 20), minute)
	o.Source = egress.FromReconcile
	require.Equal(t, egress.Moved, ended.Observe(o), "and so does an end")
	require.Equal(t, egress.Settled, ended.Phase)
}
