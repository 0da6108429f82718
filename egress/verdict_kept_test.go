package egress_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// withEvent returns the observation of an end's webhook.
func withEvent(i egress.Info, id string) egress.Observation {
	o := observed(i, 2*minute)
	o.Final, o.Event = true, json.RawMessage(`{"event":"egress_ended","id":"`+id+`"}`)
	return o
}

// askedFor returns a recording whose nth run LiveKit reported as ended when a look asked.
func askedFor(t *testing.T, status livekit.EgressStatus, run int32) *egress.State {
	t.Helper()
	s := recording(t)
	o := observed(infoAt(t, status, 20, run), minute)
	o.Source = egress.FromPoll
	require.Equal(t, egress.Moved, s.Observe(o))
	return s
}

func TestAnEndThatIsHeldIsToldByTheWebhookOfThatVeryEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		seen egress.Info
		want string
	}{
		"the same":            {infoAt(t, failed, 20, 1), `{"event":"egress_ended","id":"EV_1"}`},
		"another status":      {infoAt(t, complete, 20, 1), ""},
		"an earlier moment":   {infoAt(t, failed, 19, 1), ""},
		"the run before":      {infoAt(t, failed, 20, 0), ""},
		"an earlier good end": {infoAt(t, complete, 19, 0), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := askedFor(t, failed, 1)
			require.Equal(t, egress.Held, s.Phase)
			require.Equal(t, egress.NoNews, s.Observe(withEvent(tc.seen, "EV_1")))
			require.Equal(t, tc.want, string(s.Event))
		})
	}
}

func TestAnEndThatWasToldKeepsTheEventThatItWasToldUnder(t *testing.T) {
	t.Parallel()
	s := askedFor(t, complete, 0)
	s.Phase = egress.Delivered
	told := announce(t, s)["id"]
	require.Equal(t, egress.NoNews, s.Observe(withEvent(infoAt(t, complete, 20, 0), "EV_1")))
	require.Equal(t, told, announce(t, s)["id"])
	require.Equal(t, egress.MissedLate, s.Verdict("r", egress.Summary{}).Missed)
}

func TestAVerdictSaysWhichStepsAPersonLeftOut(t *testing.T) {
	t.Parallel()
	s := ended(t, egress.FromPoll)
	s.Done, s.Skipped = []string{"announce", "webhook-1"}, []string{"webhook-1"}
	require.Equal(t, []string{"webhook-1"}, s.Verdict("r", egress.Summary{}).Skipped)
}

// partsOf returns a verdict on a recording whose first part, in its own room, ended with its own
// status.
func partsOf(t *testing.T, room, first string, status egress.Status) egress.Verdict {
	t.Helper()
	info := infoWith(t, failed, func(m *livekit.EgressInfo) { m.RoomName = first })
	return egress.Verdict{EgressID: "EG_2", Room: room, Media: egress.MediaPresent, Parts: []egress.Part{
		{Number: 1, EgressID: "EG_1", Status: status, Info: info, EndedBy: egress.FromPoll, EndedAt: noon, HeardAt: noon.Add(minute), Missed: egress.MissedLate},
		{Number: 2, EgressID: "EG_2", Status: "EGRESS_COMPLETE"},
	}}
}

func TestAMemoHasWhatAReportNeedsOfTheEarlierParts(t *testing.T) {
	t.Parallel()
	v := partsOf(t, "daily", "daily", "EGRESS_FAILED")
	want := egress.EarlierPart{
		EgressID: "EG_1", RoomID: "RM_1", Status: "EGRESS_FAILED", EndedBy: egress.FromPoll,
		EndedAt: noon, Late: egress.Duration(minute), Missed: egress.MissedLate,
	}
	require.Equal(t, []egress.EarlierPart{want}, v.Memo().Earlier)

	v.Parts[0].HeardAt = noon.Add(-1) // LiveKit's clock is not ours
	want.Late = 0
	require.Equal(t, []egress.EarlierPart{want}, v.Memo().Earlier)

	v = partsOf(t, "daily", "retro", "EGRESS_FAILED")
	require.Equal(t, "retro", v.Memo().Earlier[0].Room)
}

// Temporal Cloud accepts no memo over 40 KB, and a workflow that writes one makes no progress.
func TestAMemoOfManyPartsIsSmall(t *testing.T) {
	t.Parallel()
	room := strings.Repeat("r", 255)
	v := partsOf(t, room, room, "EGRESS_FAILED")
	v.RoomID, v.Status, v.Because, v.MissedBecause = v.Parts[0].Info.Proto().GetRoomId(), egress.Lost, strings.Repeat("x", 1<<16), strings.Repeat("x", 1<<16)
	for range egress.MaxRecover {
		v.Parts = append(v.Parts, v.Parts[0])
	}
	b, err := json.Marshal(v.Memo())
	require.NoError(t, err)
	require.Less(t, len(b), 40_000)
}

func TestAPieceLacksWhereAnEarlierPartOfTheRoomEndedBadly(t *testing.T) {
	t.Parallel()
	const lacks = "part 1, EG_1, ended as EGRESS_FAILED"
	for name, tc := range map[string]struct {
		room, first string
		status      egress.Status
		want        string
	}{
		"it failed":                       {"daily", "daily", "EGRESS_FAILED", lacks},
		"it is lost":                      {"daily", "daily", egress.Lost, "part 1, EG_1, ended as " + string(egress.Lost)},
		"it ended well":                   {"daily", "daily", "EGRESS_COMPLETE", ""},
		"it was of another room":          {"daily", "retro", "EGRESS_FAILED", ""},
		"LiveKit did not say of which":    {"daily", "", "EGRESS_FAILED", lacks},
		"nobody knows the recording's":    {"", "daily", "EGRESS_FAILED", lacks},
		"neither of the two is known":     {"", "", "EGRESS_FAILED", lacks},
		"it ended well, in an other room": {"daily", "retro", "EGRESS_COMPLETE", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, partsOf(t, tc.room, tc.first, tc.status).FailedPart())
		})
	}
}

func TestOfMediaThatIsEquallyBadTheLastPartsIsTold(t *testing.T) {
	t.Parallel()
	v := partsOf(t, "daily", "daily", "EGRESS_COMPLETE")
	v.Media, v.MediaBecause = egress.MediaEmpty, "file b holds nothing"
	for first, want := range map[egress.Media]string{
		egress.MediaEmpty: "file b holds nothing", egress.MediaTruncated: "file b holds nothing", egress.MediaMissing: "part 1: so",
	} {
		v.Parts[0].Media = &egress.MediaReport{Media: first, Because: "so"}
		_, because, alarming := v.Alarming()
		require.True(t, alarming)
		require.Equal(t, want, because, first)
	}
}

func TestOnlyOurOwnAnnouncementIsTakenForOne(t *testing.T) {
	t.Parallel()
	ended := func(change func(*egress.State)) egress.Event {
		s := askedFor(t, complete, 0)
		change(s)
		e, err := s.Announcement()
		require.NoError(t, err)
		return e
	}
	for name, tc := range map[string]struct {
		event egress.Event
		want  bool
	}{
		"an end that LiveKit did not tell us": {ended(func(*egress.State) {}), true},
		"a correction":                        {ended(func(s *egress.State) { s.Corrects = egress.Lost }), true},
		"a loss":                              {ended(func(s *egress.State) { s.GiveUp(egress.FromTimeout, "why", noon) }), true},
		"LiveKit's own event":                 {hintOf(t, `{"event":"egress_ended","id":"EV_1","egressInfo":{"egressId":"EG_1","status":"EGRESS_COMPLETE"}}`), false},
		"an event of no egress":               {hintOf(t, `{"event":"room_finished","id":"EV_1"}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.event.IsAnnouncement())
		})
	}
}

func TestAWebhookThatComesAfterAllIsOfTheLastPart(t *testing.T) {
	t.Parallel()
	v := egress.Verdict{Missed: egress.MissedDown}
	v.CameLate("an hour later")
	require.Equal(t, egress.Verdict{Missed: egress.MissedLate, MissedBecause: "an hour later"}, v)
	v = egress.Verdict{Parts: []egress.Part{{Number: 1, Missed: egress.MissedDown}, {Number: 2}}}
	v.CameLate("an hour later")
	require.Equal(t, []egress.Part{{Number: 1, Missed: egress.MissedDown}, {Number: 2, Missed: egress.MissedLate, MissedBecause: "an hour later"}}, v.Parts)
}
