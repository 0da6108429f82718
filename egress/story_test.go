package egress_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func lines(s *egress.State) []string {
	var all []string
	for _, b := range s.Story {
		all = append(all, b.At.Format("15:04:05")+" "+b.String())
	}
	return all
}

// heard folds in an EgressInfo with LiveKit's own times.
func heard(t *testing.T, s *egress.State, at time.Time, by egress.Source, m *livekit.EgressInfo) {
	t.Helper()
	m.EgressId, m.RoomId, m.RoomName = "EG_1", "RM_1", "daily"
	i, err := egress.NewInfo(m)
	require.NoError(t, err)
	s.Observe(egress.Observation{Info: i, Source: by, HeardAt: at})
}

func TestTheStoryHasWhatHappenedFromWhomAndHowLate(t *testing.T) {
	t.Parallel()
	s := seen(t)
	after := func(d time.Duration) time.Time { return noon.Add(d) }
	heard(t, s, after(time.Second), egress.FromStart, &livekit.EgressInfo{Status: starting})
	heard(t, s, after(4*time.Second), egress.FromWebhook, &livekit.EgressInfo{Status: active, UpdatedAt: after(3 * time.Second).UnixNano()})
	heard(t, s, after(5*time.Second), egress.FromWebhook, &livekit.EgressInfo{Status: active, UpdatedAt: after(3 * time.Second).UnixNano()})
	s.Started = true
	room := hintOf(t, `{"event":"room_finished","room":{"sid":"RM_1"}}`)
	s.Hint(room, after(time.Minute))
	s.Hint(room, after(61*time.Second))
	s.StopAsked(&egress.Asker{APIKey: "API1", Identity: "ann"}, after(62*time.Second))
	s.StopAsked(&egress.Asker{Identity: "bob"}, after(62*time.Second))
	s.WantStop(egress.StopCancelled, after(63*time.Second))
	s.Looked(egress.Look{RoomGone: noon, MissingSince: after(80 * time.Second)}, after(80*time.Second))
	s.Looked(egress.Look{MissingSince: after(80 * time.Second)}, after(90*time.Second))
	heard(t, s, after(2*time.Minute), egress.FromPoll, &livekit.EgressInfo{
		Status: failed, Error: "no\nspace", EndedAt: after(70 * time.Second).UnixNano(), UpdatedAt: after(71 * time.Second).UnixNano(),
	})
	require.Equal(t, []string{
		"12:00:01 EGRESS_STARTING, from start",
		"12:00:04 EGRESS_ACTIVE, from webhook, 1s late",
		"12:01:00 its room finished, from webhook",
		"12:01:02 a stop was requested by ann with the key API1",
		"12:01:20 LiveKit no longer knows it, from poll",
		"12:02:00 ended as EGRESS_FAILED: no space, from poll, 50s late",
	}, lines(s))
}

func TestWhoAskedForTheStopIsKeptAsFarAsThatIsKnown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		by   *egress.Asker
		want string
		kept *egress.Asker
	}{
		{nil, "a stop was requested", nil},
		{&egress.Asker{}, "a stop was requested", nil},
		{&egress.Asker{APIKey: "API1"}, "a stop was requested by the key API1", &egress.Asker{APIKey: "API1"}},
		{&egress.Asker{Identity: "ann"}, "a stop was requested by ann", &egress.Asker{Identity: "ann"}},
	} {
		s := seen(t)
		s.StopAsked(tc.by, noon)
		require.Equal(t, []string{"12:00:00 " + tc.want}, lines(s))
		require.Equal(t, tc.kept, s.Verdict("r", egress.Summary{}).StoppedBy)
	}
	s := seen(t)
	s.StopAsked(&egress.Asker{Identity: strings.Repeat("a", 200)}, noon)
	require.Len(t, s.StoppedBy.Identity, 128, "whoever sent it")

	cancelled := seen(t)
	cancelled.WantStop(egress.StopCancelled, noon)
	cancelled.StopAsked(&egress.Asker{Identity: "ann"}, noon)
	require.Nil(t, cancelled.StoppedBy, "it was to stop already")
}

func TestALostEgressIsGivenUpInItsStory(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.Hint(hintOf(t, `{"event":"participant_left","room":{"sid":"RM_1"},"participant":{"identity":"EG_1"}}`), noon.Add(time.Minute))
	s.Looked(egress.Look{RoomGone: noon}, noon.Add(2*time.Minute))
	s.GiveUp(egress.FromTimeout, "its worker does not answer StopEgress", noon.Add(3*time.Minute))
	s.Looked(egress.Look{MissingSince: noon}, noon.Add(4*time.Minute))
	require.Equal(t, []string{
		"12:00:00 EGRESS_ACTIVE, from start",
		"12:01:00 it left its room, from webhook",
		"12:02:00 its room is gone, from poll",
		"12:03:00 lost: its worker does not answer StopEgress, from timeout",
	}, lines(s))
}

func TestEveryReasonForAStopHasItsWords(t *testing.T) {
	t.Parallel()
	for why, want := range map[egress.StopReason]string{
		egress.StopRequested: "a stop was requested", egress.StopMaxDuration: "its maximum duration is over, so it is stopped",
		egress.StopCancelled: "its workflow was cancelled, so it is stopped", "storm": "it is stopped: storm",
	} {
		s := seen(t)
		s.WantStop(why, noon)
		require.Equal(t, []string{"12:00:00 " + want}, lines(s))
	}
}

// If LiveKit's clock is ahead of ours, we must not seem early.
func TestNothingIsHeardBeforeItHappened(t *testing.T) {
	t.Parallel()
	s := seen(t)
	heard(t, s, noon, egress.FromWebhook, &livekit.EgressInfo{Status: active, UpdatedAt: noon.Add(time.Minute).UnixNano()})
	require.Zero(t, s.Story[0].Late)
	require.Empty(t, s.Story[0].After())
}

func TestHowLateABeatIsIsReadInTenthsOfASecond(t *testing.T) {
	t.Parallel()
	for late, want := range map[time.Duration]string{0: "", 49 * time.Millisecond: "", 50 * time.Millisecond: "100ms", 1234 * time.Millisecond: "1.2s"} {
		require.Equal(t, want, egress.Beat{Late: egress.Duration(late)}.After(), late)
	}
}

// The first beat and the newest are kept, and the number of those in between.
func TestALongStoryKeepsItsBeginningAndItsEnd(t *testing.T) {
	t.Parallel()
	s := watched(t)
	for n := range 30 {
		s.Evidence.MissingSince = time.Time{}
		s.Looked(egress.Look{MissingSince: noon}, noon.Add(time.Duration(n+1)*time.Second))
	}
	before := s.Story
	heard(t, s, noon.Add(time.Minute), egress.FromPoll, &livekit.EgressInfo{Status: failed, Error: strings.Repeat("x", 1000)})

	require.Len(t, s.Story, 12)
	require.Equal(t, "12:00:00 EGRESS_ACTIVE, from start", lines(s)[0])
	require.Equal(t, noon.Add(21*time.Second), s.Story[1].At)
	require.Equal(t, 20, s.Story[1].LeftOut)
	require.Equal(t, noon.Add(time.Minute), s.Story[11].At)
	require.Equal(t, "ended as EGRESS_FAILED: "+strings.Repeat("x", 120-24-3)+"…", s.Story[11].What)
	require.Equal(t, noon.Add(20*time.Second), before[1].At, "who holds the story of before sees no change")
	b, err := json.Marshal(s.Story)
	require.NoError(t, err)
	require.Less(t, len(b), 2048)
}

func TestTheStoryGoesOnInTheNextRun(t *testing.T) {
	t.Parallel()
	s := seen(t, starting, active)
	s.AwaitsWord = []string{"announce"}
	b, err := json.Marshal(s)
	require.NoError(t, err)
	require.NotContains(t, string(b), "asked_from")
	var next egress.State
	require.NoError(t, json.Unmarshal(b, &next))
	require.Equal(t, lines(s), lines(&next))
	require.Equal(t, s.AwaitsWord, next.AwaitsWord)
}

func hintOf(t *testing.T, body string) egress.Event {
	t.Helper()
	e, err := egress.ParseEvent([]byte(body))
	require.NoError(t, err)
	return e
}

func TestWhatIsNotedIsTold(t *testing.T) {
	t.Parallel()
	s := egress.State{}
	s.Note(noon, "its room is gone")
	require.Equal(t, []egress.Beat{{At: noon, What: "its room is gone"}}, s.Story)
}
