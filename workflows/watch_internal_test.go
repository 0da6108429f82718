package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAStartIsLookedForWhereAResetMayHaveSentItBefore(t *testing.T) {
	t.Parallel()
	by := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	asked := egress.Input{StartBy: &by, Again: true, Unlisted: true}
	sent := egress.Input{Again: true, Unlisted: true}
	for name, tc := range map[string]struct {
		in   egress.Input
		part int
		info workflow.Info // the run that was reset, if any
		age  time.Duration
		want egress.Input
	}{
		"as asked":                  {asked, 1, workflow.Info{}, 48 * time.Hour, asked},
		"a later part":              {asked, 2, workflow.Info{}, 0, egress.Input{}},
		"a reset":                   {egress.Input{}, 1, workflow.Info{OriginalRunID: "before"}, 25 * time.Hour, sent},
		"a later part, after reset": {asked, 2, workflow.Info{OriginalRunID: "before"}, 26 * time.Hour, egress.Input{Again: true}}, // it may have been long ago
		"a reset when LiveKit may have forgotten the start": {
			egress.Input{}, 1, workflow.Info{OriginalRunID: "before"}, 26 * time.Hour, sent.OnlyLook(),
		},
		"a reset of a run that waited for its time": {
			egress.Input{}, 1, workflow.Info{OriginalRunID: "before", CronSchedule: "0 9 * * *"}, 26 * time.Hour, sent,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.info.WorkflowStartTime, tc.info.WorkflowExecution.RunID = by, "this run"
			require.Equal(t, tc.want, inputOf(tc.in, tc.part, &tc.info, by.Add(tc.age)))
		})
	}
}

func TestARunIsOfAResetWhereItsHistoryBeganAsAnothers(t *testing.T) {
	t.Parallel()
	for original, want := range map[string]bool{"the run before": true, "this run": false, "": false} {
		require.Equal(t, want, wasReset(&workflow.Info{OriginalRunID: original, WorkflowExecution: workflow.Execution{RunID: "this run"}}), original)
	}
}

// Cron runs the same argument again, which no run has left to the next one.
func TestAStateThatCronBeginsAgainIsRefused(t *testing.T) {
	t.Parallel()
	left := egress.Argument{Input: egress.Input{Carried: &egress.State{Phase: egress.Watching}}}
	info := &workflow.Info{WorkflowExecution: workflow.Execution{ID: egress.WorkflowID("standup-1")}, ContinuedExecutionRunID: "the run before"}
	id, err := admit(info, left, false)
	require.NoError(t, err)
	require.Equal(t, "standup-1", id)
	info.CronSchedule = "0 9 * * *"
	_, err = admit(info, left, false)
	require.ErrorContains(t, err, "is set only by continue-as-new")
}

// The history of such a run begins when the last one ended.
func TestARunOfACronScheduleBeginsAtItsTime(t *testing.T) {
	t.Parallel()
	start, now := time.Unix(100, 0), time.Unix(90_000, 0)
	require.Equal(t, start, began(&workflow.Info{WorkflowStartTime: start}, now))
	require.Equal(t, now, began(&workflow.Info{WorkflowStartTime: start, CronSchedule: "0 9 * * *"}, now))
}

// Callers in every language read type and details.
func TestWhatAnActivityDiesOfHasAReason(t *testing.T) {
	t.Parallel()
	var app *temporal.ApplicationError
	require.ErrorAs(t, plainly("stop egress", temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil)), &app)
	var details egress.Error
	require.NoError(t, app.Details(&details))
	require.Equal(t, string(egress.Internal), app.Type())
	require.Equal(t, egress.Internal, details.Reason)
	require.Contains(t, app.Message(), "stop egress: ")

	require.True(t, temporal.IsCanceledError(plainly("probe", temporal.NewCanceledError())), "the workflow closes as cancelled")
}
