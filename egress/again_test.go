package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const limited = livekit.EgressStatus_EGRESS_LIMIT_REACHED

// infoAt returns EG_1 as LiveKit had it at a second of its own clock, in its nth run.
func infoAt(tb testing.TB, status livekit.EgressStatus, second int64, run int32) egress.Info {
	tb.Helper()
	return infoWith(tb, status, func(m *livekit.EgressInfo) {
		if m.UpdatedAt, m.RetryCount = second, run; status >= complete {
			m.EndedAt = second
		}
	})
}

// infoWith returns the egress of recording, changed by change.
func infoWith(tb testing.TB, status livekit.EgressStatus, change func(*livekit.EgressInfo)) egress.Info {
	tb.Helper()
	m := &livekit.EgressInfo{EgressId: "EG_1", RoomId: "RM_1", RoomName: "daily", Status: status, UpdatedAt: 20}
	if status >= complete {
		m.EndedAt = 20
	}
	change(m)
	i, err := egress.NewInfo(m)
	require.NoError(tb, err)
	return i
}

func observed(i egress.Info, after time.Duration) egress.Observation {
	return egress.Observation{Info: i, Source: egress.FromWebhook, HeardAt: noon.Add(after)}
}

// recording returns an egress that has been active since noon, under the default policy.
func recording(tb testing.TB) *egress.State {
	tb.Helper()
	s := &egress.State{Phase: egress.Requested, Started: true, Terms: egress.Terms{Policy: egress.DefaultPolicy(), Steps: []string{egress.StepAnnounce}}}
	require.Equal(tb, egress.Moved, s.Observe(observed(infoAt(tb, active, 10, 0), 0)))
	return s
}

func TestWhichEndsAreHeld(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status livekit.EgressStatus
		change func(*egress.State)
		want   egress.Phase
	}{
		"failed":                        {failed, func(*egress.State) {}, egress.Held},
		"aborted":                       {aborted, func(*egress.State) {}, egress.Held},
		"complete":                      {complete, func(*egress.State) {}, egress.Settled},
		"limit reached":                 {limited, func(*egress.State) {}, egress.Settled},
		"failed once its room is gone":  {failed, func(s *egress.State) { s.Evidence.RoomGone = noon }, egress.Held}, // for one look
		"aborted by a stop":             {aborted, func(s *egress.State) { s.WantStop(egress.StopRequested, noon) }, egress.Settled},
		"failed, where nothing is held": {failed, func(s *egress.State) { s.Policy.HoldFor = 0 }, egress.Settled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			tc.change(s)
			s.Observe(observed(infoAt(t, tc.status, 20, 0), minute))
			require.Equal(t, tc.want, s.Phase)
			require.Equal(t, egress.Status(tc.status.String()), s.Status)
			require.Equal(t, egress.FromWebhook, s.EndedBy)
		})
	}
	web := &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{Url: "https://example.com"}}
	unified := &livekit.EgressInfo_Egress{Egress: &livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Web{Web: &livekit.WebSource{Url: "https://example.com"}}}}
	for name, tc := range map[string]struct {
		info *livekit.EgressInfo
		stop bool
		want egress.Phase
	}{
		"a page, which never goes":     {&livekit.EgressInfo{Request: web}, false, egress.Held},
		"a page, by the unified start": {&livekit.EgressInfo{Request: unified}, false, egress.Held},
		"a page that is stopped":       {&livekit.EgressInfo{Request: web}, true, egress.Settled},
		"neither a page nor in a room": {&livekit.EgressInfo{}, false, egress.Settled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			if tc.stop {
				s.WantStop(egress.StopRequested, noon)
			}
			tc.info.EgressId, tc.info.Status, tc.info.EndedAt = "EG_1", failed, 20
			info, err := egress.NewInfo(tc.info)
			require.NoError(t, err)
			s.Observe(observed(info, minute))
			require.Equal(t, tc.want, s.Phase)
		})
	}
}

// heldAt returns a recording whose first run failed a minute after noon.
func heldAt(tb testing.TB) *egress.State {
	tb.Helper()
	s := recording(tb)
	require.Equal(tb, egress.Moved, s.Observe(observed(infoAt(tb, failed, 20, 0), minute)))
	return s
}

func TestWhatFollowsAnEndThatIsHeld(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		seen egress.Info
		want egress.Phase
		news egress.News
	}{
		"the same end":                            {infoAt(t, failed, 20, 0), egress.Held, egress.NoNews},
		"an earlier status, late":                 {infoAt(t, active, 19, 0), egress.Held, egress.NoNews},
		"a status of the same moment":             {infoAt(t, active, 20, 0), egress.Held, egress.NoNews},
		"a status that we do not know":            {infoAt(t, 99, 30, 1), egress.Held, egress.NoNews},
		"a sign of life after it":                 {infoAt(t, active, 21, 0), egress.Watching, egress.Moved},
		"a second run, whatever its clock says":   {infoAt(t, starting, 5, 1), egress.Watching, egress.Moved},
		"a second run that uploads":               {infoAt(t, ending, 30, 1), egress.Watching, egress.Moved},
		"a second run's good end":                 {infoAt(t, complete, 30, 1), egress.Settled, egress.Moved},
		"a good end of the same run, afterwards":  {infoAt(t, complete, 21, 0), egress.Settled, egress.Moved},
		"a good end that was before":              {infoAt(t, complete, 20, 0), egress.Held, egress.NoNews},
		"a second run's failure":                  {infoAt(t, failed, 30, 1), egress.Held, egress.Moved},
		"a second run's failure, by its run only": {infoAt(t, failed, 20, 1), egress.Held, egress.Moved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := heldAt(t)
			require.Equal(t, tc.news, s.Observe(observed(tc.seen, 2*minute)))
			require.Equal(t, tc.want, s.Phase)
			require.Equal(t, tc.news == egress.NoNews, s.NewsAt.Equal(noon.Add(minute)))
			require.Equal(t, tc.want == egress.Watching, s.Status == "" && s.EndedBy == "")
			require.Equal(t, tc.want == egress.Held && tc.news == egress.Moved, s.HeldSince.Equal(noon.Add(2*minute)))
			require.Equal(t, tc.seen.Proto().GetStatus() == ending, !s.EndExpected.IsZero())
			require.Empty(t, s.Corrects, "nothing was told before")
		})
	}
}

func TestWhatAnEndThatIsHeldNeeds(t *testing.T) {
	t.Parallel()
	const end = minute + 30*time.Second
	looked := func(after time.Duration) func(*egress.State) {
		return func(s *egress.State) { s.LookedAt = noon.Add(after) }
	}
	both := func(first, second func(*egress.State)) func(*egress.State) {
		return func(s *egress.State) { first(s); second(s) }
	}
	sent := func(s *egress.State) { // a stop that LiveKit has answered
		s.WantStop(egress.StopRequested, noon.Add(minute+1))
		s.StopDue = false
	}
	page := func(s *egress.State) {
		info, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", Status: failed, Request: &livekit.EgressInfo_Web{Web: &livekit.WebEgressRequest{}}})
		require.NoError(t, err)
		s.Latest = info
	}
	for name, tc := range map[string]struct {
		change func(*egress.State)
		after  time.Duration
		want   egress.Action
	}{
		"nothing for 30 s":              {func(*egress.State) {}, end - 1, egress.ActNothing},
		"then a look":                   {func(*egress.State) {}, end, egress.ActLook},
		"also where one was had":        {looked(end - 1), end, egress.ActLook},
		"and then to be settled":        {looked(end), end, egress.ActSettle},
		"a look when its room is gone":  {func(s *egress.State) { s.Evidence.RoomGone = noon }, minute, egress.ActLook},
		"and to be settled after it":    {both(func(s *egress.State) { s.Evidence.RoomGone = noon }, looked(minute)), minute, egress.ActSettle},
		"a look when its room goes":     {both(func(s *egress.State) { s.Evidence.RoomGone = noon.Add(minute + 1) }, looked(minute)), minute + 1, egress.ActLook},
		"but not before it goes":        {func(s *egress.State) { s.Evidence.RoomGone = noon.Add(minute + 1) }, minute, egress.ActNothing},
		"a page has no room that goes":  {both(page, func(s *egress.State) { s.Evidence.RoomGone = noon }), end - 1, egress.ActNothing},
		"in good time, if it goes late": {func(s *egress.State) { s.Evidence.RoomGone = noon.Add(end + 1) }, end, egress.ActLook},
		"a stop where one is asked for": {func(s *egress.State) { s.WantStop(egress.StopRequested, noon) }, minute, egress.ActStop},
		"a look once that was sent":     {both(looked(minute), sent), minute + 1, egress.ActLook},
		"and to be settled at last":     {both(sent, looked(minute+1)), minute + 1, egress.ActSettle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := heldAt(t)
			require.Equal(t, noon.Add(end), s.NextLook())
			require.Equal(t, noon.Add(end), s.Alarm())
			tc.change(s)
			require.Equal(t, tc.want, s.Due(noon.Add(tc.after)))
		})
	}
}

func TestALookThatLiveKitDoesNotAnswerEndsNoHold(t *testing.T) {
	t.Parallel()
	const end = minute + 30*time.Second // of the hold
	for name, tc := range map[string]struct {
		look  egress.Look
		after time.Duration
		want  egress.Action
	}{
		"LiveKit can not be asked":      {egress.Look{}, end, egress.ActNothing},
		"nor by a worker that was away": {egress.Look{}, 10 * minute, egress.ActNothing},
		"LiveKit does not know it":      {egress.Look{MissingSince: noon}, end, egress.ActSettle},
		"LiveKit has it as we heard it": {egress.Look{Info: infoAt(t, failed, 20, 0)}, end, egress.ActSettle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := heldAt(t)
			now := noon.Add(tc.after)
			s.Looked(tc.look, now)
			require.Equal(t, tc.want, s.Due(now))
			if tc.want == egress.ActNothing {
				next := now.Add(s.Policy.Wait(egress.OutlookEnding, 0, egress.Spread(s.ID)))
				require.Equal(t, next, s.NextLook())
				require.Equal(t, egress.ActLook, s.Due(next))
			}
		})
	}
	watched := recording(t)
	watched.Looked(egress.Look{}, noon.Add(minute))
	require.Zero(t, watched.HoldMore)

	// From the first unanswered look on, it is held for LostAfter.
	for after, want := range map[time.Duration]egress.Action{minute - 1: egress.ActNothing, minute: egress.ActSettle} {
		s := heldAt(t)
		first := noon.Add(10 * minute)
		for n := range 4 {
			s.Looked(egress.Look{}, first.Add(time.Duration(n)*time.Second))
		}
		require.Equal(t, egress.ActNothing, s.Due(first.Add(3*time.Second)))
		s.Looked(egress.Look{}, first.Add(after))
		require.Equal(t, want, s.Due(first.Add(after)), after)
		s.Observe(observed(infoAt(t, failed, 30, 1), 20*minute))
		s.Looked(egress.Look{}, noon.Add(21*minute))
		require.Equal(t, egress.ActNothing, s.Due(noon.Add(21*minute)), "another end is held anew")
	}
	seldom := heldAt(t)
	for n := range 4 {
		at := noon.Add(time.Duration(10+5*n) * minute)
		seldom.Looked(egress.Look{}, at)
		require.Equal(t, egress.ActNothing, seldom.Due(at), "a few looks, and outages of our own between them")
	}
	again := heldAt(t)
	again.Looked(egress.Look{}, noon.Add(end))
	again.Observe(observed(infoAt(t, failed, 30, 1), 2*minute))
	require.Equal(t, noon.Add(2*minute+30*time.Second), again.NextLook(), "another end is held for as long as any")
}

// Webhooks may overtake each other: we may hear of an earlier run's end while the next one runs.
func TestTheEndOfAnEarlierRunIsNoEnd(t *testing.T) {
	t.Parallel()
	seen := func(status livekit.EgressStatus, started, ended int64, run int32, by egress.Source) egress.Observation {
		info, err := egress.NewInfo(&livekit.EgressInfo{
			EgressId: "EG_1", RoomId: "RM_1", RoomName: "daily", Status: status, StartedAt: started, EndedAt: ended, UpdatedAt: ended, RetryCount: run,
		})
		require.NoError(t, err)
		return egress.Observation{Info: info, Source: by, HeardAt: noon.Add(minute)}
	}
	for name, tc := range map[string]struct {
		seen egress.Observation
		want egress.Phase
	}{
		"by LiveKit's count":             {seen(failed, 30, 40, 0, egress.FromWebhook), egress.Watching},
		"by its times":                   {seen(failed, 5, 9, 1, egress.FromWebhook), egress.Watching},
		"a good one, by its times":       {seen(complete, 5, 9, 1, egress.FromWebhook), egress.Watching},
		"it ended as the next one began": {seen(failed, 5, 10, 1, egress.FromWebhook), egress.Held},
		"it began with this one":         {seen(failed, 8, 9, 1, egress.FromWebhook), egress.Held},
		"of this run":                    {seen(failed, 8, 11, 1, egress.FromWebhook), egress.Held},
		"of a later one":                 {seen(failed, 5, 9, 2, egress.FromWebhook), egress.Held},
		"without the time of its end":    {seen(failed, 5, 0, 1, egress.FromWebhook), egress.Held},
		"without that of its start":      {seen(failed, 0, 9, 1, egress.FromWebhook), egress.Held},
		"as LiveKit lists it now":        {seen(failed, 5, 9, 0, egress.FromPoll), egress.Held},
		"an upload, of whatever moment":  {seen(ending, 5, 9, 0, egress.FromWebhook), egress.Watching},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &egress.State{Phase: egress.Requested, Started: true, Terms: egress.Terms{Policy: egress.DefaultPolicy()}}
			first := seen(active, 8, 10, 1, egress.FromWebhook)
			first.Info.Proto().EndedAt = 0
			s.Observe(first)
			s.Observe(tc.seen)
			require.Equal(t, tc.want, s.Phase)
			require.Equal(t, tc.want == egress.Held, s.EndedBy != "")
			require.Equal(t, tc.seen.Info.Proto().GetStatus() == ending, s.Latest.Proto().GetStatus() == ending)
		})
	}
}

func TestARoomThatFinishesIsHeardOfWhileAnEndIsHeldOrMayBeCorrected(t *testing.T) {
	t.Parallel()
	finished, err := egress.ParseEvent([]byte(`{"event":"room_finished","room":{"name":"daily","sid":"RM_1"}}`))
	require.NoError(t, err)
	for _, phase := range []egress.Phase{egress.Held, egress.Delivered} {
		s := heldAt(t)
		s.Phase = phase
		s.Hint(finished, noon)
		require.Equal(t, noon, s.Evidence.RoomGone, phase)
		require.False(t, s.Correctable(), phase)
	}
}

func TestWhichVerdictsMayBeCorrected(t *testing.T) {
	t.Parallel()
	lost := func(s *egress.State) { s.GiveUp(egress.FromTimeout, "why", noon) }
	failure := func(s *egress.State) { s.Observe(observed(infoAt(t, failed, 20, 0), minute)) }
	for name, tc := range map[string]struct {
		end, change func(*egress.State)
		want        bool
	}{
		"lost":                       {lost, func(*egress.State) {}, true},
		"failed in a live room":      {failure, func(*egress.State) {}, true},
		"failed, its room gone":      {failure, func(s *egress.State) { s.Evidence.RoomGone = noon }, false},
		"lost, its room gone":        {lost, func(s *egress.State) { s.Evidence.RoomGone = noon }, true},
		"complete":                   {func(s *egress.State) { s.Observe(observed(infoAt(t, complete, 20, 0), minute)) }, func(*egress.State) {}, false},
		"lost, and not told yet":     {lost, func(s *egress.State) { s.Phase = egress.Settled }, false},
		"where nothing is corrected": {lost, func(s *egress.State) { s.Policy.CorrectFor = 0 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			tc.end(s)
			s.Phase = egress.Delivered
			tc.change(s)
			require.Equal(t, tc.want, s.Correctable())
		})
	}
}

func TestASignOfLifeTakesALostEgressUpAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		seen     egress.Info
		want     egress.Phase
		corrects egress.Status
	}{
		"as LiveKit had it last":   {infoAt(t, active, 10, 0), egress.Delivered, ""},
		"it records still":         {infoAt(t, active, 11, 0), egress.Watching, egress.Lost},
		"it has ended":             {infoAt(t, complete, 11, 0), egress.Settled, egress.Lost},
		"it ended long before":     {infoAt(t, complete, 1, 0), egress.Settled, egress.Lost},
		"it failed, and may again": {infoAt(t, failed, 11, 0), egress.Held, egress.Lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			s.EndExpected = noon
			s.Evidence = egress.Evidence{MissingSince: noon, RecorderGone: noon, Unanswered: noon}
			s.GiveUp(egress.FromTimeout, "why", noon)
			s.Phase, s.Done = egress.Delivered, []string{egress.StepAnnounce}
			s.Observe(observed(tc.seen, minute))
			require.Equal(t, tc.want, s.Phase)
			require.Equal(t, tc.corrects, s.Corrects)
			revived := tc.want != egress.Delivered
			require.Equal(t, revived, s.Evidence == egress.Evidence{})
			require.Equal(t, revived, s.EndExpected.IsZero())
			require.Equal(t, revived, len(s.Done) == 0, "the steps are to run again")
			require.Equal(t, revived, s.LostBecause == "")
		})
	}
}

// The terms come with the answer to the start, and an end may come before that.
func TestAnEndBeforeTheStartIsAnsweredIsHeldOnceItIs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		first   livekit.EgressStatus
		then    []egress.Observation // before the answer
		hold    egress.Duration
		want    egress.Phase
		status  livekit.EgressStatus
		heldFor time.Duration
	}{
		"a failure":                            {first: failed, hold: egress.Duration(minute), want: egress.Held, status: failed},
		"a failure, where nothing is held":     {first: failed, want: egress.Settled, status: failed},
		"a good end":                           {first: complete, hold: egress.Duration(minute), want: egress.Settled, status: complete},
		"a failure, and a second run ends":     {first: failed, then: []egress.Observation{observed(infoAt(t, complete, 30, 1), 30*time.Second)}, hold: egress.Duration(minute), want: egress.Settled, status: complete},
		"a failure, and a second run runs":     {first: failed, then: []egress.Observation{observed(infoAt(t, active, 30, 1), 30*time.Second)}, hold: egress.Duration(minute), want: egress.Watching, status: active},
		"a failure, and a second run fails":    {first: failed, then: []egress.Observation{observed(infoAt(t, failed, 30, 1), 30*time.Second)}, hold: egress.Duration(minute), want: egress.Held, status: failed, heldFor: 30 * time.Second},
		"a failure, and what was merely late":  {first: failed, then: []egress.Observation{observed(infoAt(t, active, 5, 0), 30*time.Second)}, hold: egress.Duration(minute), want: egress.Held, status: failed},
		"a good end, and what cannot be again": {first: complete, then: []egress.Observation{observed(infoAt(t, active, 30, 1), 30*time.Second)}, hold: egress.Duration(minute), want: egress.Settled, status: complete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &egress.State{Phase: egress.Requested}
			require.Equal(t, egress.Moved, s.Observe(observed(infoAt(t, tc.first, 20, 0), 0)))
			require.Equal(t, egress.Settled, s.Phase)
			for _, o := range tc.then {
				s.Observe(o)
			}
			s.Started, s.Policy.HoldFor = true, tc.hold
			s.HoldEarly()
			require.Equal(t, tc.want, s.Phase)
			require.Equal(t, tc.status, s.Latest.Proto().GetStatus())
			if tc.want == egress.Held {
				require.Equal(t, noon.Add(tc.heldFor), s.HeldSince)
			}
		})
	}
}
