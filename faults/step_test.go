package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/reelkeeper/reelkeeper/faults/check"
)

// given returns the step's input for a recording of two parts.
func given(key string) map[string]any {
	return map[string]any{
		"request_id": "life-7-1", "egress_id": "EG_2", "step": stepName, "idempotency_key": key,
		"verdict": map[string]any{
			"status": "EGRESS_COMPLETE", "ended_at": "2026-11-26T12:00:00Z", "corrects": "LOST",
			"parts": []any{map[string]any{"egress_id": "EG_1"}, map[string]any{"egress_id": "EG_2"}},
		},
	}
}

// attempted makes one attempt by a newly started worker.
func attempted(t *testing.T, c stepConfig, key string) (entry, error) {
	t.Helper()
	x, err := openIndex(c)
	require.NoError(t, err)
	defer func() { require.NoError(t, x.log.close()) }()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivityWithOptions(x.attempt, activity.RegisterOptions{Name: stepActivity})
	answer, err := env.ExecuteActivity(stepActivity, given(key))
	if err != nil {
		return entry{}, err
	}
	var e entry
	require.NoError(t, answer.Get(&e))
	return e, nil
}

// did returns the results of the attempts.
func did(t *testing.T, dir string) (all []check.Work, last check.Step) {
	t.Helper()
	steps, err := check.ReadSteps(dir)
	require.NoError(t, err)
	for _, s := range steps {
		all, last = append(all, s.Did), s
	}
	return all, last
}

func TestAStepThatIsKilledKnowsItsKeys(t *testing.T) {
	t.Parallel()
	c := stepConfig{Dir: t.TempDir()}
	for _, key := range []string{"ST_1", "ST_2", "ST_1", "ST_2"} {
		e, err := attempted(t, c, key)
		require.NoError(t, err)
		require.Equal(t, entry{map[string]int{"ST_1": 1, "ST_2": 2}[key]}, e, "the same at each attempt")
	}
	all, last := did(t, c.Dir)
	require.Equal(t, []check.Work{check.Worked, check.Worked, check.Knew, check.Knew}, all)
	require.WithinDuration(t, time.Now(), last.At, time.Minute)
	last.At = time.Time{}
	require.Equal(t, check.Step{
		Step: stepName, Key: "ST_2", RequestID: "life-7-1", EgressID: "EG_2", Status: "EGRESS_COMPLETE", Corrects: "LOST",
		EndedAt: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), Parts: []string{"EG_1", "EG_2"}, Attempt: 1, Did: check.Knew,
	}, last)
}

func TestWhatBefallsAStep(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spec  stepSpec
		fails string
		want  check.Work
		cut   bool
	}{
		"nothing":                  {stepSpec{}, "", check.Worked, false},
		"it fails":                 {stepSpec{Error: 1}, "failed by chance", check.Failed, false},
		"its answer gets lost":     {stepSpec{Cut: 1}, "the answer of work that is done is lost", check.Worked, true},
		"it fails with no answer":  {stepSpec{Error: 1, Cut: 1}, "failed by chance", check.Failed, false},
		"it is slow, and is there": {stepSpec{Slow: 1}, "", check.Worked, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := stepConfig{Dir: t.TempDir(), Spec: tc.spec, Seed: 7}
			_, err := attempted(t, c, "ST_1")
			require.Equal(t, tc.fails != "", err != nil)
			if err != nil {
				require.ErrorContains(t, err, tc.fails)
			}
			all, last := did(t, c.Dir)
			require.Equal(t, []check.Work{tc.want}, all)
			require.Equal(t, tc.cut, last.Cut)
		})
	}
}

func TestAStepWhoseLogIsBrokenDoesNotBegin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := openIndex(stepConfig{Dir: filepath.Join(dir, "nowhere")})
	require.Error(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, check.StepLog), []byte("{\n"), 0o600))
	_, err = openIndex(stepConfig{Dir: dir})
	require.ErrorContains(t, err, "steps.jsonl: line 1")
}
