package egress_test

import (
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheRecorderThatLeftIsEvidenceSinceItWasFirstMissed(t *testing.T) {
	t.Parallel()
	left, err := egress.ParseEvent([]byte(`{"event":"participant_left","room":{"name":"daily","sid":"RM_1"},"participant":{"identity":"EG_1"}}`))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		first, second func(s *egress.State)
	}{
		"by webhook, then by a poll": {
			func(s *egress.State) { s.Hint(left, noon) },
			func(s *egress.State) { s.Looked(egress.Look{RecorderGone: noon.Add(minute)}, noon.Add(minute)) },
		},
		"by a poll, then by webhook": {
			func(s *egress.State) { s.Looked(egress.Look{RecorderGone: noon, EndExpected: noon}, noon) },
			func(s *egress.State) { s.Hint(left, noon.Add(minute)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			tc.first(s)
			tc.second(s)
			require.Equal(t, noon, s.Evidence.RecorderGone)
			require.Equal(t, noon, s.EndExpected)
		})
	}
}

func TestARecorderThatIsBackTakesBackThatAnEndWasExpected(t *testing.T) {
	t.Parallel()
	gone := egress.Evidence{RecorderGone: noon, RoomGone: noon, Unanswered: noon}
	for name, tc := range map[string]struct {
		change func(*egress.State)
		want   time.Time
	}{
		"as it was":                     {func(*egress.State) {}, time.Time{}},
		"but a stop was asked for":      {func(s *egress.State) { s.Stopped = egress.StopRequested }, noon},
		"but what was recorded is sent": {func(s *egress.State) { s.Latest = infoOf(t, "EG_1", ending) }, noon},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			s.Evidence, s.EndExpected = gone, noon
			tc.change(s)
			s.Looked(egress.Look{RecorderHere: true}, noon.Add(minute))
			require.Zero(t, s.Evidence)
			require.Equal(t, tc.want, s.EndExpected)
		})
	}
}

func TestWhyAnEgressIsLostNamesTheRecorderOnlyWhereTheRoomGoesOn(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.EndExpected, s.LookedAt = noon, noon.Add(minute)
	s.Evidence = egress.Evidence{Unanswered: noon.Add(minute), RecorderGone: noon}
	why, _ := s.WhyLost()
	require.Equal(t, "its worker does not answer StopEgress, its participant has left the room", why)
	s.Evidence.RoomGone = noon
	why, _ = s.WhyLost()
	require.Equal(t, "its worker does not answer StopEgress, its room is gone", why)
}

func TestNewsOfARecordingIsNoSignOfItsRecordersAbsence(t *testing.T) {
	t.Parallel()
	s := seen(t, starting)
	s.Evidence.RecorderGone = noon
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", active), Source: egress.FromWebhook, HeardAt: noon})
	require.Zero(t, s.Evidence.RecorderGone)
}

// LiveKit may be away at the very moment when a probe would be due, for example if the node that
// the recorder was connected to fails.
func TestALookThatCouldNotAskForTheRecorderLeavesADoubt(t *testing.T) {
	t.Parallel()
	left, err := egress.ParseEvent([]byte(`{"event":"participant_left","room":{"name":"daily","sid":"RM_1"},"participant":{"identity":"EG_1"}}`))
	require.NoError(t, err)
	s := watched(t)
	require.True(t, s.Hint(left, noon))
	s.Looked(egress.Look{}, noon.Add(minute-1))
	require.False(t, s.InDoubt(), "a look is due before it comes to that")
	require.Equal(t, noon.Add(minute), s.Alarm())
	s.Looked(egress.Look{}, noon.Add(minute))
	require.Equal(t, egress.ActNothing, s.Due(noon.Add(minute)))
	require.True(t, s.InDoubt())
	require.NotEqual(t, noon.Add(minute), s.Alarm(), "or it would ring for ever")

	here, absent := *s, *s
	here.Looked(egress.Look{RecorderHere: true}, noon.Add(2*minute))
	require.False(t, here.InDoubt())
	require.Zero(t, here.EndExpected)
	absent.Looked(egress.Look{RecorderAbsent: true}, noon.Add(2*minute))
	require.False(t, absent.InDoubt())
	require.Equal(t, egress.ActProbe, absent.Due(noon.Add(2*minute)))
}

// Its worker was asked whether it lives, and LiveKit then had the egress so.
func TestAnAnswerToAProbeShowsThatTheRecorderIsAtWorkIfTheEgressGoesOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*egress.State)
		status livekit.EgressStatus
		want   bool
	}{
		"active":                      {func(*egress.State) {}, active, true},
		"starting":                    {func(*egress.State) {}, starting, true},
		"ending":                      {func(*egress.State) {}, ending, false},
		"ended":                       {func(*egress.State) {}, complete, false},
		"active before it was ending": {func(s *egress.State) { s.Latest = infoOf(t, "EG_1", ending) }, active, false},
		"active before it failed":     {func(s *egress.State) { s.Phase = egress.Held }, active, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			s.EndExpected = noon
			s.Evidence = egress.Evidence{RecorderGone: noon, RoomGone: noon, Absent: noon.Add(minute), Probed: noon.Add(minute), Asked: noon.Add(minute)}
			tc.change(s)
			before := s.Evidence
			require.Equal(t, tc.want, s.TakeAnswer(infoOf(t, "EG_1", tc.status)))
			if tc.want {
				before = egress.Evidence{}
			}
			require.Equal(t, before, s.Evidence)
			require.Equal(t, tc.want, s.EndExpected.IsZero())
		})
	}
}
