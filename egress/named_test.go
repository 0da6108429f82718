package egress_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// as is EG_1 at a second of LiveKit's clock, in its nth run, with this name of its playlist.
func as(tb testing.TB, name string, status livekit.EgressStatus, second int64, run int32) egress.Observation {
	tb.Helper()
	return observed(infoWith(tb, status, func(m *livekit.EgressInfo) {
		if m.UpdatedAt, m.RetryCount = second, run; status >= complete {
			m.EndedAt = second
		}
		m.SegmentResults = []*livekit.SegmentsInfo{{PlaylistName: name}}
	}), minute)
}

func nameIn(i egress.Info) string {
	return i.Proto().GetSegmentResults()[0].GetPlaylistName()
}

// As recorded in tc-kill-handler: the end has the name of the start, a second before that in use.
func TestTheMediaIsLookedForUnderTheNamesThatItsRecorderGave(t *testing.T) {
	t.Parallel()
	type heard []egress.Observation
	for name, tc := range map[string]struct {
		heard heard
		want  string
	}{
		"its recorder was killed":                {heard{as(t, "43", starting, 5, 0), as(t, "44", active, 10, 0), as(t, "43", failed, 20, 0)}, "44"},
		"… while it uploaded":                    {heard{as(t, "44", active, 10, 0), as(t, "44", ending, 15, 0), as(t, "43", failed, 20, 0)}, "44"},
		"… and only the upload was heard of":     {heard{as(t, "43", starting, 5, 0), as(t, "44", ending, 15, 0), as(t, "43", aborted, 20, 0)}, "44"},
		"… and the end has a new date":           {heard{as(t, "44", active, 10, 0), as(t, "43", failed, 20, 0), as(t, "43", failed, 21, 0)}, "44"},
		"… in the second run, not the first":     {heard{as(t, "44", active, 10, 0), as(t, "43", failed, 20, 0), as(t, "50", active, 30, 1), as(t, "43", failed, 40, 1)}, "50"},
		"… in a second run that was not seen":    {heard{as(t, "44", active, 10, 0), as(t, "43", failed, 20, 1)}, "43"},
		"… and runs again":                       {heard{as(t, "44", active, 10, 0), as(t, "43", failed, 20, 0), as(t, "50", active, 30, 1)}, "50"},
		"nobody heard that it recorded":          {heard{as(t, "43", starting, 5, 0), as(t, "42", failed, 20, 0)}, "42"},
		"nobody heard of it before it had ended": {heard{as(t, "43", failed, 20, 0)}, "43"},
		"its recorder saw to the end":            {heard{as(t, "44", active, 10, 0), as(t, "45", complete, 20, 0)}, "45"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &egress.State{Phase: egress.Requested, Started: true, Terms: egress.Terms{Policy: egress.DefaultPolicy()}}
			for _, o := range tc.heard {
				require.Equal(t, egress.Moved, s.Observe(o))
			}
			require.Equal(t, tc.want, nameIn(s.MediaInfo()))
			require.Equal(t, nameIn(tc.heard[len(tc.heard)-1].Info), nameIn(s.Latest), "what LiveKit says stays as it is")
		})
	}
}

func TestAnEndWithTheSameNamesLeavesNothingToKeep(t *testing.T) {
	t.Parallel()
	s := recording(t)
	require.Equal(t, egress.Moved, s.Observe(as(t, "44", ending, 15, 0)))
	require.Equal(t, egress.Moved, s.Observe(as(t, "44", failed, 20, 0)))
	require.False(t, s.Named.Known())
	require.EqualValues(t, 20, s.MediaInfo().Proto().GetEndedAt())
}

func TestALivePlaylistHasNamesToKeepToo(t *testing.T) {
	t.Parallel()
	live := func(name string, status livekit.EgressStatus) egress.Observation {
		return observed(infoWith(t, status, func(m *livekit.EgressInfo) {
			m.SegmentResults = []*livekit.SegmentsInfo{{PlaylistName: "a", LivePlaylistName: name}}
		}), minute)
	}
	s := &egress.State{Phase: egress.Requested, Started: true}
	s.Observe(live("live-44", active))
	s.Observe(live("live-43", failed))
	require.Equal(t, "live-44", s.MediaInfo().Proto().GetSegmentResults()[0].GetLivePlaylistName())
}

func TestTheNamesInUseSurviveALoss(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Observe(as(t, "44", ending, 15, 0))
	s.GiveUp(egress.FromTimeout, "it is dead", noon)
	s.Phase = egress.Delivered
	require.Equal(t, "44", nameIn(s.MediaInfo()))

	require.Equal(t, egress.Moved, s.Observe(as(t, "43", failed, 30, 0)))
	require.Equal(t, "44", nameIn(s.MediaInfo()))
}

func TestTheNamesInUseSurviveTheJourneyIntoTheNextRun(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Observe(as(t, "44", ending, 15, 0))
	s.Observe(as(t, "43", failed, 20, 0))
	require.Equal(t, egress.Held, s.Phase, "the next run may begin before it is settled")
	b, err := json.Marshal(s)
	require.NoError(t, err)
	require.Contains(t, string(b), `"named":`, "the next run may be of another version")
	var next egress.State
	require.NoError(t, json.Unmarshal(b, &next))
	require.Equal(t, "44", nameIn(next.MediaInfo()))

	before, err := json.Marshal(recording(t))
	require.NoError(t, err)
	require.NotContains(t, string(before), `"named"`, "older versions can read what has none")
}

func TestALostPartThatHadFailedIsLookedForUnderTheNamesInUse(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	s.Parts[0].Status, s.Parts[0].Info = egress.Lost, as(t, "44", active, 10, 0).Info

	part, ok := s.CorrectPart(as(t, "43", failed, 20, 0))

	require.True(t, ok)
	require.Equal(t, "44", nameIn(part.MediaInfo()))
	s.TakeCorrection(part)
	require.Equal(t, "44", nameIn(s.MediaInfo()))
}
