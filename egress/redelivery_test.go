package egress_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestOfTheInputOfANewerVersionWhatIsKnownIsRead(t *testing.T) {
	t.Parallel()
	sealed := egress.Summary{Kind: egress.KindRoomComposite, Room: "standup", Webhooks: []string{"a.example.com"}}
	known := egress.Summary{Kind: egress.KindWeb}
	echoed := egress.Summary{Kind: egress.KindTrack, Room: "echoed"}
	latest, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", Request: &livekit.EgressInfo_Track{Track: &livekit.TrackEgressRequest{RoomName: "echoed"}}})
	require.NoError(t, err)
	for input, want := range map[string]egress.Summary{
		`{"sealed":"AQ==","summary":{"kind":"room_composite","room":"standup","webhooks":["a.example.com"],"of_tomorrow":1},"of_tomorrow":1}`: sealed,
		`{"web":{"url":"https://example.com"},"of_tomorrow":1}`:                                                                               known,
		`{"web":{"url":"https://example.com"},"recover":{"of_tomorrow":1}}`:                                                                   known,
		`{"web":{"url":"https://example.com","of_tomorrow":1},"of_tomorrow":1}`:                                                               echoed,
		`{"of_tomorrow":{}}`: echoed,
		`of tomorrow`:        echoed,
	} {
		r := egress.Redelivery{Input: json.RawMessage(input), State: egress.State{Latest: latest}}
		require.EqualExportedValues(t, want, r.Readable(), input)
	}
}

func TestTheIDOfARedeliveryNamesItsRequest(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		egress.RedeliveryID("standup-1", 2):       "standup-1",
		egress.CorrectionID("standup-1", "EG", 1): "standup-1",
		"egress-redelivery/standup-1/":            "",
		"egress-redelivery/standup-1":             "",
		"egress-redelivery//1":                    "",
		"egress/standup-1":                        "",
		"egress-notice/standup-1/lost":            "",
	} {
		got, ok := egress.RedeliveryOf(id)
		require.Equal(t, want != "", ok, id)
		if ok {
			require.Equal(t, want, got, id)
		}
	}
	require.Equal(t, "egress-redelivery/standup-1/2", egress.RedeliveryID("standup-1", 2))
	require.Equal(t, "egress-redelivery/standup-1/corrects-EG_1", egress.CorrectionID("standup-1", "EG_1", 1))
	for id, want := range map[string]bool{
		egress.CorrectionID("standup-1", "EG_1", 1): true,
		egress.CorrectionID("standup-1", "EG_1", 2): true,
		egress.RedeliveryID("standup-1", 2):         false,
		egress.RedeliveryID("corrects-EG_1", 2):     false,
		"egress/corrects-EG_1":                      false,
	} {
		require.Equal(t, want, egress.IsCorrection(id), id)
	}
	_, isEgress := egress.RequestID(egress.RedeliveryID("standup-1", 1))
	require.False(t, isEgress, "no list of egresses shows it")
}

// toldOnce returns a recording that was delivered to two consumers of its own and two more.
func toldOnce(t *testing.T) egress.State {
	t.Helper()
	s := recording(t)
	s.Steps = []string{egress.StepAnnounce, "webhook-1"}
	s.Pipeline = egress.Pipeline{
		Consumers: []egress.Consumer{{Name: "crm"}, {Name: "archive"}},
		Steps:     []egress.Step{{Name: "transcribe"}, {Name: "summarize"}, {Name: "tidy", When: []egress.Status{egress.Lost}}},
	}
	s.Media = &egress.MediaReport{Media: egress.MediaPresent, Files: []egress.MediaFile{{Kind: "file", Path: "a.mp4"}}}
	s.MissedOnly = true
	s.Observe(observed(infoAt(t, complete, 20, 0), minute))
	s.Phase, s.Done, s.Skipped = egress.Delivered, []string{"announce", "webhook-1"}, []string{"webhook-1"}
	return *s
}

func TestWhatIsToldAgain(t *testing.T) {
	t.Parallel()
	all, none := []string{"announce", "webhook-1"}, []egress.Consumer{}
	for step, want := range map[string]struct {
		steps     []string
		consumers []egress.Consumer
	}{
		"":             {all, []egress.Consumer{{Name: "crm"}, {Name: "archive"}}},
		"announce":     {[]string{"announce"}, none},
		"webhook-1":    {[]string{"webhook-1"}, none},
		"announce-crm": {[]string{}, []egress.Consumer{{Name: "crm"}}},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			before := toldOnce(t)
			s, err := before.Again(step, noon)
			require.NoError(t, err)
			require.Equal(t, want.steps, s.Steps)
			require.Equal(t, want.consumers, s.Pipeline.Consumers)
			require.Empty(t, s.Pipeline.Steps, "a telling runs no steps")
			require.Equal(t, egress.Settled, s.Phase)
			require.Empty(t, s.Done)
			require.Empty(t, s.Skipped)
			require.True(t, s.Needs(egress.StepAnnounce), "also who heard it from LiveKit")
			require.Equal(t, all, before.Steps, "what was delivered stays as it was")
			require.Len(t, before.Pipeline.Consumers, 2)
			require.Len(t, s.Story, len(before.Story)+1)

			first, err := before.Announcement()
			require.NoError(t, err)
			second, err := s.Announcement()
			require.NoError(t, err)
			require.Equal(t, first.Raw(), second.Raw())
		})
	}
}

func TestAStepOfThePipelineIsGivenTheSameAgain(t *testing.T) {
	t.Parallel()
	before := toldOnce(t)
	transcribe, summarize := before.Pipeline.Steps[0], before.Pipeline.Steps[1]
	require.NoError(t, before.FinishStep(transcribe, json.RawMessage(`"words"`), noon))
	first := before.StepInput("standup-1", egress.Summary{}, summarize)
	require.NoError(t, before.FinishStep(summarize, json.RawMessage(`"gist"`), noon))

	s, err := before.Again("summarize", noon)

	require.NoError(t, err)
	require.Equal(t, first, s.StepInput("standup-1", egress.Summary{}, summarize), "also the idempotency key, and without its own result")
	require.Equal(t, []egress.Step{summarize}, s.Pipeline.Steps)
	require.Empty(t, s.Tells(), "nobody is told")
	require.Empty(t, s.Done)
	require.Equal(t, "step summarize will be run again", s.Story[len(s.Story)-1].What)
	require.Len(t, before.Results, 2, "what was delivered stays as it was")
	require.Len(t, before.Pipeline.Steps, 3)
}

func TestWhatCannotBeToldAgainIsSaidInWords(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		step   string
		change func(*egress.State)
		reason egress.Reason
		want   string
	}{
		"a step that it did not have": {"webhook-2", func(*egress.State) {}, egress.Invalid, `step: it had no step "webhook-2"; want one of announce, webhook-1, announce-crm, announce-archive, transcribe, summarize, tidy`},
		"a step for another end":      {"tidy", func(*egress.State) {}, egress.Conflict, "failed_precondition: step tidy does not run for EGRESS_COMPLETE"},
		"a consumer of another end":   {"announce-crm", func(s *egress.State) { s.Pipeline.Consumers[0].When = []egress.Status{egress.Lost} }, egress.Conflict, "failed_precondition: step announce-crm does not run for EGRESS_COMPLETE"},
		"one that nobody is told of": {"", func(s *egress.State) {
			s.Steps, s.Pipeline.Consumers = nil, []egress.Consumer{{Name: "crm", When: []egress.Status{egress.Lost, "EGRESS_FAILED"}}}
		}, egress.Conflict, "failed_precondition: none of its consumers is told of EGRESS_COMPLETE"},
		"one that had nobody to tell":    {"", func(s *egress.State) { s.Steps, s.Pipeline.Consumers = nil, nil }, egress.Invalid, "step: it has no consumer to tell; to run a step of its pipeline again, name the step"},
		"one that had no step at all":    {"tidy", func(s *egress.State) { s.Steps, s.Pipeline = nil, egress.Pipeline{} }, egress.Invalid, "step: it had no step at all"},
		"one that is being delivered":    {"", func(s *egress.State) { s.Phase = egress.Settled }, egress.Conflict, "failed_precondition: it is not delivered yet: its consumers are being told"},
		"one that waits for a person":    {"", func(s *egress.State) { s.Phase, s.AwaitsWord = egress.Settled, []string{"announce", "webhook-1"} }, egress.Conflict, "failed_precondition: it is not delivered yet: announce, webhook-1 waits for your retry or skip"},
		"one step that waits":            {"", func(s *egress.State) { s.Phase, s.AwaitsWord = egress.Settled, []string{"announce"} }, egress.Conflict, "failed_precondition: it is not delivered yet: announce waits for your retry or skip"},
		"one that records":               {"", func(s *egress.State) { s.Phase = egress.Watching }, egress.Conflict, "failed_precondition: it is not delivered yet: it has no verdict"},
		"one that is held":               {"", func(s *egress.State) { s.Phase = egress.Held }, egress.Conflict, "failed_precondition: it is not delivered yet: it has no verdict"},
		"one that LiveKit did not start": {"", func(s *egress.State) { s.Phase = egress.Requested }, egress.Conflict, "failed_precondition: it is not delivered yet: it has no verdict"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := toldOnce(t)
			tc.change(&s)
			_, err := s.Again(tc.step, noon)
			require.EqualError(t, err, tc.want)
			ours, ok := errors.AsType[*egress.Error](err)
			require.True(t, ok)
			require.Equal(t, tc.reason, ours.Reason)
		})
	}
}

// gaveUp returns a recording that was delivered as lost.
func gaveUp(t *testing.T) egress.State {
	t.Helper()
	s := recording(t)
	s.Steps = []string{egress.StepAnnounce}
	s.GiveUp(egress.FromTimeout, "why", noon)
	s.Phase, s.Done, s.Stuck = egress.Delivered, []string{"announce"}, "x"
	return *s
}

func TestALateEndAmendsWhatWasLost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*egress.State)
		o      egress.Observation
		want   bool
	}{
		"its end":                  {func(*egress.State) {}, observed(infoAt(t, complete, 20, 0), minute), true},
		"its failure":              {func(*egress.State) {}, observed(infoAt(t, failed, 20, 0), minute), true},
		"a sign that it runs":      {func(*egress.State) {}, observed(infoAt(t, active, 20, 0), minute), false},
		"another egress's end":     {func(*egress.State) {}, observed(ofPart(t, "EG_2", complete, 10, 20), minute), false},
		"of what is not delivered": {func(s *egress.State) { s.Phase = egress.Settled }, observed(infoAt(t, complete, 20, 0), minute), false},
		"of what was not lost":     {func(s *egress.State) { s.Status = "EGRESS_FAILED" }, observed(infoAt(t, complete, 20, 0), minute), false},
		"of a second run":          {func(s *egress.State) { s.Status = "EGRESS_FAILED" }, observed(infoAt(t, complete, 20, 1), minute), true},
		"of one of what was whole": {func(s *egress.State) { s.Status = "EGRESS_COMPLETE" }, observed(infoAt(t, complete, 20, 1), minute), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := gaveUp(t)
			tc.change(&before)
			was := before.Status
			s, ok := before.Amend(tc.o)
			require.Equal(t, tc.want, ok)
			if !ok {
				return
			}
			require.Equal(t, egress.Settled, s.Phase, "also a failure is not held any more")
			require.Equal(t, tc.o.Info.StatusName(), s.Status)
			require.Equal(t, was, s.Corrects)
			require.Equal(t, egress.FromWebhook, s.EndedBy)
			require.Empty(t, s.Done)
			require.Empty(t, s.Stuck)
			require.Equal(t, egress.Unchecked("its end came after its workflow had closed"), *s.Media)
			require.Equal(t, was, before.Status, "what was delivered stays as it was")
		})
	}
}

func TestALateEndAmendsAPartThatWasLost(t *testing.T) {
	t.Parallel()
	s := recording(t)
	s.Recover, s.Part = 1, 1
	s.GiveUp(egress.FromTimeout, "it is dead", noon)
	s.NextPart()
	s.Observe(observed(ofPart(t, "EG_2", complete, 75, 100), 2*minute))
	s.Phase = egress.Delivered

	part, ok := s.Amend(observed(infoAt(t, complete, 20, 0), 3*minute))

	require.True(t, ok)
	require.Equal(t, "EG_1", part.ID)
	require.Equal(t, egress.Lost, part.Corrects)
	require.Empty(t, part.Before(), "nobody is told again of what was right")
	_, ok = s.Amend(observed(ofPart(t, "EG_2", complete, 75, 100), 4*minute))
	require.False(t, ok, "a repeated end of the last part")
}

func TestPartsAreToldAgainAsTheyWere(t *testing.T) {
	t.Parallel()
	end := observed(ofPart(t, "EG_1", failed, 10, 30), minute)
	b, err := json.Marshal(map[string]any{"event": egress.EventEnded, "id": "EV_theirs", "egressInfo": end.Info})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		end  func(*egress.State)
		want string // of the event's ID; empty for the one that was made
	}{
		"by LiveKit's own event": {func(s *egress.State) { e := end; e.Event = b; s.Observe(e) }, "EV_theirs"},
		"by a poll":              {func(s *egress.State) { s.Observe(end) }, ""},
		"as lost":                {func(s *egress.State) { s.GiveUp(egress.FromTimeout, "it is dead", noon) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := recording(t)
			s.Part, s.Recover = 1, 1
			tc.end(s)
			s.Settle()
			s.Media = &egress.MediaReport{Media: egress.MediaTruncated}
			first, err := s.Announcement()
			require.NoError(t, err)
			s.NextPart()
			s.Observe(observed(ofPart(t, "EG_2", complete, 75, 100), 2*minute))

			parts := s.Before()

			require.Len(t, parts, 1)
			again, err := parts[0].Announcement()
			require.NoError(t, err)
			require.Equal(t, first.Proto().GetId(), again.Proto().GetId())
			require.Equal(t, first.Proto().GetEgressInfo().GetStatus(), again.Proto().GetEgressInfo().GetStatus())
			require.Equal(t, first.Proto().GetEgressInfo().GetError(), again.Proto().GetEgressInfo().GetError())
			require.Equal(t, "truncated", parts[0].Headers("standup-1")[egress.HeaderMedia])
			if tc.want != "" {
				require.Equal(t, tc.want, again.Proto().GetId())
			}
			require.Equal(t, "EG_1", again.Proto().GetEgressInfo().GetEgressId())
		})
	}
}
