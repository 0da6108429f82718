package workflows

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Without it, the next attempt begins only when the time of the first one is up: an hour, for a start.
func TestAWorkerThatDiesInALongActivityIsNoticedWithinTenSeconds(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]workflow.ActivityOptions{
		"start": startOptions, "poll": pollOptions, "verify": verifyOptions, "reconcile": reconcileOptions,
	} {
		require.Equal(t, 10*time.Second, o.HeartbeatTimeout, name)
	}
}

// Three unanswered stops are evidence that a worker is dead.
func TestAStopIsSentUpToThreeTimesAndBeforeAllElse(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]workflow.ActivityOptions{"stop": stopOptions, "probe": probeOptions, "twin": twinOptions} {
		require.Equal(t, int32(3), o.RetryPolicy.MaximumAttempts, name)
		require.Equal(t, urgent, o.Priority, name)
	}
}

func TestAStepIsTriedAsItsPipelineSays(t *testing.T) {
	t.Parallel()
	require.Equal(t, workflow.ActivityOptions{
		TaskQueue: "media", StartToCloseTimeout: time.Hour, ScheduleToCloseTimeout: 24 * time.Hour, HeartbeatTimeout: time.Minute,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 5 * time.Minute, MaximumAttempts: 7},
		Summary:     "step transcribe of pipeline",
	}, stepOptions(egress.Step{
		Name: "transcribe", Activity: "Transcribe", TaskQueue: "media",
		Timeout: egress.Duration(time.Hour), For: egress.Duration(24 * time.Hour), Heartbeat: egress.Duration(time.Minute), Attempts: 7,
		Backoff: egress.Backoff{First: egress.Duration(time.Second), Max: egress.Duration(5 * time.Minute)},
	}))
}

func TestPartsThatFailAreFurtherAndFurtherApart(t *testing.T) {
	t.Parallel()
	for part, want := range map[int]time.Duration{2: time.Second, 3: 2 * time.Second, 4: 4 * time.Second, 100: time.Minute} {
		require.Equal(t, want, recoverBackoff("EGRESS_FAILED", part), "part %d", part)
		require.Equal(t, time.Second, recoverBackoff("EGRESS_LIMIT_REACHED", part), "part %d", part)
	}
}

func TestWhatRanOutOfTimeWaitsForAWorkerAndHasAFewAttemptsMore(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want []time.Duration // the times that it had
	}{
		"it is done":       {nil, []time.Duration{time.Hour}},
		"it failed":        {errors.New("down"), []time.Duration{time.Hour}},
		"an attempt hung":  {temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil), []time.Duration{time.Hour}},
		"its time is over": {temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil), []time.Duration{time.Hour, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ran []workflow.ActivityOptions
			err := inItsTime(announceOptions, egress.Duration(time.Hour), func(o workflow.ActivityOptions) error {
				ran = append(ran, o)
				return tc.err
			})
			require.Equal(t, tc.err, err)
			require.Len(t, ran, len(tc.want))
			for n, want := range tc.want {
				require.Equal(t, want, ran[n].ScheduleToCloseTimeout)
				require.EqualValues(t, n*10, ran[n].RetryPolicy.MaximumAttempts)
			}
			require.Zero(t, announceOptions.RetryPolicy.MaximumAttempts)
		})
	}
}
