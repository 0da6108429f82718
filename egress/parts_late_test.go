package egress_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// heardOf returns a part whose end was asked for before its webhook came.
func heardOf(id string) egress.State {
	return egress.State{
		ID: id, Outcome: egress.Outcome{
			EndedBy: egress.FromPoll, Event: json.RawMessage(`{"id":"EV_1"}`), MissedWhy: egress.MissedLate, MissedBecause: "it came after 40 s",
		},
	}
}

func TestWhatCameOfTheWebhookOfAPartIsToldOfThatPart(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	before := s.Parts

	s.HeardOf(heardOf("EG_1"))

	got := s.Parts[0]
	require.Equal(t, []any{"EV_1", egress.MissedLate, "it came after 40 s"}, []any{got.EventID, got.Missed, got.MissedBecause})
	require.Empty(t, before[0].EventID, "who holds the parts of before sees no change")
	require.Empty(t, s.MissedWhy, "of another part nothing has become known")

	s.HeardOf(heardOf("EG_2"))

	require.JSONEq(t, `{"id":"EV_1"}`, string(s.Event))
	require.Equal(t, []any{egress.MissedLate, "it came after 40 s"}, []any{s.MissedWhy, s.MissedBecause})

	s = secondPart(t)
	parts := s.Parts
	s.HeardOf(heardOf("EG_9"))
	require.Equal(t, parts, s.Parts)
	require.Empty(t, s.Event)
}

func TestWhatCameOfTheWebhookOfARunIsNotToldOfALaterOne(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"EG_1", "EG_2"} {
		s := secondPart(t)
		s.Latest.Proto().RetryCount, s.Parts[0].Info.Proto().RetryCount = 1, 1
		parts := slices.Clone(s.Parts)

		s.HeardOf(heardOf(id))

		require.Equal(t, parts, s.Parts, id)
		require.Empty(t, s.Event, id)
		require.Empty(t, s.MissedWhy, id)
	}
}

func TestACorrectionOfTheLastPartIsWhatTheRecordingEndedAs(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	s.GiveUp(egress.FromTimeout, "it is dead", noon)
	s.Settle()

	s.TakeCorrection(egress.State{
		Latest: ofPart(t, "EG_2", complete, 75, 100), NewsAt: noon.Add(time.Hour), NewsBy: egress.FromReconcile, Corrects: egress.Lost,
		Outcome: egress.Outcome{EndedBy: egress.FromReconcile, Event: json.RawMessage(`{"id":"EV_2"}`), Status: "EGRESS_COMPLETE", MissedWhy: egress.MissedDown, MissedBecause: "away"},
	})

	v := s.Verdict("r", egress.Summary{})
	require.Equal(t, []any{egress.Status("EGRESS_COMPLETE"), egress.Lost, egress.FromReconcile}, []any{v.Status, v.Corrects, v.EndedBy})
	last := v.Parts[1]
	require.Equal(t, []any{"EV_2", noon.Add(time.Hour), "why"}, []any{last.EventID, last.HeardAt, last.Because}, "and no longer why it was lost")
	require.EqualValues(t, 100, s.Latest.Proto().GetEndedAt())
	require.Equal(t, egress.FromReconcile, s.NewsBy)
	require.Equal(t, []any{egress.MissedDown, "away"}, []any{v.Missed, v.MissedBecause})
}

func TestWhatAPartWasToldAsIsKeptOnceThroughEachCorrection(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	s.Parts[0].Status = egress.Lost
	s.CorrectPart(observed(ofPart(t, "EG_1", failed, 10, 60), 3*minute))
	var told [][]egress.Status
	for run := range int32(3) {
		end := ofPart(t, "EG_1", failed, 10, 70).Proto()
		end.RetryCount = run + 1
		i, err := egress.NewInfo(end)
		require.NoError(t, err)
		past, ok := s.CorrectPart(observed(i, 4*minute))
		require.True(t, ok)
		require.Equal(t, past.ToldAs, s.Parts[0].ToldAs)
		require.Equal(t, past.ToldAs, s.Before()[0].ToldAs)
		s.TakeCorrection(past)
		require.Equal(t, past.ToldAs, s.ToldAs)
		told = append(told, past.ToldAs)
	}
	require.Equal(t, [][]egress.Status{{egress.Lost}, {egress.Lost, "EGRESS_FAILED"}, {egress.Lost, "EGRESS_FAILED"}}, told)
}

func TestAnEndOfALostPartThatHasNoTimeCorrectsItToo(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	s.Parts[0].Status = egress.Lost
	_, ok := s.CorrectPart(observed(ofPart(t, "EG_1", failed, 10, 0), 3*minute))
	require.True(t, ok)
}

func TestAPartKeepsWhyItsWebhookWasMissedAndHowOftenItWasStarted(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	s.Restarts = 1
	s.GiveUp(egress.FromTimeout, "it is dead", noon)

	s.NextPart()

	require.Equal(t, 1, s.Restarts)
	require.Equal(t, egress.MissedUntried, s.Parts[1].Missed)
	require.Contains(t, s.Parts[1].MissedBecause, "never called it ended")
}
