package egress_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestNothingIsNewsAfterAnEndThatIsFinalByItsNameAlone(t *testing.T) {
	t.Parallel()
	s := seen(t, starting)
	require.Equal(t, egress.Moved, s.Observe(egress.Observation{Info: infoOf(t, "EG_1", newer), Final: true, Source: egress.FromWebhook, HeardAt: noon}))
	require.Equal(t, egress.Settled, s.Phase)
	before := *s
	require.Equal(t, egress.NoNews, s.Observe(egress.Observation{Info: infoOf(t, "EG_1", complete), Source: egress.FromPoll, HeardAt: noon.Add(time.Second)}),
		"its status ranks lower than one that we know")
	require.Equal(t, before, *s)
}

func TestWhatAPollSawIsHeardFromThePollWhenItSawIt(t *testing.T) {
	t.Parallel()
	s, at := seen(t, starting), noon.Add(time.Minute)
	require.Equal(t, egress.Moved, s.Looked(egress.Look{Info: infoOf(t, "EG_1", active)}, at))
	require.Equal(t, egress.FromPoll, s.NewsBy)
	require.Equal(t, at, s.NewsAt)
	require.Equal(t, at, s.LookedAt)
}

func TestAPollThatComesAfterTheEndExpectsNoOther(t *testing.T) {
	t.Parallel()
	s := ended(t, egress.FromWebhook)
	require.Equal(t, egress.NoNews, s.Looked(egress.Look{EndExpected: noon}, noon.Add(time.Hour)))
	require.True(t, s.EndExpected.IsZero())
}

func TestWhatAListShowedIsHeardFromTheComparisonOfBoth(t *testing.T) {
	t.Parallel()
	e, err := egress.ParseEvent([]byte(`{"event":"egress_ended","egressInfo":{"egressId":"EG_1","status":"EGRESS_ACTIVE"}}`))
	require.NoError(t, err)
	o, _, err := egress.ObserveListed(e, noon)
	require.NoError(t, err)
	require.Equal(t, egress.FromReconcile, o.Source)
	require.Equal(t, noon, o.HeardAt)
	require.Empty(t, o.Event, "nobody sent it")
	require.False(t, o.Final, "its name is ours")
}

func TestOnlyTheSettingsConsumerIsSparedWhatLiveKitToldUs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		step       string
		missedOnly bool
		by         egress.Source
		want       bool
		corrects   egress.Status
	}{
		"announce a correction, by webhook":     {egress.StepAnnounce, true, egress.FromWebhook, true, egress.Lost},
		"announce always, told by webhook":      {egress.StepAnnounce, false, egress.FromWebhook, true, ""},
		"announce always, told by poll":         {egress.StepAnnounce, false, egress.FromPoll, true, ""},
		"announce what is missed, by webhook":   {egress.StepAnnounce, true, egress.FromWebhook, false, ""},
		"announce what is missed, by poll":      {egress.StepAnnounce, true, egress.FromPoll, true, ""},
		"a caller's webhook, missed, by poll":   {egress.WebhookStep(0), true, egress.FromPoll, true, ""},
		"a caller's webhook, told by webhook":   {egress.WebhookStep(0), true, egress.FromWebhook, true, ""},
		"a caller's webhook, always, by itself": {egress.WebhookStep(0), false, egress.FromWebhook, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ended(t, tc.by)
			s.MissedOnly, s.Corrects = tc.missedOnly, tc.corrects
			require.Equal(t, tc.want, s.Needs(tc.step))
		})
	}
}

func TestNothingIsKnownOfAnEgressThatWasNeverSeenAndIsLost(t *testing.T) {
	t.Parallel()
	_, err := egress.Verdict{Status: egress.Lost, Because: "LiveKit no longer knows it", EndedAt: noon}.Told()
	require.ErrorContains(t, err, "lost EgressInfo")
}

func TestWhatAllPartsShareIsAmongTheOtherKeysOfAState(t *testing.T) {
	t.Parallel()
	s := egress.State{Shared: egress.Shared{
		Parts: []egress.Part{{Number: 1}}, Stuck: "why", Done: []string{"a"}, Skipped: []string{"b"}, AwaitsWord: []string{"c"},
		Twins: []string{"EG_2"}, Story: []egress.Beat{{What: "began"}}, Noticed: []string{"stuck"},
	}}
	b, err := json.Marshal(s)
	require.NoError(t, err)
	var keys map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b, &keys))
	require.ElementsMatch(t, []string{
		"policy", "announce_for", // of Terms
		"parts", "stuck", "done", "skipped", "awaits_word", "twins", "story", "noticed", // of Shared
		"phase", "part", "id", "latest", "started", "bound_at", "news_at", "news_by", "looked_at", "held_since", "stopped_at", "end_expected", "evidence",
	}, slices.Collect(maps.Keys(keys)))
	var back egress.State
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, s.Stuck, back.Stuck)
	require.Equal(t, s.Twins, back.Twins)
}

func TestTimeLimitsCountFromTheBeginningThatLiveKitNames(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		id           string
		began, asked time.Time
		want         time.Time
	}{
		"it began before we heard of it":           {"EG_1", noon.Add(-time.Hour), noon.Add(-2 * time.Hour), noon.Add(-time.Hour)},
		"nobody knows when it was asked for":       {"EG_1", noon.Add(-time.Hour), time.Time{}, noon.Add(-time.Hour)},
		"LiveKit's clock is behind":                {"EG_1", noon.Add(-time.Hour), noon.Add(-time.Minute), noon.Add(-time.Minute)},
		"LiveKit's clock is ahead":                 {"EG_1", noon.Add(time.Hour), noon.Add(-time.Minute), noon},
		"it has not begun":                         {"EG_1", time.Time{}, noon.Add(-time.Minute), noon},
		"it is another one":                        {"EG_2", noon.Add(-time.Hour), time.Time{}, noon},
		"it was asked for again, and began before": {"EG_1", noon.Add(-time.Hour), noon.Add(time.Minute), noon},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			m := &livekit.EgressInfo{EgressId: tc.id, Status: active}
			if !tc.began.IsZero() {
				m.StartedAt = tc.began.UnixNano()
			}
			info, err := egress.NewInfo(m)
			require.NoError(t, err)
			s.BoundSince(info, tc.asked)
			require.True(t, tc.want.Equal(s.BoundAt), s.BoundAt)
		})
	}
}
