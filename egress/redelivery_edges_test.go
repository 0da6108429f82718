package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhoAsksAgainSharesNothingWithWhatWasDelivered(t *testing.T) {
	t.Parallel()
	before := toldOnce(t)
	before.Story = append(make([]egress.Beat, 0, 12), before.Story...)
	before.AwaitsWord, before.Stuck, before.AskedFrom = []string{"announce"}, "so", noon
	first, err := before.Again("", noon)
	require.NoError(t, err)
	_, err = before.Again("", noon.Add(time.Hour))
	require.NoError(t, err)

	last := first.Story[len(first.Story)-1]
	require.Equal(t, noon, last.At, "the second one has a story of its own")
	require.Equal(t, "its consumers will be told again", last.What)
	require.Empty(t, first.AwaitsWord)
	require.Empty(t, first.Stuck)
	require.Zero(t, first.AskedFrom)
}

func TestARecordingWithConsumersOfThePipelineAloneCanBeToldAgain(t *testing.T) {
	t.Parallel()
	before := toldOnce(t)
	before.Steps, before.Pipeline.Steps = nil, nil
	s, err := before.Again("announce-crm", noon)
	require.NoError(t, err)
	require.Equal(t, []string{"announce-crm"}, s.Tells())
}

func TestARecordingIsToldAgainIfAConsumerIsToldOfAnEarlierPart(t *testing.T) {
	t.Parallel()
	before := toldOnce(t)
	before.Steps, before.Pipeline.Consumers = nil, []egress.Consumer{{Name: "crm", When: []egress.Status{"EGRESS_FAILED"}}}
	before.Parts = []egress.Part{{Number: 1, EgressID: "EG_0", Status: "EGRESS_FAILED"}}
	for _, step := range []string{"", "announce-crm"} {
		_, err := before.Again(step, noon)
		require.NoError(t, err)
	}
}

func TestALateEndOfTheLastPartTellsNobodyOfTheOthers(t *testing.T) {
	t.Parallel()
	before := gaveUp(t)
	before.Parts = []egress.Part{{Number: 1, EgressID: "EG_0", Status: "EGRESS_FAILED"}}
	story := len(before.Story)
	s, ok := before.Amend(observed(infoAt(t, complete, 20, 0), minute))
	require.True(t, ok)
	require.Empty(t, s.Before())
	require.Len(t, s.Verdict("r-1", egress.Summary{}).Parts, 2, "the steps of the user's own, which run again, get all of them")
	require.Len(t, s.Story, story+1, "its end")
	require.Len(t, before.Parts, 1)
}

func TestALateEndOfAPartRunsNoStepsOfTheUsersOwn(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Pipeline = egress.Pipeline{Consumers: []egress.Consumer{{Name: "crm"}}, Steps: []egress.Step{{Name: "summarize"}}}
	s.Recover, s.Part = 1, 1
	s.GiveUp(egress.FromTimeout, "it is dead", noon)
	s.NextPart()
	part, ok := s.Amend(observed(infoAt(t, complete, 20, 0), minute))
	require.True(t, ok)
	require.Empty(t, part.Pipeline.Steps, "they are run once for the whole recording")
	require.Equal(t, []string{"announce", "announce-crm"}, part.Tells())
	require.Len(t, s.Pipeline.Steps, 1)
}

func TestAPartIsToldAgainWithTheSameHeaders(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*egress.State){
		"that failed": func(s *egress.State) { s.Observe(observed(ofPart(t, "EG_1", failed, 10, 30), minute)) },
		"by a stop": func(s *egress.State) {
			o := observed(ofPart(t, "EG_1", failed, 10, 30), minute)
			o.Source = egress.FromStop
			s.Observe(o)
		},
		"that was lost": func(s *egress.State) { s.GiveUp(egress.FromTimeout, "it is dead", noon) },
		"that LiveKit has forgotten": func(s *egress.State) {
			s.Evidence.MissingSince = noon
			s.GiveUp(egress.FromTimeout, "LiveKit does not know it", noon)
		},
		"whose webhook was missed": func(s *egress.State) {
			o := observed(ofPart(t, "EG_1", failed, 10, 30), minute)
			o.Source = egress.FromPoll
			s.Observe(o)
			s.MissedWhy, s.MissedBecause = egress.MissedDown, "the endpoint was down"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			s.Part, s.Recover = 1, 1
			end(s)
			s.Settle()
			s.NoteMedia(1, egress.MediaReport{Media: egress.MediaTruncated}, noon)
			want := s.Headers("r")
			s.NextPart()
			s.Observe(observed(ofPart(t, "EG_2", complete, 75, 100), 2*minute))

			part := s.Before()[0]
			require.Equal(t, egress.Settled, part.Phase)
			got := part.Headers("r")
			require.Equal(t, want, got)
			require.Equal(t, "truncated", got[egress.HeaderMedia])
		})
	}
}

// A correction with the same status as what it corrects has an event ID of its own.
func TestACorrectedPartIsToldAgainUnderTheIDOfItsCorrection(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Part, s.Recover = 1, 1
	s.Observe(observed(ofPart(t, "EG_1", failed, 10, 30), minute))
	s.Settle()
	s.NextPart()
	s.Observe(observed(ofPart(t, "EG_2", complete, 75, 100), 2*minute))
	o := observed(ofPart(t, "EG_1", failed, 10, 60), 3*minute)
	o.Source = egress.FromReconcile
	corrected, ok := s.CorrectPart(o)
	require.True(t, ok)
	want, err := corrected.Announcement()
	require.NoError(t, err)
	part := s.Before()[0]
	got, err := part.Announcement()
	require.NoError(t, err)
	require.Equal(t, want.Proto().GetId(), got.Proto().GetId())
	require.Equal(t, corrected.Headers("r"), part.Headers("r"))
}

// The webhook of a part's end is awaited while the next part records.
func TestThatThePartsWebhookWasMissedIsKnownLater(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Part, s.Recover = 1, 1
	o := observed(ofPart(t, "EG_1", failed, 10, 30), minute)
	o.Source = egress.FromStop
	s.Observe(o)
	s.Settle()
	part := *s
	s.NextPart()
	part.WebhookMissed()
	require.NotEqual(t, part.MissedBecause, s.Parts[0].MissedBecause)
	s.HeardOf(part)
	require.Equal(t, part.MissedBecause, s.Parts[0].MissedBecause)
	before := s.Before()[0]
	require.Equal(t, part.Headers("r"), before.Headers("r"))
}
