package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// probed runs one probe of the schedule, after one that is known of. It returns the
// result, and the IDs of the workflows that carry notices.
func probed(t *testing.T, last *egress.Canary, p egress.Passage, failed error) (c egress.Canary, notices []string, err error) {
	t.Helper()
	env := newEnv(egress.CanarySchedule)
	if last != nil {
		env.SetLastCompletionResult(last)
	}
	w := &workflows.Workflows{}
	env.RegisterWorkflowWithOptions(w.Canary, workflow.RegisterOptions{Name: egress.CanaryType})
	env.RegisterWorkflowWithOptions(w.Notice, workflow.RegisterOptions{Name: egress.NoticeType})
	env.RegisterActivityWithOptions(func(context.Context) (egress.Passage, error) { return p, failed }, activity.RegisterOptions{Name: "Probe"})
	env.RegisterActivityWithOptions(func(context.Context, egress.Notice) error { return nil }, activity.RegisterOptions{Name: "Notify"})
	env.SetOnChildWorkflowStartedListener(func(i *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		notices = append(notices, i.WorkflowExecution.ID)
	})
	env.ExecuteWorkflow(egress.CanaryType)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return c, notices, err
	}
	return c, notices, env.GetWorkflowResult(&c)
}

func TestAProbeGoesOnFromTheOneBefore(t *testing.T) {
	t.Parallel()
	since := time.Unix(1000, 0).UTC()
	bad := egress.Passage{Outcome: egress.CanaryUnavailable, Found: "503", Notify: true, For: egress.Duration(time.Hour)}
	good := egress.Passage{Outcome: egress.CanaryOK, Found: "200", Notify: true, For: egress.Duration(time.Hour)}
	for name, tc := range map[string]struct {
		last     *egress.Canary
		probe    egress.Passage
		failures int
		notices  []string
	}{
		"the first one":                  {nil, good, 0, nil},
		"the first one that fails":       {&egress.Canary{Passage: good}, bad, 1, nil},
		"the second one that fails":      {&egress.Canary{Passage: bad, Failures: 1, BrokenSince: since}, bad, 2, []string{"egress-notice/canary-1000/path_broken"}},
		"the third one":                  {&egress.Canary{Passage: bad, Failures: 2, BrokenSince: since, Told: true}, bad, 3, nil},
		"the way is open again":          {&egress.Canary{Passage: bad, Failures: 9, BrokenSince: since, Told: true}, good, 0, []string{"egress-notice/canary-1000/path_healed"}},
		"it was broken for a moment":     {&egress.Canary{Passage: bad, Failures: 1, BrokenSince: since}, good, 0, nil},
		"nobody had a hook at the break": {&egress.Canary{Passage: bad, Failures: 9, BrokenSince: since}, good, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, notices, err := probed(t, tc.last, tc.probe, nil)
			require.NoError(t, err)
			require.Equal(t, tc.notices, notices)
			require.Equal(t, tc.failures, c.Failures)
			require.Equal(t, tc.probe, c.Passage)
			require.Equal(t, tc.failures > 1, c.Told)
			require.False(t, c.At.IsZero())
		})
	}
}

// The result of the last probe that completed is what the next one goes on from.
func TestAProbeThatCouldNotBeMadeSaysNothing(t *testing.T) {
	t.Parallel()
	_, notices, err := probed(t, &egress.Canary{Failures: 1}, egress.Passage{}, errors.New("the worker is ill"))
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Empty(t, notices)
}
