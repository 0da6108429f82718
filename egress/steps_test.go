package egress_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

var endedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// settled returns an egress that has ended, with a pipeline of two steps.
func settled(t *testing.T) egress.State {
	t.Helper()
	i, err := egress.NewInfo(&livekit.EgressInfo{
		EgressId: "EG_1", RoomName: "standup", Status: livekit.EgressStatus_EGRESS_COMPLETE, EndedAt: endedAt.UnixNano(),
	})
	require.NoError(t, err)
	return egress.State{
		Phase: egress.Settled, Started: true, Part: 1, ID: "EG_1", Latest: i, Outcome: egress.Outcome{Status: "EGRESS_COMPLETE", EndedBy: egress.FromWebhook}, NewsAt: endedAt,
		Terms: egress.Terms{Pipeline: egress.Pipeline{Name: "p", Steps: []egress.Step{
			{Name: "one", Activity: "One", TaskQueue: "media", With: map[string]any{"language": "en"}}, {Name: "two", Activity: "Two", TaskQueue: "media"},
		}}},
	}
}

func TestWhatAStepIsGiven(t *testing.T) {
	t.Parallel()
	s := settled(t)
	s.Done = []string{"announce"}
	s.Results = map[string]json.RawMessage{"zero": json.RawMessage(`{"n":0}`)}
	s.Media = &egress.MediaReport{Media: egress.MediaPresent, Files: []egress.MediaFile{{Kind: "file", Path: "x.mp4", Size: 9, Media: egress.MediaPresent}}}

	b, err := json.Marshal(s.StepInput("r", egress.Summary{Kind: egress.KindWeb}, s.Pipeline.Steps[0]))

	require.NoError(t, err)
	require.JSONEq(t, `{
		"request_id": "r", "egress_id": "EG_1", "step": "one", "idempotency_key": "`+s.Verdict("r", egress.Summary{}).StepKey("one")+`",
		"verdict": {
			"request_id": "r", "egress_id": "EG_1", "kind": "web", "status": "EGRESS_COMPLETE", "ended_by": "webhook", "ended_at": "2026-03-01T12:00:00Z",
			"heard_at": "2026-03-01T12:00:00Z", "late": "0s", "media": "present",
			"info": {"egress_id": "EG_1", "room_name": "standup", "status": "EGRESS_COMPLETE", "ended_at": "1772366400000000000"}
		},
		"files": [{"part": 1, "kind": "file", "path": "x.mp4", "size": 9, "media": "present"}],
		"results": {"zero": {"n": 0}}, "with": {"language": "en"}
	}`, string(b))

	empty, err := json.Marshal(settledInput(t))
	require.NoError(t, err)
	require.Contains(t, string(empty), `"files":[],"results":{},"with":{}`, "never null: a step in any language may go through them")
}

func TestAStepIsGivenEachPartAsLkPrintsIt(t *testing.T) {
	t.Parallel()
	s := settled(t)
	s.Recover, s.Part = 1, 2
	s.Parts = []egress.Part{{Number: 1, EgressID: "EG_0", Info: s.Latest}}
	parts := s.StepInput("r", egress.Summary{}, s.Pipeline.Steps[0]).Verdict.Parts
	require.Len(t, parts, 2)
	for _, p := range parts {
		require.Contains(t, string(p.Info.Raw()), `"egress_id"`)
	}
	require.Contains(t, string(s.Parts[0].Info.Raw()), `"egressId"`, "what is kept stays as LiveKit spells it")
}

func TestAStepIsGivenTheFilesOfAllParts(t *testing.T) {
	t.Parallel()
	report := func(m egress.Media, paths ...string) *egress.MediaReport {
		r := egress.MediaReport{Media: m, Because: "seen"}
		for _, p := range paths {
			r.Files = append(r.Files, egress.MediaFile{Kind: "file", Path: p, Media: m})
		}
		return &r
	}
	s := settled(t)
	s.Part, s.Media = 4, report(egress.MediaPresent, "d.mp4")
	s.Parts = []egress.Part{
		{Number: 1, EgressID: "EG_a", Media: report(egress.MediaPresent, "a.mp4", "a.m3u8")},
		{Number: 2, EgressID: "EG_b"}, // nobody has looked
		{Number: 3, EgressID: "EG_c", Media: report(egress.MediaMissing, "c.mp4")},
	}

	in := s.StepInput("r", egress.Summary{}, s.Pipeline.Steps[0])

	var files []string
	for _, f := range in.Files {
		files = append(files, fmt.Sprint(f.Part, " ", f.Path, " ", f.Media))
	}
	require.Equal(t, []string{"1 a.mp4 present", "1 a.m3u8 present", "3 c.mp4 missing", "4 d.mp4 present"}, files)
	require.Empty(t, in.Verdict.Files)
	require.Len(t, in.Verdict.Parts, 4)
	require.Equal(t, report(egress.MediaPresent), in.Verdict.Parts[0].Media, "without the files, which would be there twice")
	require.Nil(t, in.Verdict.Parts[1].Media)
	require.Equal(t, report(egress.MediaMissing), in.Verdict.Parts[2].Media)
	require.Equal(t, report(egress.MediaPresent), in.Verdict.Parts[3].Media)
	require.Len(t, s.Parts[0].Media.Files, 2, "what is kept stays as it is")
	require.Len(t, s.Verdict("r", egress.Summary{}).Parts[3].Media.Files, 1)
	require.Equal(t, in, s.StepInput("r", egress.Summary{}, s.Pipeline.Steps[0]), "whoever asks again is given the same")
}

func settledInput(t *testing.T) egress.StepInput {
	t.Helper()
	s := settled(t)
	return s.StepInput("r", egress.Summary{}, s.Pipeline.Steps[1])
}

func TestTheIdempotencyKeyOfAStep(t *testing.T) {
	t.Parallel()
	v := egress.Verdict{RequestID: "r", EgressID: "EG_1", Status: "EGRESS_COMPLETE", EndedAt: endedAt}
	key := v.StepKey("one")
	require.Regexp(t, `^ST_[A-Z2-7]{26}$`, key)

	same := v
	same.Delivered, same.Media, same.Missed, same.EndedAt = []string{"announce"}, egress.MediaMissing, egress.MissedLate, endedAt.In(time.FixedZone("", 3600))
	require.Equal(t, key, same.StepKey("one"), "what may change while the step is tried does not matter")

	for name, change := range map[string]func(v *egress.Verdict, step *string){
		"another step":    func(_ *egress.Verdict, step *string) { *step = "two" },
		"another request": func(v *egress.Verdict, _ *string) { v.RequestID = "r2" },
		"another egress":  func(v *egress.Verdict, _ *string) { v.EgressID = "EG_2" },
		"another status":  func(v *egress.Verdict, _ *string) { v.Status = egress.Lost },
		"another end":     func(v *egress.Verdict, _ *string) { v.EndedAt = v.EndedAt.Add(time.Nanosecond) },
		"a moved border":  func(v *egress.Verdict, step *string) { v.RequestID, *step = "ro", "ne" },
	} {
		other, step := v, "one"
		change(&other, &step)
		require.NotEqual(t, key, other.StepKey(step), name)
	}
}

func TestWhatAStepReturnsIsKept(t *testing.T) {
	t.Parallel()
	s := settled(t)
	one, two := s.Pipeline.Steps[0], s.Pipeline.Steps[1]
	s.Doing = one.Name
	require.Equal(t, "one", s.Doing)
	require.NoError(t, s.FinishStep(one, json.RawMessage(`{"a":1}`), endedAt))
	require.Empty(t, s.Doing)
	for _, nothing := range []string{"", "null", " null "} {
		require.NoError(t, s.FinishStep(two, json.RawMessage(nothing), endedAt))
	}
	require.Equal(t, map[string]json.RawMessage{"one": json.RawMessage(`{"a":1}`)}, s.Results)
	require.Equal(t, s.Results, s.Verdict("r", egress.Summary{}).Results)
	require.Equal(t, []string{"one", "two", "two", "two"}, s.Done)
}

func TestWhatAStepMayReturn(t *testing.T) {
	t.Parallel()
	quoted := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	most := egress.MaxResult
	for name, tc := range map[string]struct {
		before int // how many results of the largest size there are already
		result string
		want   string
	}{
		"the most":                     {0, quoted(most), ""},
		"one byte more":                {0, quoted(most + 1), "result: step one returned 65537 bytes of JSON, more than the 65536 that a step may; keep them in a store, and return where"},
		"as much as all may":           {3, quoted(most), ""},
		"a single byte":                {0, `1`, ""},
		"one byte more than all may":   {4, `1`, "result: the steps up to one returned 262145 bytes of JSON, more than the 262144 that all may"},
		"nothing, where there is much": {4, "null", ""},
		"no JSON":                      {0, "{", "result: step one returned no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := settled(t)
			s.Results = map[string]json.RawMessage{}
			for n := range tc.before {
				s.Results[string(rune('a'+n))] = json.RawMessage(quoted(most))
			}
			s.Doing = s.Pipeline.Steps[0].Name
			err := s.FinishStep(s.Pipeline.Steps[0], json.RawMessage(tc.result), endedAt)
			require.Equal(t, tc.want, text(err))
			require.Equal(t, tc.want == "", len(s.Done) == 1, "what is refused is not done")
			require.Equal(t, tc.want == "", s.Doing == "")
			_, kept := s.Results["one"]
			require.Equal(t, tc.want == "" && tc.result != "null", kept)
		})
	}
}

func TestTheDetailsTellOfSteps(t *testing.T) {
	t.Parallel()
	s := settled(t)
	one, two := s.Pipeline.Steps[0], s.Pipeline.Steps[1]
	require.NotContains(t, s.Details("r"), "is under way")
	s.Doing = one.Name
	require.Contains(t, s.Details("r"), "Step one is under way: it waits for an answer from a worker of task queue media.")
	s.AwaitsWord = []string{"one"}
	require.NotContains(t, s.Details("r"), "is under way")
	require.Contains(t, s.Details("r"), "Waits for you to retry or skip one.")
	s.PassOver(one, endedAt)
	require.Empty(t, s.Doing)
	s.LeaveOut(two, endedAt)
	details := s.Details("r")
	require.Contains(t, details, "| step one is skipped by a person |")
	require.Contains(t, details, "| step two is skipped: it does not run for EGRESS_COMPLETE |")
	require.NoError(t, s.FinishStep(two, nil, endedAt))
	require.Contains(t, s.Details("r"), "| step two is done |")
	require.Len(t, s.Story, 3)
	for _, beat := range s.Story {
		require.Equal(t, endedAt, beat.At)
	}
}

func TestTheStateKeepsResultsWhenItIsCarriedOver(t *testing.T) {
	t.Parallel()
	s := settled(t)
	require.NoError(t, s.FinishStep(s.Pipeline.Steps[0], json.RawMessage(`{"a":[1,2]}`), endedAt))
	b, err := json.Marshal(s)
	require.NoError(t, err)
	var again egress.State
	require.NoError(t, json.Unmarshal(b, &again))
	require.Equal(t, s.Results, again.Results)
	require.Equal(t, s.Pipeline, again.Pipeline)
}
