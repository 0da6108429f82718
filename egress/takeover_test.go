package egress_test

import (
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func other(t *testing.T, id string, status livekit.EgressStatus) egress.Observation {
	t.Helper()
	i, err := egress.NewInfo(&livekit.EgressInfo{EgressId: id, Status: status})
	require.NoError(t, err)
	return egress.Observation{Info: i, HeardAt: noon}
}

func TestAnEgressTakesThePlaceOfOneThatIsGone(t *testing.T) {
	t.Parallel()
	missing := egress.Evidence{MissingSince: noon}
	for name, tc := range map[string]struct {
		phase    egress.Phase
		evidence egress.Evidence
		status   egress.Status
		starting bool
		latest   livekit.EgressStatus
		stopped  egress.StopReason
		id       string
		seen     livekit.EgressStatus
		orphaned bool
		can      bool
	}{
		"LiveKit has forgotten the bound one": {phase: egress.Watching, evidence: missing, id: "EG_2", seen: 1, orphaned: true, can: true},
		"and the other has ended":             {phase: egress.Watching, evidence: missing, id: "EG_2", seen: 3, orphaned: true, can: true},
		"the bound one was told as lost":      {phase: egress.Delivered, status: egress.Lost, id: "EG_2", seen: 1, orphaned: true, can: true},
		"it was just settled as lost":         {phase: egress.Settled, status: egress.Lost, id: "EG_2", seen: 1, orphaned: true, can: true},
		"its start has not answered":          {phase: egress.Watching, evidence: missing, starting: true, id: "EG_2", seen: 1, orphaned: true},
		"an earlier part":                     {phase: egress.Watching, evidence: missing, id: "EG_0", seen: 1, orphaned: true},
		"a status of a newer LiveKit":         {phase: egress.Watching, evidence: missing, id: "EG_2", seen: 77, orphaned: true},
		"LiveKit knows the bound one":         {phase: egress.Watching, evidence: egress.Evidence{RoomGone: noon}, id: "EG_2", seen: 1},
		"the bound one is complete":           {phase: egress.Delivered, evidence: missing, status: "EGRESS_COMPLETE", latest: 3, id: "EG_2", seen: 1},
		"it reached its limit":                {phase: egress.Delivered, status: "EGRESS_LIMIT_REACHED", latest: 6, id: "EG_2", seen: 1},
		"the bound one failed, and is held":   {phase: egress.Held, status: "EGRESS_FAILED", latest: 4, id: "EG_2", seen: 1, orphaned: true, can: true},
		"it was aborted, and that is told":    {phase: egress.Delivered, status: "EGRESS_ABORTED", latest: 5, id: "EG_2", seen: 3, orphaned: true, can: true},
		"its failure was just settled":        {phase: egress.Settled, status: "EGRESS_FAILED", latest: 4, id: "EG_2", seen: 1, orphaned: true, can: true},
		"it failed, and a stop was asked for": {phase: egress.Held, status: "EGRESS_FAILED", latest: 4, stopped: egress.StopRequested, id: "EG_2", seen: 1, orphaned: true, can: true},
	} {
		s := egress.State{Phase: tc.phase, ID: "EG_1", Evidence: tc.evidence, Outcome: egress.Outcome{Status: tc.status}, Started: !tc.starting, Stopped: tc.stopped, Latest: other(t, "EG_1", tc.latest).Info, Shared: egress.Shared{Parts: []egress.Part{{EgressID: "EG_0"}}}}
		require.Equal(t, tc.orphaned, s.Orphaned(), name)
		require.Equal(t, tc.can, s.CanTakeOver(other(t, tc.id, tc.seen)), name)
	}
}

func TestWhatTakesThePlaceIsTheNextPart(t *testing.T) {
	t.Parallel()
	s := egress.State{Phase: egress.Watching, ID: "EG_1", Part: 1, Started: true, Shared: egress.Shared{Done: []string{"announce-part-1"}}, Evidence: egress.Evidence{MissingSince: noon}}
	s.Steps, s.Twins = []string{egress.StepAnnounce, egress.WebhookStep(0)}, []string{"EG_2", "EG_9"}
	o := other(t, "EG_2", livekit.EgressStatus_EGRESS_ACTIVE)

	s.TakeOver(o)

	require.Equal(t, []string{"EG_9"}, s.Twins, "it is a twin no more")

	require.Equal(t, egress.Moved, s.Observe(o))
	require.Equal(t, "EG_2", s.ID)
	require.Equal(t, 2, s.Part)
	require.True(t, s.Started)
	require.Equal(t, []string{"announce-part-1"}, s.Done)
	require.Equal(t, []string{egress.StepAnnounce, egress.WebhookStep(0)}, s.Steps)
	require.Equal(t, egress.Past, s.Observe(other(t, "EG_1", livekit.EgressStatus_EGRESS_ACTIVE)))
	require.NotEqual(t, egress.ActStop, s.Due(noon))
}

func TestWhatWasMeantForTheOneThatIsGoneHoldsForItsNextPart(t *testing.T) {
	t.Parallel()
	s := egress.State{Phase: egress.Delivered, Outcome: egress.Outcome{Status: egress.Lost}, ID: "EG_1", Part: 1, Started: true, Shared: egress.Shared{Done: []string{egress.StepAnnounce}, Skipped: []string{egress.StepAnnounce}}}
	s.Steps = []string{egress.StepAnnounce, egress.WebhookStep(0)}
	s.Stopped, s.StoppedAt = egress.StopRequested, noon.Add(-time.Hour)
	i, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_2", Status: livekit.EgressStatus_EGRESS_ACTIVE, Request: &livekit.EgressInfo_Web{
		Web: &livekit.WebEgressRequest{Webhooks: []*livekit.WebhookConfig{{Url: "https://theirs.example.com"}}},
	}})
	require.NoError(t, err)
	o := egress.Observation{Info: i, HeardAt: noon}

	s.TakeOver(o)
	s.Observe(o)

	require.Equal(t, egress.ActStop, s.Due(noon))
	require.Equal(t, egress.StopRequested, s.Stopped)
	require.Equal(t, noon, s.EndExpected)
	require.Empty(t, s.Done, "the part is told, although the loss was")
	require.Empty(t, s.Skipped)
	require.Equal(t, []string{egress.StepAnnounce}, s.Tells(), "LiveKit serves the webhooks of a start that went past Temporal")
	require.Len(t, s.Steps, 2, "but not those of a part that we start again")
}

func TestOneThatIsStartingCanTakeOver(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Evidence.MissingSince = noon
	require.True(t, s.CanTakeOver(egress.Observation{Info: infoOf(t, "EG_2", livekit.EgressStatus_EGRESS_STARTING)}))
}

func TestAnotherEgressThatHasEndedIsThePartBefore(t *testing.T) {
	t.Parallel()
	bound := func() egress.State {
		s := egress.State{Phase: egress.Watching, ID: "EG_1", Part: 2, Started: true, Shared: egress.Shared{Parts: []egress.Part{{Number: 1, EgressID: "EG_0"}}, Twins: []string{"EG_9"}}}
		s.Steps = []string{egress.StepAnnounce, egress.WebhookStep(0)}
		return s
	}
	o := other(t, "EG_2", livekit.EgressStatus_EGRESS_FAILED)
	o.Source, o.Event, o.Missed, o.MissedBecause = egress.FromWebhook, []byte(`{"id":"EV_2"}`), egress.MissedDown, "away"

	s := bound()
	require.True(t, s.CanPrecede(o))
	past := s.Precede(o)

	require.Equal(t, egress.State{
		Terms: s.Terms, Phase: egress.Settled, Started: true, Part: 2, ID: "EG_2", Latest: o.Info, NewsAt: noon, NewsBy: egress.FromWebhook,
		Outcome: egress.Outcome{EndedBy: egress.FromWebhook, Event: o.Event, Status: "EGRESS_FAILED", MissedWhy: egress.MissedDown, MissedBecause: "away"},
	}, past)
	require.Equal(t, "EG_1", s.ID)
	require.Equal(t, 3, s.Part)
	require.Len(t, s.Parts, 2)
	require.Equal(t, []any{2, "EG_2", egress.Status("EGRESS_FAILED")}, []any{s.Parts[1].Number, s.Parts[1].EgressID, s.Parts[1].Status})
	require.Equal(t, []string{"EG_9"}, s.Verdict("r", egress.Summary{}).Twins)

	served := o
	i, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_2", Status: livekit.EgressStatus_EGRESS_FAILED, Request: &livekit.EgressInfo_Web{
		Web: &livekit.WebEgressRequest{Webhooks: []*livekit.WebhookConfig{{Url: "https://agents.example.com/hook"}}},
	}})
	require.NoError(t, err)
	served.Info = i
	s = bound()
	past = s.Precede(served)
	require.Equal(t, []string{egress.StepAnnounce}, past.Tells(), "LiveKit serves the caller's own")
	s = bound()
	s.Precede(o)
	require.False(t, s.CanPrecede(o), "it is one already, and is not told twice")
	require.False(t, s.CanPrecede(other(t, "EG_0", livekit.EgressStatus_EGRESS_FAILED)), "nor is the first one")

	s = bound()
	require.False(t, s.CanPrecede(other(t, "EG_2", livekit.EgressStatus_EGRESS_ACTIVE)))
}

// otherEnded returns another egress that ended so many seconds after noon by LiveKit's clock.
func otherEnded(t *testing.T, id string, seconds int) egress.Observation {
	t.Helper()
	i, err := egress.NewInfo(&livekit.EgressInfo{
		EgressId: id, Status: livekit.EgressStatus_EGRESS_COMPLETE, EndedAt: noon.Add(time.Duration(seconds) * time.Second).UnixNano(),
	})
	require.NoError(t, err)
	return egress.Observation{Info: i, Final: true, HeardAt: noon.Add(time.Hour)}
}

func TestWhatEndedBeforeTheBoundOneWasGoneIsNotWhatWentOn(t *testing.T) {
	t.Parallel()
	in := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for name, tc := range map[string]struct {
		ended, updated    int // of the bound one, by LiveKit's clock
		expected, missing time.Time
		twin              bool
		other             int
		followed          bool
	}{
		"before it failed":                            {ended: 60, updated: 60, other: 6, followed: true},
		"just as it failed":                           {ended: 60, updated: 60, other: 60, followed: true},
		"after it failed":                             {ended: 60, updated: 60, other: 61},
		"before it was last updated":                  {updated: 10, other: 6, followed: true},
		"after that, and an end was expected":         {updated: 1, expected: in(80), other: 6},
		"a twin, before an end was expected":          {updated: 1, expected: in(80), twin: true, other: 6, followed: true},
		"a twin, after that":                          {updated: 1, expected: in(80), twin: true, other: 81},
		"a twin, before LiveKit forgot the bound one": {updated: 1, missing: in(80), twin: true, other: 6, followed: true},
		"a twin, and nothing is known":                {updated: 1, twin: true, other: 6},
	} {
		m := &livekit.EgressInfo{EgressId: "EG_1", UpdatedAt: in(tc.updated).UnixNano()}
		if tc.ended != 0 {
			m.EndedAt = in(tc.ended).UnixNano()
		}
		latest, err := egress.NewInfo(m)
		require.NoError(t, err)
		s := egress.State{Phase: egress.Settled, ID: "EG_1", Started: true, Outcome: egress.Outcome{Status: egress.Lost}, Latest: latest, EndExpected: tc.expected}
		s.Evidence.MissingSince = tc.missing
		if tc.twin {
			s.Twins = []string{"EG_2"}
		}
		require.Equal(t, tc.followed, s.Followed(otherEnded(t, "EG_2", tc.other)), name)
		timeless := other(t, "EG_2", livekit.EgressStatus_EGRESS_COMPLETE)
		require.False(t, s.Followed(timeless), "nobody knows when it ended")
		s.Parts = []egress.Part{{EgressID: "EG_2"}}
		require.False(t, s.Followed(otherEnded(t, "EG_2", tc.other)), "it is a part already")
	}
}

func TestAnotherEgressWaitsUntilItIsKnownWhatItIs(t *testing.T) {
	t.Parallel()
	ended, records := livekit.EgressStatus_EGRESS_COMPLETE, livekit.EgressStatus_EGRESS_ACTIVE
	asked := func(s *egress.State) { s.Started = false }
	gone := func(s *egress.State) { s.Evidence.RecorderGone = noon }
	for name, tc := range map[string]struct {
		seen   livekit.EgressStatus
		change []func(*egress.State)
		want   bool
	}{
		"it ended, and the start has not answered": {ended, []func(*egress.State){asked}, true},
		"it ended, and the start has":              {ended, []func(*egress.State){gone}, false},
		"the bound one is well":                    {records, nil, false},
		"… and its start has not answered":         {records, []func(*egress.State){asked}, false},
		"the next part has not begun":              {records, []func(*egress.State){func(s *egress.State) { s.Phase = egress.Requested }}, true},
		"the recorder has left":                    {records, []func(*egress.State){gone}, true},
		"… and LiveKit has forgotten its egress":   {records, []func(*egress.State){gone, func(s *egress.State) { s.Evidence.MissingSince = noon }}, false},
		"… as it was told to":                      {records, []func(*egress.State){gone, func(s *egress.State) { s.Stopped = egress.StopRequested }}, false},
		"… and uploads":                            {records, []func(*egress.State){gone, func(s *egress.State) { s.Latest = infoOf(t, "EG_1", ending) }}, false},
		"… and it is over":                         {records, []func(*egress.State){gone, func(s *egress.State) { s.Phase = egress.Settled }}, false},
	} {
		s := egress.State{Phase: egress.Watching, ID: "EG_1", Started: true, Latest: infoOf(t, "EG_1", records)}
		for _, change := range tc.change {
			change(&s)
		}
		require.Equal(t, tc.want, s.Undecided(other(t, "EG_2", tc.seen)), name)
	}
}
