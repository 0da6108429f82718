package egress_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	starting = livekit.EgressStatus_EGRESS_STARTING
	active   = livekit.EgressStatus_EGRESS_ACTIVE
	ending   = livekit.EgressStatus_EGRESS_ENDING
	complete = livekit.EgressStatus_EGRESS_COMPLETE
	failed   = livekit.EgressStatus_EGRESS_FAILED
	aborted  = livekit.EgressStatus_EGRESS_ABORTED
	limit    = livekit.EgressStatus_EGRESS_LIMIT_REACHED
	newer    = livekit.EgressStatus(99)
)

func infoOf(tb testing.TB, id string, s livekit.EgressStatus) egress.Info {
	tb.Helper()
	i, err := egress.NewInfo(&livekit.EgressInfo{EgressId: id, Status: s, RoomId: "RM_1", RoomName: "daily"})
	require.NoError(tb, err)
	return i
}

// seen returns a state after some statuses of EG_1, one per second from noon on.
func seen(tb testing.TB, statuses ...livekit.EgressStatus) *egress.State {
	tb.Helper()
	p := egress.DefaultPolicy()
	p.HoldFor, p.CorrectFor = 0, 0 // see again_test.go for these
	s := &egress.State{Phase: egress.Requested, Terms: egress.Terms{Policy: p}}
	for i, status := range statuses {
		s.Observe(egress.Observation{Info: infoOf(tb, "EG_1", status), Source: egress.FromStart, HeardAt: noon.Add(time.Duration(i) * time.Second)})
	}
	return s
}

func TestOnlyWhatIsFurtherAlongIsNews(t *testing.T) {
	t.Parallel()
	type statuses = []livekit.EgressStatus
	for name, tc := range map[string]struct {
		before statuses
		status livekit.EgressStatus
		final  bool
		want   egress.News
		phase  egress.Phase
	}{
		"the first, starting":                   {nil, starting, false, egress.Moved, egress.Watching},
		"the first, active":                     {nil, active, false, egress.Moved, egress.Watching},
		"the first, ended":                      {nil, failed, false, egress.Moved, egress.Settled},
		"the first, unknown":                    {nil, newer, false, egress.NoNews, egress.Requested},
		"starting, repeated":                    {statuses{starting}, starting, false, egress.NoNews, egress.Watching},
		"active after starting":                 {statuses{starting}, active, false, egress.Moved, egress.Watching},
		"active, repeated":                      {statuses{active}, active, false, egress.NoNews, egress.Watching},
		"starting after active":                 {statuses{active}, starting, false, egress.NoNews, egress.Watching},
		"ending after starting":                 {statuses{starting}, ending, false, egress.Moved, egress.Watching},
		"ending after active":                   {statuses{active}, ending, false, egress.Moved, egress.Watching},
		"active after ending":                   {statuses{ending}, active, false, egress.NoNews, egress.Watching},
		"complete after starting":               {statuses{starting}, complete, false, egress.Moved, egress.Settled},
		"complete after ending":                 {statuses{ending}, complete, false, egress.Moved, egress.Settled},
		"aborted after ending":                  {statuses{ending}, aborted, false, egress.Moved, egress.Settled},
		"failed after active":                   {statuses{active}, failed, false, egress.Moved, egress.Settled},
		"the limit after active":                {statuses{active}, limit, false, egress.Moved, egress.Settled},
		"complete, repeated":                    {statuses{complete}, complete, false, egress.NoNews, egress.Settled},
		"failed after complete":                 {statuses{complete}, failed, false, egress.NoNews, egress.Settled},
		"active after complete":                 {statuses{complete}, active, false, egress.NoNews, egress.Settled},
		"an unknown status after active":        {statuses{active}, newer, false, egress.NoNews, egress.Watching},
		"egress_ended with an unknown status":   {statuses{active}, newer, true, egress.Moved, egress.Settled},
		"egress_ended that decodes as starting": {statuses{ending}, starting, true, egress.Moved, egress.Settled},
		"egress_ended, repeated":                {statuses{complete}, complete, true, egress.NoNews, egress.Settled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := seen(t, tc.before...)
			before := *s
			got := s.Observe(egress.Observation{Info: infoOf(t, "EG_1", tc.status), Final: tc.final, Source: egress.FromPoll, HeardAt: noon.Add(time.Hour)})
			require.Equal(t, tc.want, got)
			require.Equal(t, got == egress.NoNews, before.NewsAt.Equal(s.NewsAt))
			require.Equal(t, got == egress.NoNews, before.NewsBy == s.NewsBy)
			require.Equal(t, tc.phase, s.Phase)
		})
	}
}

func TestWhatIsNoNewsChangesNothing(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]egress.Observation{
		"repeated":               {Info: infoOf(t, "EG_1", active)},
		"of another egress":      {Info: infoOf(t, "EG_2", complete), Final: true},
		"without an egress ID":   {Info: infoOf(t, "", complete), Final: true},
		"without an egress":      {Final: true},
		"out of order, and late": {Info: infoOf(t, "EG_1", starting)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := seen(t, active)
			s.Evidence = egress.Evidence{MissingSince: noon, RoomGone: noon, Unanswered: noon}
			before := *s
			o.HeardAt, o.Source, o.Event = noon.Add(time.Hour), egress.FromWebhook, json.RawMessage("{}")
			require.Contains(t, []egress.News{egress.NoNews, egress.Foreign}, s.Observe(o))
			require.Equal(t, before, *s)
		})
	}
}

func TestTheFirstEgressIDIsBoundAndAnotherOneIsForeign(t *testing.T) {
	t.Parallel()
	s := seen(t, starting, active)
	require.Equal(t, "EG_1", s.ID)
	require.Equal(t, noon, s.BoundAt, "the binding does not move")
	require.Equal(t, egress.Watching, s.Phase)
	require.Equal(t, egress.Foreign, s.Observe(egress.Observation{Info: infoOf(t, "EG_2", complete)}))
	require.Equal(t, egress.Moved, s.Observe(egress.Observation{Info: infoOf(t, "EG_1", complete)}))
	require.Equal(t, egress.Settled, s.Phase)
	require.Equal(t, egress.Foreign, s.Observe(egress.Observation{Info: infoOf(t, "EG_2", complete)}), "a twin is one after the end too")
}

func TestADeliveredEgressHearsNothingMore(t *testing.T) {
	t.Parallel()
	s := seen(t, active)
	s.Phase = egress.Delivered
	require.Equal(t, egress.NoNews, s.Observe(egress.Observation{Info: infoOf(t, "EG_1", complete), Final: true}))
}

func TestTheFirstEndIsKeptWithItsSourceAndItsEvent(t *testing.T) {
	t.Parallel()
	s := seen(t, active)
	event := json.RawMessage(`{"event":"egress_ended"}`)
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", failed), Final: true, Event: event, Source: egress.FromWebhook, HeardAt: noon.Add(time.Minute)})
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", complete), Source: egress.FromPoll, HeardAt: noon.Add(time.Hour)})
	require.Equal(t, egress.Settled, s.Phase)
	require.Equal(t, egress.FromWebhook, s.EndedBy)
	require.Equal(t, egress.Status("EGRESS_FAILED"), s.Status)
	require.Equal(t, event, s.Event)
	require.Equal(t, noon.Add(time.Minute), s.NewsAt)
}

func TestAnEventThatIsNoEndIsNotKept(t *testing.T) {
	t.Parallel()
	s := seen(t)
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", active), Event: json.RawMessage("{}"), Source: egress.FromWebhook})
	require.Nil(t, s.Event)
	require.Empty(t, s.EndedBy)
	require.Empty(t, s.Status)
}

func TestASignOfLifeEndsTheEvidenceOfDeathButNotTheRooms(t *testing.T) {
	t.Parallel()
	s := seen(t, starting)
	s.Evidence = egress.Evidence{MissingSince: noon, Unanswered: noon, RoomGone: noon}
	s.Observe(egress.Observation{Info: infoOf(t, "EG_1", active), HeardAt: noon})
	require.Equal(t, egress.Evidence{RoomGone: noon}, s.Evidence)
}

func TestAnEndingEgressIsExpectedToEnd(t *testing.T) {
	t.Parallel()
	require.Zero(t, seen(t, starting, active).EndExpected)
	require.Equal(t, noon.Add(2*time.Second), seen(t, starting, active, ending).EndExpected)
	require.Zero(t, seen(t, active, complete).EndExpected)
}

func TestAnExpectedEndDoesNotMove(t *testing.T) {
	t.Parallel()
	s := seen(t, active)
	s.ExpectEnd(noon)
	s.ExpectEnd(noon.Add(time.Hour))
	require.Equal(t, noon, s.EndExpected)
}

func TestTheOutlookFollowsWhatWasSeen(t *testing.T) {
	t.Parallel()
	require.Equal(t, egress.OutlookStarting, seen(t).Outlook())
	require.Equal(t, egress.OutlookStarting, seen(t, starting).Outlook())
	require.Equal(t, egress.OutlookActive, seen(t, active).Outlook())
	require.Equal(t, egress.OutlookEnding, seen(t, ending).Outlook())
	s := seen(t, starting)
	s.ExpectEnd(noon)
	require.Equal(t, egress.OutlookEnding, s.Outlook())
}

func TestAStatusIsAheadOfThoseBeforeIt(t *testing.T) {
	t.Parallel()
	order := []livekit.EgressStatus{newer, starting, active, ending, complete}
	for i, a := range order {
		for j, b := range order {
			require.Equal(t, i > j, egress.Ahead(a, b), "%s ahead of %s", a, b)
		}
	}
	for _, ended := range []livekit.EgressStatus{complete, failed, aborted, limit} {
		require.True(t, egress.Ahead(ended, ending))
		require.False(t, egress.Ahead(complete, ended))
	}
}

func TestAWebhookIsAnObservationWithItsEvent(t *testing.T) {
	t.Parallel()
	for name, final := range map[string]bool{egress.EventStarted: false, egress.EventUpdated: false, egress.EventEnded: true} {
		e, err := egress.ParseEvent([]byte(`{"event":"` + name + `","egressInfo":{"egressId":"EG_1","status":"EGRESS_COMPLETE"}}`))
		require.NoError(t, err)
		o, err := egress.ObserveEvent(e, noon)
		require.NoError(t, err)
		require.Equal(t, final, o.Final)
		require.Equal(t, "EG_1", o.Info.ID())
		require.Equal(t, egress.FromWebhook, o.Source)
		require.Equal(t, noon, o.HeardAt)
		require.JSONEq(t, string(e.Raw()), string(o.Event))
	}
}

func TestAStateSurvivesItsJourneyIntoTheNextRun(t *testing.T) {
	t.Parallel()
	s := seen(t, starting, active, ending, complete)
	s.Terms.Steps, s.Done, s.Twins, s.Stuck = []string{"verify", "announce"}, []string{"verify"}, []string{"EG_2"}, "why"
	b, err := json.Marshal(s)
	require.NoError(t, err)
	var got egress.State
	require.NoError(t, json.Unmarshal(b, &got))
	again, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(b), string(again))
	require.Equal(t, s.Latest.ID(), got.Latest.ID())
}
