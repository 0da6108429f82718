package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// rerun is a recording of two steps, and the redelivery of the second: what that does the
// first time, where a person leaves it out when it fails, and what it does again.
func rerun(t *testing.T, once, more func(egress.StepInput) (any, error)) (first, second *stepped, in egress.Input, s egress.State) {
	t.Helper()
	first = withSteps(newLife(t), egress.Step{Name: "one"}, egress.Step{Name: "two"})
	first.lived()
	first.activity("ONE", returns("one"))
	first.activity("TWO", once)
	var told error
	first.at(time.Hour, func() { first.update(egress.UpdateSkip, "skip", &told, "two") })
	in = plainInput(t)
	first.mustRun(in)
	second = &stepped{life: newRedelivery(t)}
	second.activity("TWO", more)
	return first, second, in, again(t, first.state(), "two")
}

func noDisk(egress.StepInput) (any, error) {
	return nil, temporal.NewNonRetryableApplicationError("no disk", "Disk", nil)
}

func TestAStepIsRedeliveredOnWhatItWasGivenAndNobodyIsTold(t *testing.T) {
	t.Parallel()
	first, second, in, s := rerun(t, returns("two"), returns("again"))

	v, err := second.redeliver(in, s)

	require.NoError(t, err)
	require.Equal(t, []string{"two"}, second.ran)
	require.Equal(t, first.inputs[1], second.inputs[0], "the idempotency key, too")
	require.Empty(t, second.announced)
	require.Equal(t, []string{"two"}, v.Delivered)
	require.JSONEq(t, `"again"`, string(v.Results["two"]))
	require.JSONEq(t, `"one"`, string(v.Results["one"]), "of the first time")
}

func TestAStepThatWasLeftOutIsRunByARedelivery(t *testing.T) {
	t.Parallel()
	first, second, in, s := rerun(t, noDisk, returns("now"))
	require.Equal(t, []string{"two"}, first.state().Skipped)

	v, err := second.redeliver(in, s)

	require.NoError(t, err)
	require.JSONEq(t, `"now"`, string(v.Results["two"]))
	require.Empty(t, second.state().Skipped)
}

func TestAStepOfARedeliveryThatFailsWaitsForAPersonAndACancelEndsIt(t *testing.T) {
	t.Parallel()
	_, second, in, s := rerun(t, returns("two"), noDisk)
	second.at(time.Hour, func() {
		require.Equal(t, []string{"two"}, second.state().AwaitsWord)
		require.Equal(t, "step two failed for good: no disk", second.state().Stuck)
		second.CancelWorkflow()
	})

	_, err := second.redeliver(in, s)

	require.True(t, temporal.IsCanceledError(err), "got %v", err)
	require.Less(t, second.took(), 2*time.Hour)
}

func TestStepsAreRunForACorrectionAfterTheClose(t *testing.T) {
	t.Parallel()
	first := withSteps(newLife(t), egress.Step{Name: "one"})
	first.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	first.poll = func(activities.PollRequest) (egress.Look, error) {
		return egress.Look{MissingSince: first.Now().Add(-time.Minute)}, nil
	}
	first.activity("ONE", returns("lost"))
	in := plainInput(t)
	first.mustRun(in)
	o, err := egress.ObserveEvent(webhook(t, egress.EventEnded, message(egressID, complete)), time.Unix(90, 0))
	require.NoError(t, err)
	amended, ok := first.state().Amend(o)
	require.True(t, ok)
	second := &stepped{life: newRedelivery(t)}
	second.activity("ONE", returns("found"))

	v, err := second.redeliver(in, amended)

	require.NoError(t, err)
	require.Equal(t, []string{"announce", "one"}, v.Delivered)
	require.Equal(t, egress.Lost, second.inputs[0].Verdict.Corrects)
	require.Equal(t, egress.MediaUnchecked, second.inputs[0].Verdict.Media, "nobody looks anew")
	require.NotEqual(t, first.keys("one"), second.keys("one"))
}
