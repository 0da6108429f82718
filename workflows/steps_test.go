package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// stepped is what the user's own activities of a life were given.
type stepped struct {
	*life
	inputs []egress.StepInput
	ran    []string
}

// withSteps lets a life end in a pipeline.
func withSteps(l *life, steps ...egress.Step) *stepped {
	p := egress.Pipeline{Name: "standard"}
	for _, s := range steps {
		if s.Activity == "" {
			s.Activity = strings.ToUpper(s.Name)
		}
		s.TaskQueue = "media"
		p.Steps = append(p.Steps, s.WithDefaults())
	}
	start := l.started
	if start == nil {
		start = func(ctx context.Context, _ activities.StartRequest) (activities.Started, error) { return l.start(ctx) }
	}
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := start(ctx, in)
		s.Terms.Pipeline = p
		return s, err
	}
	return &stepped{life: l}
}

// activity plays an activity of the user's.
func (s *stepped) activity(name string, do func(egress.StepInput) (any, error)) {
	s.RegisterActivityWithOptions(func(_ context.Context, in egress.StepInput) (any, error) {
		s.inputs = append(s.inputs, in)
		out, err := do(in)
		if err == nil {
			s.ran = append(s.ran, in.Step)
		}
		return out, err
	}, activity.RegisterOptions{Name: name})
}

func returns(out any) func(egress.StepInput) (any, error) {
	return func(egress.StepInput) (any, error) { return out, nil }
}

// keys are the idempotency keys that a step was given, in their order.
func (s *stepped) keys(step string) []string {
	var keys []string
	for _, in := range s.inputs {
		if in.Step == step {
			keys = append(keys, in.IdempotencyKey)
		}
	}
	return keys
}

// what is the story's words.
func what(s egress.State) []string {
	var words []string
	for _, b := range s.Story {
		words = append(words, b.What)
	}
	return words
}

func TestStepsAreRunOneAfterTheOtherAndHandOnWhatTheyReturn(t *testing.T) {
	t.Parallel()
	s := withSteps(newLife(t), egress.Step{Name: "one", With: map[string]any{"language": "en"}}, egress.Step{Name: "two"}, egress.Step{Name: "three"})
	s.lived()
	s.activity("ONE", func(egress.StepInput) (any, error) {
		require.Len(t, s.announced, 1, "the consumer was told before")
		return map[string]any{"words": 7}, nil
	})
	s.activity("TWO", returns(nil))
	s.activity("THREE", returns("done"))

	v := s.mustRun(plainInput(t))

	require.Equal(t, []string{"one", "two", "three"}, s.ran)
	require.Equal(t, []string{"announce", "one", "two", "three"}, v.Delivered)
	require.Equal(t, map[string]json.RawMessage{"one": json.RawMessage(`{"words":7}`), "three": json.RawMessage(`"done"`)}, v.Results)
	first, last := s.inputs[0], s.inputs[2]
	require.Equal(t, requestID, first.RequestID)
	require.Equal(t, egressID, first.EgressID)
	require.Equal(t, map[string]any{"language": "en"}, first.With)
	require.Empty(t, first.Results)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), first.Verdict.Status)
	require.Contains(t, string(first.Verdict.Info.Raw()), `"egress_id":"EG_1"`, "as `lk` spells it")
	require.Equal(t, map[string]json.RawMessage{"one": json.RawMessage(`{"words":7}`)}, last.Results)
	require.NotEqual(t, first.IdempotencyKey, last.IdempotencyKey)
}

func TestAStepIsLeftOutForAnEndThatItIsNotFor(t *testing.T) {
	t.Parallel()
	s := withSteps(newLife(t),
		egress.Step{Name: "good", When: []egress.Status{"EGRESS_COMPLETE"}},
		egress.Step{Name: "bad", When: []egress.Status{"EGRESS_FAILED", egress.Lost}})
	s.webhook(time.Second, egress.EventEnded, message(egressID, failed))
	s.activity("GOOD", returns(nil))
	s.activity("BAD", returns(nil))

	v := s.mustRun(plainInput(t))

	require.Equal(t, []string{"bad"}, s.ran)
	require.Equal(t, []string{"announce", "bad"}, v.Delivered)
	require.Contains(t, what(s.state()), "step good is skipped: it does not run for EGRESS_FAILED")
	require.Contains(t, what(s.state()), "step bad is done")
}

func TestAConsumerThatIsDownDoesNotHoldUpTheSteps(t *testing.T) {
	t.Parallel()
	s := withSteps(newLife(t), egress.Step{Name: "one"})
	s.lived()
	s.announce = func(egress.Event) error { return s.downFor(24*time.Hour, 5*time.Hour) }
	s.activity("ONE", returns(1))
	s.at(time.Minute, func() {
		require.Equal(t, []string{"one"}, s.ran)
		require.Empty(t, s.announced)
	})

	v := s.mustRun(plainInput(t))

	require.Len(t, s.announced, 1)
	require.Equal(t, []string{"one", "announce"}, v.Delivered)
}

func TestAStepThatFailedIsFixedAndRetriedUnderTheSameKey(t *testing.T) {
	t.Parallel()
	s := withSteps(newLife(t), egress.Step{Name: "one", Attempts: 3}, egress.Step{Name: "two"})
	s.lived()
	broken := true
	s.activity("ONE", func(egress.StepInput) (any, error) {
		if broken {
			return nil, errors.New("no disk")
		}
		return "text", nil
	})
	s.activity("TWO", returns(nil))
	var told error
	s.at(time.Hour, func() {
		state := s.state()
		require.Len(t, s.announced, 1, "a failed step holds no announcement back")
		require.Equal(t, "step one failed for good: no disk", state.Stuck)
		require.Equal(t, []string{"one"}, state.AwaitsWord)
		require.Len(t, s.keys("one"), 3, "it was tried as often as it says")
		require.Empty(t, s.ran)
		broken = false
		s.update(egress.UpdateRetry, "retry", &told, "one")
	})

	v := s.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Equal(t, []string{"one", "two"}, s.ran)
	require.Equal(t, []string{"announce", "one", "two"}, v.Delivered)
	keys := s.keys("one")
	require.Len(t, keys, 4)
	for _, key := range keys {
		require.Equal(t, keys[0], key)
	}
	require.Empty(t, s.state().Stuck)
}

func TestAStepThatSaysThatNoRepeatHelpsIsHeldAtOnceAndCanBeLeftOut(t *testing.T) {
	t.Parallel()
	s := withSteps(newLife(t), egress.Step{Name: "one"}, egress.Step{Name: "two"})
	s.lived()
	s.activity("ONE", func(egress.StepInput) (any, error) {
		return nil, temporal.NewNonRetryableApplicationError("no such language", "Language", nil)
	})
	s.activity("TWO", returns(nil))
	var told error
	s.at(time.Minute, func() {
		require.Len(t, s.keys("one"), 1)
		require.Equal(t, "step one failed for good: no such language", s.state().Stuck)
		s.update(egress.UpdateSkip, "skip", &told, "one")
	})

	v := s.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Equal(t, []string{"two"}, s.ran)
	require.Empty(t, v.Results)
	require.Contains(t, what(s.state()), "step one is skipped by a person")
	require.Equal(t, []string{"one"}, v.Skipped)
	require.NotContains(t, v.Delivered, "one")
	require.Contains(t, v.Delivered, "two")
}

func TestAStepIsTriedForAsLongAsItSays(t *testing.T) {
	t.Parallel()
	hours := func(n int) egress.Duration { return egress.Duration(time.Duration(n) * time.Hour) }
	s := withSteps(newLife(t), egress.Step{Name: "one", For: hours(48), Backoff: egress.Backoff{First: hours(6), Max: hours(10)}})
	s.lived()
	up := s.began.Add(40 * time.Hour)
	s.activity("ONE", func(egress.StepInput) (any, error) {
		if s.Now().Before(up) {
			return nil, errors.New("not yet")
		}
		return nil, nil
	})

	s.mustRun(plainInput(t))

	require.Equal(t, []string{"one"}, s.ran)
	require.InDelta(t, 46*time.Hour, s.took(), float64(time.Minute), "after 6 hours, and 4 times 10 more")
	require.Len(t, s.keys("one"), 6)
}

func TestWhatAStepReturnsIsBounded(t *testing.T) {
	t.Parallel()
	s := withSteps(newLife(t), egress.Step{Name: "one"})
	s.lived()
	much := true
	s.activity("ONE", func(egress.StepInput) (any, error) {
		if much {
			return strings.Repeat("x", egress.MaxResult), nil
		}
		return "s3://bucket/text", nil
	})
	var told error
	s.at(time.Hour, func() {
		require.Contains(t, s.state().Stuck, "step one returned 65538 bytes of JSON, more than the 65536 that a step may")
		much = false
		s.update(egress.UpdateRetry, "retry", &told, "one")
	})

	v := s.mustRun(plainInput(t))

	require.NoError(t, told)
	require.JSONEq(t, `"s3://bucket/text"`, string(v.Results["one"]))
}

func TestStepsAreRunOnceForARecordingOfSeveralParts(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 2)
	s := withSteps(l, egress.Step{Name: "one"})
	s.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	s.webhook(60*time.Second, egress.EventEnded, part(2, complete, 60))
	s.activity("ONE", returns(nil))

	v := s.mustRun(plainInput(t))

	require.Equal(t, []string{"one"}, s.ran)
	in := s.inputs[0]
	require.Equal(t, "EG_2", in.EgressID)
	require.Len(t, in.Verdict.Parts, 2)
	require.Contains(t, string(in.Verdict.Parts[0].Info.Raw()), `"egress_id":"EG_1"`)
	require.ElementsMatch(t, []string{"announce-part-1", "announce", "one"}, v.Delivered)
}

// The steps wait for a store that is late for an earlier part, and each attempt is given the same.
func TestAStepIsGivenTheFilesOfEveryPart(t *testing.T) {
	t.Parallel()
	l := looking(t, time.Minute, func(in activities.VerifyRequest) (activities.Verified, error) {
		if in.Part == 1 && !in.Behind {
			return activities.Verified{MediaReport: egress.Unchecked("not there yet"), Again: true}, nil
		}
		v := found(egress.MediaPresent, "")
		v.Files = []egress.MediaFile{{Kind: "file", Path: in.Info.ID() + ".mp4", Media: egress.MediaPresent}}
		return v, nil
	})
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		terms := terms()
		terms.VerifyFor, terms.Recover = egress.Duration(time.Minute), 1
		return activities.Started{Info: infoOf(t, stored(part(in.Part, active, 1).GetEgressId(), active)), Terms: terms}, nil
	}
	s := withSteps(l, egress.Step{Name: "one"})
	s.webhook(5*time.Second, egress.EventEnded, stored(egressID, lk.EgressStatus_EGRESS_LIMIT_REACHED))
	s.webhook(10*time.Second, egress.EventEnded, stored("EG_2", complete))
	s.activity("ONE", func(egress.StepInput) (any, error) {
		if len(s.inputs) == 1 {
			return nil, errors.New("no disk")
		}
		return nil, nil
	})

	v := s.mustRun(plainInput(t))

	require.Len(t, v.Parts, 2)
	require.Len(t, s.inputs, 2)
	require.Equal(t, s.inputs[0], s.inputs[1])
	require.Equal(t, []egress.StepFile{
		{Part: 1, MediaFile: egress.MediaFile{Kind: "file", Path: "EG_1.mp4", Media: egress.MediaPresent}},
		{Part: 2, MediaFile: egress.MediaFile{Kind: "file", Path: "EG_2.mp4", Media: egress.MediaPresent}},
	}, s.inputs[0].Files)
	require.Equal(t, "EG_1.mp4", v.Parts[0].Media.Files[0].Path, "the verdict of the recording has them by part")
}

func TestStepsAreRunAgainForACorrectedVerdictUnderAnotherKey(t *testing.T) {
	t.Parallel()
	s := withSteps(lenient(t), egress.Step{Name: "one"})
	s.webhook(10*time.Second, egress.EventEnded, at(failed, 10, 0))
	s.webhook(time.Hour, egress.EventEnded, at(complete, 3600, 1))
	s.activity("ONE", func(in egress.StepInput) (any, error) { return in.Verdict.Status, nil })

	v := s.mustRun(plainInput(t))

	keys := s.keys("one")
	require.Len(t, keys, 2)
	require.NotEqual(t, keys[0], keys[1])
	require.Empty(t, s.inputs[0].Verdict.Corrects)
	require.Equal(t, egress.Status("EGRESS_FAILED"), s.inputs[1].Verdict.Corrects)
	require.Empty(t, s.inputs[1].Results, "the results of what was wrong are gone")
	require.JSONEq(t, `"EGRESS_COMPLETE"`, string(v.Results["one"]))
}

func TestAnAdoptedEgressTakesThePipelineOfItsWorker(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"": "standard", "archive": "archive", "gone": "standard"} {
		t.Run("which names "+name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.worker.Pipelines = egress.Pipelines{Default: "standard", Named: map[string]egress.Pipeline{"standard": {Name: "standard"}, "archive": {Name: "archive"}}}
			l.webhook(0, egress.EventEnded, message(egressID, lk.EgressStatus_EGRESS_COMPLETE))
			in := egress.Adoption(info(t, active), egress.Extras{Pipeline: name})

			l.mustRun(in)

			s := l.state()
			require.Equal(t, want, s.Pipeline.Name)
			said := slices.ContainsFunc(s.Story, func(b egress.Beat) bool { return strings.Contains(b.What, "does not know pipeline "+name+",") })
			require.Equal(t, name == "gone", said, s.Story)
		})
	}
}
