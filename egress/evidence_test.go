package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	minute = time.Minute
	day    = 24 * time.Hour
)

func TestAnEgressIsLostWhenTheEvidenceHasStoodLongEnough(t *testing.T) {
	t.Parallel()
	none := time.Time{}
	noWorker := "its worker does not answer StopEgress"
	for name, tc := range map[string]struct {
		status                                  livekit.EgressStatus
		missing, roomGone, unanswered, expected time.Time
		after                                   time.Duration
		want                                    string
	}{
		"nothing":                              {active, none, none, none, none, 100 * day, ""},
		"unknown to LiveKit, hardly":           {active, noon, none, none, none, minute - 1, ""},
		"unknown to LiveKit":                   {active, noon, none, none, none, minute, "LiveKit no longer knows the egress"},
		"unknown to LiveKit while uploading":   {ending, noon, none, none, none, minute, "LiveKit no longer knows the egress"},
		"unknown, and its room gone":           {active, noon, noon, none, none, minute, "LiveKit no longer knows the egress, its room is gone"},
		"its room alone gone":                  {active, none, noon, none, none, day, ""},
		"no answer, hardly":                    {active, none, none, noon.Add(minute), noon, minute - 1, ""},
		"no answer to a stop that was early":   {active, none, none, noon.Add(minute - 1), noon, day - 1, ""},
		"no answer":                            {active, none, none, noon.Add(minute), noon, minute, noWorker},
		"no answer while starting":             {starting, none, none, noon.Add(minute), noon, minute, noWorker},
		"no answer, and its room gone":         {active, none, noon, noon.Add(minute), noon, minute, noWorker + ", its room is gone"},
		"no answer, but no end expected":       {active, none, none, noon, none, day, ""},
		"no answer to a probe that came late":  {active, none, none, noon.Add(minute), noon, minute, noWorker},
		"no answer, but an upload":             {ending, none, none, noon, noon, day - 1, ""},
		"no answer, late, but an upload":       {ending, none, none, noon.Add(minute), noon, day - 1, ""},
		"an upload that takes a day":           {ending, none, none, none, noon, day, "LiveKit still calls it EGRESS_ENDING 24h0m0s after its end was expected"},
		"called active, hardly a day":          {active, none, none, none, noon, day - 1, ""},
		"called active a day after":            {active, none, none, none, noon, day, "LiveKit still calls it EGRESS_ACTIVE 24h0m0s after its end was expected"},
		"called active a day after, room gone": {active, none, noon, none, noon, day, "LiveKit still calls it EGRESS_ACTIVE 24h0m0s after its end was expected, its room is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := seen(t, tc.status)
			s.Evidence = egress.Evidence{MissingSince: tc.missing, RoomGone: tc.roomGone, Unanswered: tc.unanswered, Absent: noon.Add(tc.after)}
			s.EndExpected, s.LookedAt, s.AnsweredAt = tc.expected, noon.Add(tc.after), noon.Add(tc.after)
			why, lost := s.WhyLost()
			require.Equal(t, tc.want, why)
			require.Equal(t, tc.want != "", lost)
		})
	}
}

// LiveKit may be down at the very moment at which an egress is to be given up.
func TestNothingIsGivenUpByALookThatLiveKitDidNotAnswer(t *testing.T) {
	t.Parallel()
	s := seen(t, ending)
	s.Started, s.EndExpected, s.Stuck = true, noon, "x"
	s.Looked(egress.Look{}, noon.Add(day))
	_, lost := s.WhyLost()
	require.False(t, lost)
	require.Equal(t, egress.ActNothing, s.Due(noon.Add(day)))
	require.Less(t, s.NextLook().Sub(noon.Add(day)), minute, "it is asked again soon")

	answered := *s
	answered.Looked(egress.Look{Info: infoOf(t, "EG_1", ending)}, answered.NextLook())
	why, _ := answered.WhyLost()
	require.Equal(t, "LiveKit still calls it EGRESS_ENDING 24h0m0s after its end was expected", why)

	require.Equal(t, egress.Moved, s.Observe(observed(infoOf(t, "EG_1", complete), day+minute)), "its end may still come")
	require.Equal(t, egress.Settled, s.Phase)
}

// After an outage of our own, every look may be the first for days, and LiveKit may not be back yet.
func TestAnOutageOfOurOwnGivesNothingUp(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.Latest, s.EndExpected, s.LookedAt, s.AnsweredAt, s.Stuck = infoOf(t, "EG_1", ending), noon, noon, noon, "x"
	at := noon.Add(60 * time.Hour)
	for n := range 4 {
		s.Looked(egress.Look{}, at)
		_, lost := s.WhyLost()
		require.False(t, lost, n)
		require.Equal(t, egress.ActLook, s.Due(s.Alarm()), "it is asked again soon")
		at = s.Alarm()
	}
	require.Equal(t, noon.Add(60*time.Hour+220*time.Second), at)
	s.Looked(egress.Look{}, at)
	why, _ := s.WhyLost()
	require.Equal(t, "LiveKit cannot be asked, and its end was expected over 24h0m0s ago", why)
	require.Equal(t, egress.ActLose, s.Due(s.LookedAt))
}

func TestOnlyLooksInARowThatGoUnansweredGiveAnEgressUp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*egress.State)
		want   bool
	}{
		"the fifth":                          {func(*egress.State) {}, true},
		"the fourth":                         {func(s *egress.State) { s.BlindLooks-- }, false},
		"too soon after the first":           {func(s *egress.State) { s.BlindSince = s.BlindSince.Add(1) }, false},
		"where it was not yet to be decided": {func(s *egress.State) { s.BlindSince = noon.Add(day - 1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			s.EndExpected, s.BlindSince, s.BlindLooks = noon, noon.Add(2*day-minute), 4
			tc.change(s)
			s.Looked(egress.Look{}, noon.Add(2*day))
			_, lost := s.WhyLost()
			require.Equal(t, tc.want, lost)
		})
	}
}

// A recorder that lost its connection while we were away may have come back.
func TestWhatLeftItsRoomIsGivenUpOnlyByALookThatDoesNotFindItThere(t *testing.T) {
	t.Parallel()
	late := noon.Add(60 * time.Hour)
	is := infoOf(t, "EG_1", active)
	page := infoWith(t, active, func(m *livekit.EgressInfo) { m.Request = &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{}} })
	for name, tc := range map[string]struct {
		change func(*egress.State)
		look   egress.Look
		want   egress.Action
	}{
		"it could not be asked for": {func(*egress.State) {}, egress.Look{Info: is}, egress.ActNothing},
		"it is not there":           {func(*egress.State) {}, egress.Look{Info: is, RecorderAbsent: true}, egress.ActLose},
		"it is there":               {func(*egress.State) {}, egress.Look{Info: is, RecorderHere: true}, egress.ActNothing},
		"a stop was asked for":      {func(s *egress.State) { s.Stopped = egress.StopRequested }, egress.Look{Info: is}, egress.ActLose},
		"its room is gone":          {func(s *egress.State) { s.Evidence.RoomGone = noon }, egress.Look{Info: is}, egress.ActLose},
		"it uploads":                {func(*egress.State) {}, egress.Look{Info: infoOf(t, "EG_1", ending)}, egress.ActLose},
		"a page is in no room":      {func(s *egress.State) { s.Latest = page }, egress.Look{Info: page}, egress.ActLose},
		"others went unanswered":    {func(s *egress.State) { s.BlindSince, s.BlindLooks = noon.Add(2*day), 9 }, egress.Look{Info: is}, egress.ActLose},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			s.RecorderLeft(noon)
			s.Stuck = "x"
			tc.change(s)
			s.Looked(tc.look, late)
			require.Equal(t, tc.want, s.Due(late))
			require.Equal(t, tc.look.RecorderHere, s.EndExpected.IsZero())
		})
	}
	s := watched(t)
	s.RecorderLeft(noon)
	s.Stuck = "x"
	for n := range 5 {
		at := late.Add(time.Duration(n) * time.Minute)
		s.Looked(egress.Look{Info: is}, at)
		require.Equal(t, n == 4, s.Due(at) == egress.ActLose, "LiveKit never answers for it, as a proxy may want it")
	}

	s = watched(t)
	s.RecorderLeft(noon)
	s.Stuck = "x"
	s.Looked(egress.Look{Info: is}, late)
	require.True(t, s.InDoubt())
	require.Equal(t, late.Add(40*time.Second), s.Alarm(), "and says so by itself before that, if it can ask")
	s.Looked(egress.Look{}, s.NextLook())
	require.Equal(t, 2, s.BlindLooks)
}

// Each row removes one condition of a probe that may be sent.
func TestAProbeNeverEndsAGoodRecording(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status livekit.EgressStatus
		change func(*egress.State)
		after  time.Duration
		want   bool
	}{
		"its room gone for a minute": {active, func(*egress.State) {}, minute, true},
		"its room gone, hardly":      {active, func(*egress.State) {}, minute - 1, false},
		"still starting":             {starting, func(*egress.State) {}, minute, true},
		"an upload":                  {ending, func(*egress.State) {}, day, false},
		"its room there":             {active, func(s *egress.State) { s.Evidence.RoomGone = time.Time{} }, day, false},
		"its participant gone":       {active, func(s *egress.State) { s.Evidence.RoomGone, s.Evidence.RecorderGone = time.Time{}, noon }, minute, true},
		"its participant gone, hardly": {active, func(s *egress.State) {
			s.Evidence.RoomGone, s.Evidence.RecorderGone = time.Time{}, noon.Add(time.Second)
		}, minute, false},
		"its participant gone, but an upload":     {ending, func(s *egress.State) { s.Evidence.RoomGone, s.Evidence.RecorderGone = time.Time{}, noon }, day, false},
		"its room there, but stopped":             {active, func(s *egress.State) { s.Evidence.RoomGone, s.Stopped = time.Time{}, egress.StopRequested }, minute, true},
		"its room gone, not looked":               {active, func(s *egress.State) { s.Evidence.Absent = time.Time{} }, day, false},
		"its room gone, looked before it was due": {active, func(s *egress.State) { s.Evidence.Absent = noon.Add(minute - 1) }, day, false},
		"stopped, not looked":                     {active, func(s *egress.State) { s.Evidence.Absent, s.Stopped = time.Time{}, egress.StopRequested }, minute, true},
		"no end expected":                         {active, func(s *egress.State) { s.EndExpected = time.Time{} }, day, false},
		"asked without an answer":                 {active, func(s *egress.State) { s.Evidence.Unanswered = noon.Add(minute) }, day, false},
		"asked early without an answer":           {active, func(s *egress.State) { s.Evidence.Unanswered = noon.Add(minute - 1) }, minute, true},
		"stopped a moment ago":                    {active, func(s *egress.State) { s.Evidence.Probed = noon.Add(time.Second) }, minute, false},
		"stopped a minute ago, answered":          {active, func(s *egress.State) { s.Evidence.Probed = noon.Add(time.Second) }, minute + time.Second, true},
		"asked a moment ago":                      {active, func(s *egress.State) { s.Evidence.Asked = noon.Add(time.Second) }, minute, false},
		"asked a minute ago":                      {active, func(s *egress.State) { s.Evidence.Asked = noon.Add(time.Second) }, minute + time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := seen(t, tc.status)
			s.Evidence.RoomGone, s.EndExpected, s.Evidence.Absent = noon, noon, noon.Add(tc.after)
			tc.change(s)
			require.Equal(t, tc.want, s.MayProbe(noon.Add(tc.after)))
		})
	}
}

func TestGivingUpSettlesTheEgressAsLost(t *testing.T) {
	t.Parallel()
	s := seen(t, active)
	s.GiveUp(egress.FromTimeout, "why", noon.Add(day))
	require.Equal(t, egress.Settled, s.Phase)
	require.Equal(t, egress.Lost, s.Status)
	require.Equal(t, egress.FromTimeout, s.EndedBy)
	require.Equal(t, egress.FromTimeout, s.NewsBy)
	require.Equal(t, noon.Add(day), s.NewsAt)
	require.Equal(t, "why", s.LostBecause)
}

func TestAProbeThatLeavesOpenWhetherItStoppedTheWorkerCountsAsAStop(t *testing.T) {
	t.Parallel()
	at := noon.Add(minute)
	for name, tc := range map[string]struct {
		info    egress.Info
		why     egress.Reason
		stopped bool
	}{
		"it answers":               {infoOf(t, "EG_1", active), "", false},
		"it ends":                  {infoOf(t, "EG_1", ending), "", true},
		"no worker answers":        {egress.Info{}, egress.Unanswered, true},
		"no answer of LiveKit":     {egress.Info{}, egress.Ambiguous, true},
		"an attempt died":          {egress.Info{}, egress.Internal, true},
		"nobody could be asked":    {egress.Info{}, egress.Unavailable, false},
		"LiveKit does not know":    {egress.Info{}, egress.NotFound, false},
		"LiveKit does not allow":   {egress.Info{}, egress.Denied, false},
		"LiveKit is not there":     {egress.Info{}, egress.Unreachable, false},
		"LiveKit has had its fill": {egress.Info{}, egress.RateLimited, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e egress.Evidence
			e.NoteProbe(tc.info, tc.why, at)
			if tc.stopped {
				require.Equal(t, egress.Evidence{Probed: at}, e)
			} else {
				require.Equal(t, egress.Evidence{Asked: at}, e)
			}
		})
	}
}

// The first stop may have met a briefly slow message bus. That it was wanted for long says nothing
// of the worker.
func TestAStopThatWaitedForTheStartIsSentAgainBeforeItsEgressIsLost(t *testing.T) {
	t.Parallel()
	s := seen(t)
	s.WantStop(egress.StopRequested, noon)
	bound := noon.Add(5 * minute)
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", starting), Source: egress.FromStart, HeardAt: bound})
	s.Started, s.StopDue = true, false
	sent := bound.Add(12 * time.Second)
	s.Evidence.Probed, s.Evidence.Unanswered = sent, sent
	s.Looked(egress.Look{Info: infoOf(t, "EG_1", starting)}, sent.Add(time.Second))
	require.Equal(t, egress.ActNothing, s.Due(sent.Add(time.Second)))
	require.Equal(t, egress.ActProbe, s.Due(sent.Add(minute)))
}
