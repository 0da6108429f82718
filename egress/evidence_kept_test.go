package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Each row removes one condition of a probe that waits only for a look.
func TestAProbeThatWaitsForALookAloneIsInDoubt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status livekit.EgressStatus
		change func(*egress.State)
		want   bool
	}{
		"the last look could not ask":      {active, func(*egress.State) {}, true},
		"the last look did not find it":    {active, func(s *egress.State) { s.Evidence.Absent = noon.Add(minute) }, false},
		"the last look came too early":     {active, func(s *egress.State) { s.LookedAt = noon.Add(minute - 1) }, false},
		"a stop is asked for, by whomever": {active, func(s *egress.State) { s.Stopped = egress.StopRequested }, false},
		"there is something left":          {active, func(s *egress.State) { s.Evidence.RoomGone = time.Time{} }, false},
		"it uploads":                       {ending, func(*egress.State) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			s.Latest = infoOf(t, "EG_1", tc.status)
			s.Evidence.RoomGone, s.EndExpected, s.LookedAt = noon, noon, noon.Add(minute)
			tc.change(s)
			require.Equal(t, tc.want, s.InDoubt())
		})
	}
}

func TestAStopThatIsAskedForWaitsForNoLook(t *testing.T) {
	t.Parallel()
	for stopped, want := range map[egress.StopReason]time.Duration{"": minute, egress.StopRequested: day} {
		s := watched(t)
		s.Evidence.RoomGone, s.EndExpected, s.Stopped = noon, noon, stopped
		require.Equal(t, noon.Add(want), s.Decisive(), stopped)
	}
}

func TestARecorderThatLeftMeansThatTheEndIsNear(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.RecorderLeft(noon.Add(minute))
	require.Equal(t, noon.Add(minute), s.Evidence.RecorderGone)
	require.Equal(t, noon.Add(minute), s.EndExpected)
	s.RecorderLeft(noon.Add(2 * minute))
	require.Equal(t, noon.Add(minute), s.Evidence.RecorderGone, "since when it is gone stays")
	require.True(t, s.TakeAnswer(s.Latest))
	s.RecorderLeft(noon.Add(3 * minute))
	require.Equal(t, noon.Add(3*minute), s.Evidence.RecorderGone)
	require.Equal(t, []string{"its participant is not in the room"}, said(s)[1:], "and is told once")
	for at := noon.Add(4 * minute); at.Before(noon.Add(9 * minute)); at = at.Add(minute) {
		require.True(t, s.TakeAnswer(s.Latest))
		s.Looked(egress.Look{RoomGone: at, RecorderGone: at}, at)
	}
	require.Equal(t, []string{"its participant is not in the room", "its room is gone"}, said(s)[1:], "as is the end of its room")
}

// said returns the words of a story.
func said(s *egress.State) (words []string) {
	for _, b := range s.Story {
		words = append(words, b.What)
	}
	return words
}

func TestOnlyTheLastLookSaysThatTheRecorderIsAbsent(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.Looked(egress.Look{RecorderAbsent: true}, noon.Add(minute))
	require.Equal(t, noon.Add(minute), s.Evidence.Absent)
	s.Looked(egress.Look{}, noon.Add(2*minute))
	require.Zero(t, s.Evidence.Absent, "one that could not ask for it says nothing")
}

func TestARecorderThatWasSeenOnceWasSeen(t *testing.T) {
	t.Parallel()
	s := watched(t)
	for i, tc := range []struct{ look, want bool }{{false, false}, {true, true}, {false, true}} {
		s.Looked(egress.Look{RecorderSeen: tc.look}, noon.Add(minute))
		require.Equal(t, tc.want, s.RecorderSeen, i)
	}
}
