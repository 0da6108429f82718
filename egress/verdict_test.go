package egress_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// ended returns an egress that ended at noon and of whose end we learned two minutes later.
func ended(tb testing.TB, by egress.Source) *egress.State {
	tb.Helper()
	s := seen(tb, active)
	info, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", RoomId: "RM_1", RoomName: "daily", Status: failed,
		EndedAt: noon.UnixNano(), Error: "upload failed"})
	require.NoError(tb, err)
	s.Observe(egress.Observation{Info: info, Source: by, HeardAt: noon.Add(2 * time.Minute)})
	return s
}

func TestAVerdictSaysWhatBecameOfARecording(t *testing.T) {
	t.Parallel()
	s := ended(t, egress.FromPoll)
	s.Stopped, s.Done = egress.StopRequested, []string{"verify"}
	v := s.Verdict("req-1", egress.Summary{Kind: egress.KindWeb, Room: "daily"})
	require.Equal(t, egress.Verdict{
		RequestID: "req-1", EgressID: "EG_1", Kind: egress.KindWeb, Room: "daily", RoomID: "RM_1", Status: "EGRESS_FAILED",
		EndedBy: egress.FromPoll, EndedAt: noon, HeardAt: noon.Add(2 * time.Minute), Late: egress.Duration(2 * time.Minute),
		Missed: egress.MissedUnclassified, Media: egress.MediaUnchecked, Stopped: egress.StopRequested, Because: "upload failed",
		Delivered: []string{"verify"}, Info: s.Latest,
	}, v)
	require.Equal(t, egress.Memo{RoomID: "RM_1", EndedAt: noon, Late: egress.Duration(2 * time.Minute),
		Missed: egress.MissedUnclassified, Media: egress.MediaUnchecked}, v.Memo())
}

func TestAWebhookIsMissedWhenWeHadToAsk(t *testing.T) {
	t.Parallel()
	for by, want := range map[egress.Source]egress.Missed{
		egress.FromStart: egress.MissedUnclassified, egress.FromWebhook: "", egress.FromStop: egress.MissedUnclassified,
		egress.FromPoll: egress.MissedUnclassified, egress.FromReconcile: egress.MissedUnclassified, egress.FromTimeout: egress.MissedUntried,
	} {
		require.Equal(t, want, ended(t, by).Verdict("req-1", egress.Summary{}).Missed, by)
	}
}

func TestAnAnswerThatHasTheEndTellsOfAMissedWebhookOnceLiveKitHasStoppedTrying(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]egress.Missed{
		0: "", 75 * time.Second: "", 75*time.Second + 1: egress.MissedUnclassified, // 15 s, and the tolerated clock difference
	} {
		for _, by := range []egress.Source{egress.FromStart, egress.FromStop} {
			s := ended(t, by)
			s.NewsAt = noon.Add(after)
			require.Equal(t, want, s.Verdict("req-1", egress.Summary{}).Missed, after)
		}
	}
	s := seen(t, active)
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", failed), Source: egress.FromStop, HeardAt: noon.Add(time.Hour)})
	require.Empty(t, s.Verdict("req-1", egress.Summary{}).Missed, "nobody knows when it ended")
}

func TestAnEndWithoutATimeIsWhenWeHeardOfIt(t *testing.T) {
	t.Parallel()
	v := seen(t, active, complete).Verdict("req-1", egress.Summary{})
	require.Equal(t, noon.Add(time.Second), v.EndedAt)
	require.Zero(t, v.Late)
}

func TestAnEndOfAClockAheadOfOursIsNotEarly(t *testing.T) {
	t.Parallel()
	s := ended(t, egress.FromWebhook)
	s.NewsAt = noon.Add(-time.Minute)
	require.Zero(t, s.Verdict("req-1", egress.Summary{}).Late)
}

func TestALostEgressSaysWhy(t *testing.T) {
	t.Parallel()
	s := seen(t, active)
	s.GiveUp(egress.FromTimeout, "its room is gone", noon.Add(day))
	v := s.Verdict("req-1", egress.Summary{})
	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, "its room is gone", v.Because)
	require.Equal(t, noon.Add(day), v.EndedAt)
	require.Equal(t, egress.MissedUntried, v.Missed, "LiveKit does not say that it ended, so it has sent nothing")
	require.NotEmpty(t, v.MissedBecause)
}

func TestALostEgressThatLiveKitHasForgottenMayHaveSentItsWebhook(t *testing.T) {
	t.Parallel()
	s := seen(t, active)
	s.Evidence.MissingSince = noon
	s.GiveUp(egress.FromTimeout, "LiveKit no longer knows the egress", noon.Add(day))
	require.Equal(t, egress.MissedUnclassified, s.Verdict("req-1", egress.Summary{}).Missed)
}

func TestTheConsumerGetsTheEventThatLiveKitSent(t *testing.T) {
	t.Parallel()
	body := `{"event":"egress_ended","id":"EV_1","brandNew":1,"egressInfo":{"egressId":"EG_1","status":"EGRESS_NEW","newField":1}}`
	e, err := egress.ParseEvent([]byte(body))
	require.NoError(t, err)
	o, err := egress.ObserveEvent(e, noon)
	require.NoError(t, err)
	s := seen(t, active)
	require.Equal(t, egress.Moved, s.Observe(o))
	require.Equal(t, egress.Settled, s.Phase)
	got, err := s.Announcement()
	require.NoError(t, err)
	require.JSONEq(t, body, string(got.Raw()))
}

func announce(t *testing.T, s *egress.State) map[string]any {
	t.Helper()
	e, err := s.Announcement()
	require.NoError(t, err)
	require.Equal(t, "egress_ended", e.Proto().GetEvent())
	var got map[string]any
	require.NoError(t, json.Unmarshal(e.Raw(), &got))
	return got
}

func TestTheConsumerGetsTheEventThatLiveKitWouldHaveSent(t *testing.T) {
	t.Parallel()
	got := announce(t, ended(t, egress.FromPoll))
	require.Regexp(t, `^EV_[A-Z2-7]{12}$`, got["id"])
	require.Equal(t, map[string]any{
		"event": "egress_ended", "id": got["id"], "createdAt": "1795435200",
		"room": map[string]any{"sid": "RM_1", "name": "daily"},
		"egressInfo": map[string]any{"egressId": "EG_1", "roomId": "RM_1", "roomName": "daily", "status": "EGRESS_FAILED",
			"endedAt": "1795435200000000000", "error": "upload failed"},
	}, got)
	require.Equal(t, got, announce(t, ended(t, egress.FromReconcile)), "whoever told us, and however often")
}

func TestWhatANewerLiveKitAddsIsAnnouncedToo(t *testing.T) {
	t.Parallel()
	var info egress.Info
	require.NoError(t, info.UnmarshalJSON([]byte(newerInfo)))
	s := seen(t, active)
	s.Observe(egress.Observation{Info: info, Final: true, Source: egress.FromReconcile, HeardAt: noon})
	got := announce(t, s)["egressInfo"].(map[string]any)
	require.Equal(t, "EGRESS_ENDED_SOMEHOW", got["status"])
	require.Equal(t, map[string]any{"a": []any{1.0, 2.0}}, got["newField"])
	require.Equal(t, egress.Status("EGRESS_ENDED_SOMEHOW"), s.Status)
}

func TestALostEgressIsAFailedOneToTheConsumer(t *testing.T) {
	t.Parallel()
	s := seen(t, active)
	s.GiveUp(egress.FromTimeout, "its room is gone", noon)
	s.Event = json.RawMessage(`{"event":"egress_ended"}`) // not even then: the verdict is ours
	got := announce(t, s)
	require.Equal(t, "1795435200", got["createdAt"])
	require.Equal(t, map[string]any{"egressId": "EG_1", "roomId": "RM_1", "roomName": "daily", "status": "EGRESS_FAILED",
		"error": "lost: its room is gone", "endedAt": "1795435200000000000"}, got["egressInfo"])
}

func TestAnAnnouncementsIDIsOfItsEgressAndItsVerdict(t *testing.T) {
	t.Parallel()
	lost := func(id string) *egress.State {
		s := &egress.State{}
		s.Observe(egress.Observation{Info: infoOf(t, id, active), HeardAt: noon})
		s.GiveUp(egress.FromTimeout, "why", noon)
		return s
	}
	ids := map[any]bool{}
	for _, s := range []*egress.State{lost("EG_1"), lost("EG_2"), ended(t, egress.FromPoll), seen(t, complete)} {
		ids[announce(t, s)["id"]] = true
	}
	require.Len(t, ids, 4)
	// Consumers have seen it: it must not change between versions.
	require.Equal(t, "EV_HEK5ADSHLOLX", announce(t, lost("EG_1"))["id"])
	again := lost("EG_1")
	again.Corrects = egress.Lost
	require.Equal(t, "EV_HEK5ADSHLOLX", announce(t, again)["id"], "a loss is told once")
}

// As after a failover of Temporal: whoever has heard LiveKit's event recognizes only the egress.
func TestAnEndWhoseWebhookTemporalHasLostIsToldUnderAnIDOfOurs(t *testing.T) {
	t.Parallel()
	told, forgot := seen(t, active), seen(t, active)
	e, err := egress.ParseEvent([]byte(`{"event":"egress_ended","id":"EV_1","egressInfo":{"egressId":"EG_1","status":"EGRESS_COMPLETE"}}`))
	require.NoError(t, err)
	o, err := egress.ObserveEvent(e, noon)
	require.NoError(t, err)
	told.Observe(o)
	forgot.Observe(egress.Observation{Info: infoOf(t, "EG_1", complete), Source: egress.FromReconcile, HeardAt: noon})
	first, again := announce(t, told), announce(t, forgot)
	require.Equal(t, "EV_1", first["id"])
	require.NotEqual(t, first["id"], again["id"])
	require.Equal(t, "EG_1", again["egressInfo"].(map[string]any)["egressId"])
	require.NotEmpty(t, forgot.Verdict("req-1", egress.Summary{}).Missed)
}

func TestNothingIsAnnouncedOfAnEgressThatNobodyHasSeen(t *testing.T) {
	t.Parallel()
	_, err := (&egress.State{ID: "EG_1"}).Announcement()
	require.ErrorContains(t, err, "announce EG_1: ")
}

func TestAVerdictKnowsTheEgressesThatItToldOf(t *testing.T) {
	t.Parallel()
	v := egress.Verdict{EgressID: "EG_3", Parts: []egress.Part{{EgressID: "EG_1"}}, Twins: []string{"EG_2"}}
	for id, want := range map[string]bool{"EG_1": true, "EG_2": false, "EG_3": true, "EG_4": false, "": false} {
		require.Equal(t, want, v.Knows(id), id)
	}
}

// A consumer recognizes what it has heard before by the ID.
func TestEachCorrectionHasAnEventIDOfItsOwn(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	for name, corrects := range map[string]egress.Status{"first": "", "after a loss": egress.Lost, "after another failure": "EGRESS_FAILED"} {
		s := recording(t)
		s.Observe(egress.Observation{Info: infoAt(t, failed, int64(len(corrects)), 1), Source: egress.FromPoll, HeardAt: noon})
		s.Settle()
		s.Corrects = corrects
		e, err := s.Announcement()
		require.NoError(t, err)
		require.NotContains(t, ids, e.Proto().GetId(), name)
		ids[e.Proto().GetId()] = name
	}
}
