package egress_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhatIsOfTheRecordingAndNotOfItsPartGoesOnInTheNext(t *testing.T) {
	t.Parallel()
	s := heldAt(t)
	s.Settle()
	s.Part, s.Recover, s.MissedOnly, s.MaxDuration = 1, 2, true, egress.Duration(time.Hour)
	s.Done, s.Skipped, s.Twins = []string{"webhook-1"}, []string{"webhook-2"}, []string{"EG_7"}
	s.AwaitsWord, s.Stuck, s.Noticed = []string{"webhook-3"}, "it failed for good", []string{"stuck"}
	s.LookedAt, s.EndExpected, s.Evidence.RecorderGone, s.WebhookSeen = noon, noon, noon, true
	require.NotEmpty(t, s.Story)
	want := egress.State{
		Terms: s.Terms, Phase: egress.Requested, Part: 2, MaxDuration: s.MaxDuration, BoundAt: noon,
		Shared: egress.Shared{
			Done: s.Done, Skipped: s.Skipped, Twins: s.Twins,
			Story: s.Story, AwaitsWord: s.AwaitsWord, Stuck: s.Stuck, Noticed: s.Noticed,
		},
	}

	s.NextPart()

	require.Len(t, s.Parts, 1)
	want.Parts = s.Parts
	require.Equal(t, want, *s)
}

func TestANextPartMayRecordThatTheStateDoesNotKnow(t *testing.T) {
	t.Parallel()
	const limited = egress.Status("EGRESS_LIMIT_REACHED")
	for name, tc := range map[string]struct {
		phase  egress.Phase
		status egress.Status
		change func(*egress.State)
		want   bool
	}{
		"while it records":                         {egress.Watching, "", func(*egress.State) {}, true},
		"no restart is left":                       {egress.Watching, "", func(s *egress.State) { s.Restarts = 1 }, false},
		"it is to stop":                            {egress.Watching, "", func(s *egress.State) { s.Stopped = egress.StopRequested }, false},
		"it was lost, had no next part, and lives": {egress.Watching, "", func(s *egress.State) { s.LastPart = true }, false},
		"it is complete":                           {egress.Settled, "EGRESS_COMPLETE", func(*egress.State) {}, false},
		"it is to be followed":                     {egress.Settled, limited, func(*egress.State) {}, true},
		"its next part did not begin":              {egress.Settled, limited, func(s *egress.State) { s.LastPart = true }, true},
		"… and that is told":                       {egress.Delivered, limited, func(s *egress.State) { s.LastPart = true }, true},
		"… and it failed":                          {egress.Settled, "EGRESS_FAILED", func(s *egress.State) { s.LastPart = true }, false},
		"… since a stop was asked for":             {egress.Settled, limited, func(s *egress.State) { s.LastPart, s.Stopped = true, egress.StopRequested }, false},
		"… since it has recorded for long enough":  {egress.Settled, limited, func(s *egress.State) { s.LastPart, s.MaxDuration = true, egress.Duration(minute) }, false},
	} {
		s := egress.State{Phase: tc.phase, ID: "EG_1", BoundAt: noon, Terms: egress.Terms{Recover: 1}, Outcome: egress.Outcome{Status: tc.status}, Latest: ofPart(t, "EG_1", active, 0, 0)}
		tc.change(&s)
		require.Equal(t, tc.want, s.MayHaveNext(noon.Add(minute)), name)
	}
}

func TestPartsThatOverlapHaveNoGap(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	s.Observe(observed(ofPart(t, "EG_2", complete, 29, 100), 3*minute))
	require.Zero(t, s.Verdict("r", egress.Summary{}).Parts[1].Gap)
}

// threeParts returns a recording whose first part failed, whose second was lost, and whose third
// has ended.
func threeParts(tb testing.TB) *egress.State {
	tb.Helper()
	s := secondPart(tb)
	s.Recover = 2
	s.GiveUp(egress.FromTimeout, "dead", noon.Add(3*minute))
	s.NextPart()
	s.Observe(observed(ofPart(tb, "EG_3", complete, 200, 300), 4*minute))
	return s
}

// Another part has ended since.
func TestTheGapAfterACorrectedPartBeginsWithItsRealEnd(t *testing.T) {
	t.Parallel()
	gaps := func(s *egress.State) (all []egress.Duration) {
		for _, p := range s.Verdict("r", egress.Summary{}).Parts {
			all = append(all, p.Gap)
		}
		return all
	}
	s := threeParts(t)
	s.Observe(observed(ofPart(t, "EG_3", active, 200, 210), 4*minute))
	require.Equal(t, []egress.Duration{0, 45, 120}, gaps(s))

	_, ok := s.CorrectPart(observed(ofPart(t, "EG_1", complete, 10, 60), 5*minute))

	require.True(t, ok)
	require.Equal(t, []egress.Duration{0, 15, 120}, gaps(s))
}

func TestACorrectedPartKeepsItsPlaceAndTellsItsEndAsHeard(t *testing.T) {
	t.Parallel()
	s := threeParts(t)
	before := s.Parts
	o := observed(ofPart(t, "EG_2", complete, 77, 120), 5*minute)
	o.Event = json.RawMessage(`{"event":"egress_ended"}`)

	past, ok := s.CorrectPart(o)

	require.True(t, ok)
	require.Equal(t, egress.State{
		Terms: s.Terms, Phase: egress.Settled, Started: true, Part: 2, ID: "EG_2", Latest: o.Info, NewsAt: noon.Add(5 * minute), NewsBy: egress.FromWebhook,
		Outcome: egress.Outcome{EndedBy: egress.FromWebhook, Event: o.Event, Status: "EGRESS_COMPLETE"}, Corrects: egress.Lost,
	}, past)
	at := func(n int64) time.Time { return time.Unix(0, n).UTC() }
	require.Equal(t, egress.Part{
		Number: 2, EgressID: "EG_2", Status: "EGRESS_COMPLETE", EndedBy: egress.FromWebhook, Because: "why",
		StartedAt: at(75), EndedAt: at(120), HeardAt: noon.Add(5 * minute), Info: o.Info, Corrects: egress.Lost, Storage: "main",
	}, s.Parts[1], "it began when it did")
	require.Equal(t, before[0], s.Parts[0])
	require.Equal(t, egress.Lost, before[1].Status, "who holds the parts of before sees no change")
}

func TestEveryPathOfARequestIsOfThePart(t *testing.T) {
	t.Parallel()
	r := &livekit.RoomCompositeEgressRequest{
		RoomName: "daily", Layout: "grid",
		FileOutputs: []*livekit.EncodedFileOutput{
			{Filepath: "a.mp4", Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Bucket: "b", Metadata: map[string]string{"filepath": "x.mp4"}}}},
			{Filepath: "b.mp4"},
		},
		SegmentOutputs: []*livekit.SegmentedFileOutput{{FilenamePrefix: "s", PlaylistName: "s.m3u8", LivePlaylistName: "live.m3u8"}},
		ImageOutputs:   []*livekit.ImageOutput{{CaptureInterval: 5, FilenamePrefix: "i"}},
	}
	want := proto.Clone(r).(*livekit.RoomCompositeEgressRequest)
	want.FileOutputs[0].Filepath, want.FileOutputs[1].Filepath = "a-part2.mp4", "b-part2.mp4"
	want.SegmentOutputs[0].FilenamePrefix, want.ImageOutputs[0].FilenamePrefix = "s-part2", "i-part2"
	want.SegmentOutputs[0].PlaylistName, want.SegmentOutputs[0].LivePlaylistName = "s-part2.m3u8", "live-part2.m3u8"

	got := egress.ForPart(r, 2)

	require.True(t, proto.Equal(want, got), got)
}

func TestTheNumberOfAPartIsKnownByItsEgress(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	for id, want := range map[string]int{"EG_1": 1, "EG_2": 2, "EG_9": 0} {
		require.Equal(t, want, s.NumberOf(id), id)
	}
}
