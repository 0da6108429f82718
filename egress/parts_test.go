package egress_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhatIsStartedAgain(t *testing.T) {
	t.Parallel()
	failure := func(s *egress.State) { s.Observe(observed(infoAt(t, failed, 20, 0), minute)); s.Settle() }
	lost := func(s *egress.State) { s.GiveUp(egress.FromTimeout, "why", noon) }
	nothing := func(*egress.State) {}
	ended := func(status livekit.EgressStatus, change func(*livekit.EgressInfo)) func(*egress.State) {
		return func(s *egress.State) { s.Observe(observed(infoWith(t, status, change), minute)); s.Settle() }
	}
	limited, asItIs := livekit.EgressStatus_EGRESS_LIMIT_REACHED, func(*livekit.EgressInfo) {}
	apiStop := func(m *livekit.EgressInfo) { m.SetEndReason(livekit.EndReasonAPI) }
	byAPI := func(end int64) egress.Observation {
		return observed(infoWith(t, aborted, func(m *livekit.EgressInfo) { m.SetEndReason(livekit.EndReasonAPI); m.EndedAt = end }), minute)
	}
	track := func(m *livekit.EgressInfo) {
		m.Request = &livekit.EgressInfo_Track{Track: &livekit.TrackEgressRequest{}}
	}
	tracks := func(m *livekit.EgressInfo) {
		m.Request = &livekit.EgressInfo_TrackComposite{TrackComposite: &livekit.TrackCompositeEgressRequest{}}
	}
	participant := func(m *livekit.EgressInfo) {
		m.Request = &livekit.EgressInfo_Participant{Participant: &livekit.ParticipantEgressRequest{}}
	}
	media := func(media *livekit.MediaSource) func(*livekit.EgressInfo) {
		return func(m *livekit.EgressInfo) {
			m.Request = &livekit.EgressInfo_Egress{Egress: &livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Media{Media: media}}}
		}
	}
	notFound := func(request func(*livekit.EgressInfo)) func(*livekit.EgressInfo) {
		return func(m *livekit.EgressInfo) { m.ErrorCode = http.StatusNotFound; request(m) }
	}
	for name, tc := range map[string]struct {
		end, change func(*egress.State)
		want        bool
	}{
		"failed in a live room":        {failure, nothing, true},
		"lost in a live room":          {lost, nothing, true},
		"complete":                     {func(s *egress.State) { s.Observe(observed(infoAt(t, complete, 20, 0), minute)) }, nothing, false},
		"at its limit in a live room":  {ended(limited, asItIs), nothing, true},
		"at its limit, its room gone":  {ended(limited, asItIs), func(s *egress.State) { s.Evidence.RoomGone = noon }, false},
		"at its limit, and stopped":    {ended(limited, asItIs), func(s *egress.State) { s.Stopped = egress.StopMaxDuration }, false},
		"at its limit, of a page":      {ended(limited, asItIs), func(s *egress.State) { s.Latest = pageInRoom(t) }, false},
		"failed, its room gone":        {failure, func(s *egress.State) { s.Evidence.RoomGone = noon }, false},
		"lost, its room gone":          {lost, func(s *egress.State) { s.Evidence.RoomGone = noon }, false},
		"lost, and stopped":            {lost, func(s *egress.State) { s.Stopped = egress.StopMaxDuration }, false},
		"failed, and stopped past us":  {ended(failed, apiStop), nothing, false},
		"aborted, and stopped past us": {ended(aborted, apiStop), nothing, false},
		"failed, of itself":            {ended(failed, func(m *livekit.EgressInfo) { m.SetEndReason(livekit.EndReasonFailure) }), nothing, true},
		"lost, and stopped past us":    {func(s *egress.State) { s.Observe(observed(infoWith(t, ending, apiStop), minute)); lost(s) }, nothing, false},
		"lost, and stopped by our probe": {func(s *egress.State) {
			s.Observe(observed(infoWith(t, ending, apiStop), minute))
			s.Evidence.Probed = noon
			lost(s)
		}, nothing, true},
		"stopped by our probe, dated anew": {func(s *egress.State) {
			s.Evidence.Probed = noon
			s.Observe(byAPI(30))
			s.Observe(byAPI(31))
			s.Settle()
		}, nothing, true},
		"its longest duration is over":  {failure, func(s *egress.State) { s.MaxDuration = egress.Duration(minute) }, false},
		"… and is not":                  {failure, func(s *egress.State) { s.MaxDuration = egress.Duration(minute + 1) }, true},
		"no such track":                 {ended(failed, notFound(track)), nothing, false},
		"no such tracks":                {ended(failed, notFound(tracks)), nothing, false},
		"no such track, by StartEgress": {ended(failed, notFound(media(&livekit.MediaSource{Video: &livekit.MediaSource_VideoTrackId{VideoTrackId: "TR_1"}}))), nothing, false},
		"no such sound, by StartEgress": {ended(failed, notFound(media(&livekit.MediaSource{Audio: &livekit.AudioConfig{Routes: []*livekit.AudioRoute{
			{Match: &livekit.AudioRoute_TrackId{TrackId: "TR_1"}},
		}}}))), nothing, false},
		"no such participant beside a track, by StartEgress": {ended(failed, notFound(media(&livekit.MediaSource{
			Video: &livekit.MediaSource_ParticipantVideo{ParticipantVideo: &livekit.ParticipantVideo{Identity: "ana"}},
			Audio: &livekit.AudioConfig{Routes: []*livekit.AudioRoute{{Match: &livekit.AudioRoute_TrackId{TrackId: "TR_1"}}}},
		}))), nothing, true},
		"no such participant, by StartEgress": {ended(failed, notFound(media(&livekit.MediaSource{Video: &livekit.MediaSource_ParticipantVideo{
			ParticipantVideo: &livekit.ParticipantVideo{Identity: "ana"},
		}}))), nothing, true},
		"a track whose upload fails":         {ended(failed, track), nothing, true},
		"no such participant":                {ended(failed, notFound(participant)), nothing, true},
		"held yet":                           {failure, func(s *egress.State) { s.Phase = egress.Held }, false},
		"the last part":                      {failure, func(s *egress.State) { s.Restarts = 1 }, true},
		"one more":                           {failure, func(s *egress.State) { s.Restarts = 2 }, false},
		"after parts of others":              {failure, func(s *egress.State) { s.Part = 3 }, true},
		"whose next part was refused":        {failure, func(s *egress.State) { s.LastPart = true }, false},
		"where nothing is recovered":         {failure, func(s *egress.State) { s.Recover = 0 }, false},
		"a page, whose request names a room": {lost, func(s *egress.State) { s.Latest = pageInRoom(t) }, false},
		"a web egress":                       {lost, func(s *egress.State) { s.Latest = infoOf(t, "EG_1", active); s.Latest = egress.Info{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			s.Part, s.Recover = 1, 2
			tc.end(s)
			tc.change(s)
			require.Equal(t, tc.want, s.Recoverable(noon.Add(minute)))
		})
	}
}

func TestWhatEndedUnaskedIsToldFromWhatSomebodyWanted(t *testing.T) {
	t.Parallel()
	end := func(status livekit.EgressStatus, reason string) func(*egress.State) {
		return func(s *egress.State) {
			s.Observe(observed(infoWith(t, status, func(m *livekit.EgressInfo) { m.SetEndReason(reason) }), minute))
			s.Settle()
		}
	}
	probe := func(s *egress.State, why egress.Reason) { s.Evidence.NoteProbe(egress.Info{}, why, noon) }
	for name, tc := range map[string]struct {
		end  func(*egress.State)
		want bool
	}{
		"it ended":           {end(complete, livekit.EndReasonSrcClosed), true},
		"it failed":          {end(failed, livekit.EndReasonFailure), true},
		"it was told":        {func(s *egress.State) { end(complete, livekit.EndReasonSrcClosed)(s); s.Phase = egress.Delivered }, true},
		"it is held":         {func(s *egress.State) { end(failed, livekit.EndReasonFailure)(s); s.Phase = egress.Held }, false},
		"it records":         {func(*egress.State) {}, false},
		"it was stopped":     {func(s *egress.State) { s.WantStop(egress.StopRequested, noon); end(complete, livekit.EndReasonAPI)(s) }, false},
		"… past us":          {end(complete, livekit.EndReasonAPI), false},
		"… by a probe of us": {func(s *egress.State) { probe(s, egress.Ambiguous); end(complete, livekit.EndReasonAPI)(s) }, true},
		"… and ours did not reach it": {func(s *egress.State) {
			probe(s, egress.Ambiguous)
			s.Looked(egress.Look{Info: s.Latest, RecorderHere: true}, noon)
			end(complete, livekit.EndReasonAPI)(s)
		}, false},
		"… of ours, whose recorder is still listed": {func(s *egress.State) {
			probe(s, egress.Ambiguous)
			s.Observe(observed(infoWith(t, aborted, func(m *livekit.EgressInfo) { m.SetEndReason(livekit.EndReasonAPI) }), minute))
			s.Looked(egress.Look{Info: s.Latest, RecorderHere: true}, noon)
			s.Settle()
		}, true},
		"… and we had asked": {func(s *egress.State) { probe(s, egress.Unavailable); end(complete, livekit.EndReasonAPI)(s) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			tc.end(s)
			require.Equal(t, tc.want, s.Unasked())
		})
	}
}

func TestTheEndOfWhatWasStoppedPastUsIsNotHeld(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Observe(observed(infoWith(t, aborted, func(m *livekit.EgressInfo) { m.SetEndReason(livekit.EndReasonAPI) }), minute))
	require.Equal(t, egress.Settled, s.Phase, "whoever told LiveKit to stop it wants no second run")
}

// ofPart returns an egress with times in nanoseconds of LiveKit's clock.
func ofPart(tb testing.TB, id string, status livekit.EgressStatus, started, updated int64) egress.Info {
	tb.Helper()
	m := &livekit.EgressInfo{EgressId: id, RoomId: "RM_1", Status: status, StartedAt: started, UpdatedAt: updated, Error: "why"}
	if status >= complete {
		m.EndedAt = updated
	}
	i, err := egress.NewInfo(m)
	require.NoError(tb, err)
	return i
}

// secondPart returns a recording whose first part failed, and whose second is recording.
func secondPart(tb testing.TB) *egress.State {
	tb.Helper()
	s := &egress.State{Phase: egress.Requested, Part: 1, Started: true, Terms: egress.Terms{Policy: egress.DefaultPolicy(), Recover: 1, Storage: "main"}}
	s.Observe(observed(ofPart(tb, "EG_1", active, 10, 20), 0))
	s.Observe(observed(ofPart(tb, "EG_1", failed, 10, 30), minute))
	s.Settle()
	require.True(tb, s.Recoverable(noon.Add(minute)))
	s.NextPart()
	require.Equal(tb, egress.Requested, s.Phase)
	require.Empty(tb, s.ID)
	require.False(tb, s.Started)
	require.Equal(tb, egress.Moved, s.Observe(observed(ofPart(tb, "EG_2", active, 75, 80), 2*minute)))
	s.Started = true
	return s
}

func TestAVerdictListsAllPartsAndTheGapsBetweenThem(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	require.Equal(t, noon, s.BoundAt, "the recording began with its first part")
	s.Observe(observed(ofPart(t, "EG_2", complete, 75, 100), 3*minute))
	v := s.Verdict("r", egress.Summary{})
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, "EG_2", v.EgressID)
	require.Len(t, v.Parts, 2)
	at := func(n int64) time.Time { return time.Unix(0, n).UTC() }
	for i, want := range []egress.Part{
		{Number: 1, EgressID: "EG_1", Status: "EGRESS_FAILED", EndedBy: egress.FromWebhook, Because: "why", Storage: "main", StartedAt: at(10), EndedAt: at(30), HeardAt: noon.Add(minute)},
		{Number: 2, EgressID: "EG_2", Status: "EGRESS_COMPLETE", EndedBy: egress.FromWebhook, Because: "why", Storage: "main", StartedAt: at(75), EndedAt: at(100), HeardAt: noon.Add(3 * minute), Gap: 45},
	} {
		got := v.Parts[i]
		require.True(t, got.Info.Known())
		got.Info = egress.Info{}
		require.Equal(t, want, got)
	}
	require.Empty(t, recording(t).Verdict("r", egress.Summary{}).Parts, "one part alone is no list")
}

func TestALostPartEndsWithItsLastSignOfLife(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Recover, s.Part = 1, 1
	s.GiveUp(egress.FromTimeout, "it is dead", noon.Add(minute))
	s.NextPart()
	require.Equal(t, time.Unix(0, 10).UTC(), s.Parts[0].EndedAt)
	require.Equal(t, egress.Lost, s.Parts[0].Status)
	require.Equal(t, "it is dead", s.Parts[0].Because)
}

func TestNewsOfAnEarlierPartIsNeverFoldedIn(t *testing.T) {
	t.Parallel()
	for name, i := range map[string]egress.Info{
		"late": ofPart(t, "EG_1", active, 10, 20), "its end, repeated": ofPart(t, "EG_1", failed, 10, 30), "another end": ofPart(t, "EG_1", complete, 10, 99),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := secondPart(t)
			require.Equal(t, egress.Past, s.Observe(observed(i, 3*minute)))
			require.Equal(t, "EG_2", s.ID)
			s.Recover = 2
			s.GiveUp(egress.FromTimeout, "x", noon)
			s.NextPart()
			require.Equal(t, egress.Past, s.Observe(observed(i, 3*minute)), "before the next part has an ID, too")
			require.Empty(t, s.ID)
		})
	}
}

func TestTheEndOfALostPartCorrectsIt(t *testing.T) {
	t.Parallel()
	lost := func() *egress.State {
		s := secondPart(t)
		s.Parts[0].Status, s.Parts[0].Because = egress.Lost, "dead"
		return s
	}
	s := lost()
	require.Equal(t, "main", s.Parts[0].Storage)
	s.Storage = "archive" // the workers' default profile has changed since
	past, ok := s.CorrectPart(observed(ofPart(t, "EG_1", complete, 10, 60), 3*minute))
	require.True(t, ok)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), past.Status)
	require.Equal(t, egress.Lost, past.Corrects)
	require.Equal(t, 1, past.Part)
	require.Equal(t, "main", past.Storage, "where its media is")
	require.Equal(t, "main", s.Parts[0].Storage, "and what corrects it again, too")
	e, err := past.Announcement()
	require.NoError(t, err)
	require.Equal(t, "EG_1", e.Proto().GetEgressInfo().GetEgressId())
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), s.Parts[0].Status)
	require.Equal(t, time.Unix(0, 60).UTC(), s.Parts[0].EndedAt)
	for name, o := range map[string]egress.Observation{
		"it records still":   observed(ofPart(t, "EG_1", active, 10, 60), 0),
		"another's":          observed(ofPart(t, "EG_9", complete, 10, 60), 0),
		"that of this part":  observed(ofPart(t, "EG_2", complete, 10, 60), 0),
		"what failed before": {},
	} {
		_, ok := lost().CorrectPart(o)
		require.False(t, ok, name)
	}
}

// LiveKit reruns a failed egress beside the next part of the recording.
func TestASecondRunOfAFailedPartCorrectsItByItsEnd(t *testing.T) {
	t.Parallel()
	failedAt := secondPart(t).Parts[0].Info.Proto().GetEndedAt()
	again, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", Status: failed, RetryCount: 1, EndedAt: failedAt})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		end  egress.Info
		want bool
	}{
		"another end":            {ofPart(t, "EG_1", complete, 10, failedAt+1), true},
		"it failed again":        {ofPart(t, "EG_1", failed, 10, failedAt+1), true},
		"another run, same time": {again, true},
		"the same end":           {ofPart(t, "EG_1", failed, 10, failedAt), false},
		"an earlier one":         {ofPart(t, "EG_1", aborted, 10, failedAt-1), false},
	} {
		s := secondPart(t)
		past, ok := s.CorrectPart(observed(tc.end, 3*minute))
		require.Equal(t, tc.want, ok, name)
		if ok {
			require.Equal(t, egress.Status("EGRESS_FAILED"), past.Corrects, name)
		}
	}
	stopped := secondPart(t)
	stopped.Parts[0].EndedBy, stopped.Parts[0].Info = egress.FromStop, ofPart(t, "EG_1", aborted, 10, failedAt)
	_, ok := stopped.CorrectPart(observed(ofPart(t, "EG_1", aborted, 10, failedAt+1), 3*minute))
	require.False(t, ok, "its event dates the end later than the answer to our stop did")
	_, ok = stopped.CorrectPart(observed(ofPart(t, "EG_1", complete, 10, failedAt+1), 3*minute))
	require.True(t, ok, "it came to something after all")
	s := secondPart(t)
	s.Parts[0].Info = ofPart(t, "EG_1", complete, 10, failedAt)
	_, ok = s.CorrectPart(observed(ofPart(t, "EG_1", complete, 10, failedAt+1), 3*minute))
	require.False(t, ok, "a good end is the end")
}

func TestAnEarlierPartThatRecordsStillDoesSoBesideItsSuccessor(t *testing.T) {
	t.Parallel()
	s := secondPart(t)
	require.True(t, s.Beside(observed(ofPart(t, "EG_1", active, 10, 31), 0)))
	require.False(t, s.Beside(observed(ofPart(t, "EG_1", active, 10, 30), 0)), "late")
	require.False(t, s.Beside(observed(ofPart(t, "EG_1", complete, 10, 31), 0)), "over")
	require.False(t, s.Beside(observed(ofPart(t, "EG_9", active, 10, 31), 0)), "another's")
}

func TestThePathsOfAPart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path string
		part int
		want string
	}{
		{"a/{room_name}-{time}.mp4", 1, "a/{room_name}-{time}.mp4"},
		{"a/{room_name}-{time}.mp4", 2, "a/{room_name}-{time}-part2.mp4"},
		{"a/{part}/x.mp4", 1, "a/1/x.mp4"},
		{"a/{part}/x.mp4", 12, "a/12/x.mp4"},
		{"no-extension", 2, "no-extension-part2"},
		{"a.b/c", 2, "a.b/c-part2"},
		{"directory/", 2, "directory/"},
		{"", 2, ""},
	} {
		for _, r := range []egress.Request{
			&livekit.RoomCompositeEgressRequest{FileOutputs: []*livekit.EncodedFileOutput{{Filepath: tc.path}}},
			&livekit.RoomCompositeEgressRequest{Output: &livekit.RoomCompositeEgressRequest_File{File: &livekit.EncodedFileOutput{Filepath: tc.path}}},
			&livekit.TrackEgressRequest{Output: &livekit.TrackEgressRequest_File{File: &livekit.DirectFileOutput{Filepath: tc.path}}},
			&livekit.WebEgressRequest{SegmentOutputs: []*livekit.SegmentedFileOutput{{FilenamePrefix: tc.path}}},
			&livekit.ParticipantEgressRequest{SegmentOutputs: []*livekit.SegmentedFileOutput{{PlaylistName: tc.path}}},
			&livekit.TrackCompositeEgressRequest{ImageOutputs: []*livekit.ImageOutput{{FilenamePrefix: tc.path}}},
			&livekit.StartEgressRequest{Outputs: []*livekit.Output{{Config: &livekit.Output_File{File: &livekit.FileOutput{Filepath: tc.path}}}}},
		} {
			before := egress.Summarize(r).Paths
			got := egress.ForPart(r, tc.part)
			require.Equal(t, before, egress.Summarize(r).Paths, "the request is left as it is")
			require.Equal(t, pathsOf(tc.want), egress.Summarize(got).Paths)
		}
	}
	live := &livekit.ParticipantEgressRequest{SegmentOutputs: []*livekit.SegmentedFileOutput{{LivePlaylistName: "live.m3u8"}}}
	require.Equal(t, "live-part2.m3u8", egress.ForPart(live, 2).(*livekit.ParticipantEgressRequest).GetSegmentOutputs()[0].GetLivePlaylistName())
	r := &livekit.RoomCompositeEgressRequest{RoomName: "a.b", CustomBaseUrl: "https://x.example/y.html", StreamOutputs: []*livekit.StreamOutput{{Urls: []string{"rtmp://x/y.flv"}}}}
	require.Equal(t, r.String(), egress.ForPart(r, 2).(*livekit.RoomCompositeEgressRequest).String(), "nothing else is a path")
}

func pathsOf(p string) []string {
	if p == "" {
		return nil
	}
	return []string{p}
}

func TestOnlyThePartThatRecordsIsRelayed(t *testing.T) {
	t.Parallel()
	of := func(id string) egress.Observation { return egress.Observation{Info: infoOf(t, id, active)} }
	s := watched(t)
	s.Twins, s.Parts = []string{"EG_twin"}, []egress.Part{{EgressID: "EG_before"}}
	require.True(t, s.IsOfThisPart(of("EG_1")))
	require.False(t, s.IsOfThisPart(of("EG_other")))
	s.ID = "" // the next part is being started
	require.True(t, s.IsOfThisPart(of("EG_1")))
	require.False(t, s.IsOfThisPart(of("EG_before")))
	require.False(t, s.IsOfThisPart(of("EG_twin")))
}
