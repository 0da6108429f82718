package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAStartMayHaveBeenSentBeforeForEachReasonAlone(t *testing.T) {
	t.Parallel()
	info := func(attempt int32) activity.Info {
		return activity.Info{Attempt: attempt, WorkflowExecution: workflow.Execution{RunID: "this-run"}}
	}
	for name, tc := range map[string]struct {
		asked StartRequest
		info  activity.Info
		want  bool
	}{
		"the first attempt":                  {StartRequest{RunID: "this-run"}, info(1), false},
		"asked for by an older worker":       {StartRequest{}, info(1), false},
		"after an earlier run of its key":    {StartRequest{Input: egress.Input{Again: true}}, info(1), false},
		"a second attempt":                   {StartRequest{}, info(2), true},
		"after one past Temporal, unsettled": {StartRequest{Input: egress.Input{Unlisted: true}}, info(1), true},
		"after a reset":                      {StartRequest{RunID: "the-run-before"}, info(1), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.asked.maybeSent(tc.info))
		})
	}
}

// Temporal may have been restored from a backup of the time when it was sent but no worker had it
// yet.
func TestAStartThatWaitedLongForAWorkerMayHaveBeenPutBack(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		waited time.Duration
		by     *time.Time
		want   bool
	}{
		"taken in time":       {time.Minute, nil, false},
		"taken late":          {time.Minute + time.Second, nil, true},
		"with its own moment": {time.Hour, &sent, false},
	} {
		r := StartRequest{Input: egress.Input{StartBy: tc.by}}
		require.Equal(t, tc.want, r.maybePutBack(activity.Info{ScheduledTime: sent, StartedTime: sent.Add(tc.waited)}), name)
	}
}
