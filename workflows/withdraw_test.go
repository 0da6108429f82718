package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// waitingForAPublisher is a life whose first part has reached its limit after 10 s, and whose next
// part waits for somebody who publishes. found is what a search finds that part to be.
func waitingForAPublisher(t *testing.T, found *lk.EgressInfo) (l *life, starts *[]activities.StartRequest) {
	t.Helper()
	l, starts = recovering(t, 2)
	l.OnActivity("Start", mock.Anything, mock.MatchedBy(func(in activities.StartRequest) bool { return in.Part == 2 && !in.OnlyLook })).
		After(5*time.Minute).Return(activities.Started{}, failure(egress.TooLate, "nobody publishes in the room"))
	l.OnActivity("Start", mock.Anything, mock.Anything).Return(func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := l.started(ctx, in)
		switch {
		case in.Part == 1:
			return s, err
		case found == nil:
			return activities.Started{}, failure(egress.TooLate, "LiveKit lists no earlier start")
		}
		s.Info = infoOf(t, found)
		return s, nil
	})
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(10*time.Second, egress.EventEnded, part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 10))
	return l, starts
}

// Such a part would be aborted, though all that was to be recorded is.
func TestNoPartIsStartedThatWaitsForAPublisherWhenAStopIsAskedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ask  func(l *life, told *error)
		want egress.StopReason
	}{
		"by a stop":            {func(l *life, told *error) { l.askStop("stop", told) }, egress.StopRequested},
		"by cancelling it all": {func(l *life, _ *error) { l.CancelWorkflow() }, egress.StopCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := waitingForAPublisher(t, nil)
			var told error
			l.at(time.Minute, func() { tc.ask(l, &told) })

			v := l.mustRun(plainInput(t))

			require.NoError(t, told)
			require.Less(t, l.took(), 2*time.Minute, "the start is not waited for")
			require.Empty(t, l.stops)
			require.Equal(t, egressID, v.EgressID)
			require.Equal(t, egress.Status("EGRESS_LIMIT_REACHED"), v.Status)
			require.Equal(t, tc.want, v.Stopped)
			require.Equal(t, []lk.EgressStatus{lk.EgressStatus_EGRESS_LIMIT_REACHED}, l.toldOf())
			last := (*starts)[len(*starts)-1]
			require.Equal(t, 2, last.Part)
			require.True(t, last.OnlyLook, "it only looks for what a worker that died may have begun")
			require.WithinDuration(t, l.began.Add(time.Minute), last.NotAfter, time.Second)
		})
	}
}

// Its worker died when it had asked LiveKit.
func TestAPartThatBeganBeforeItsStartWasTakenBackIsStopped(t *testing.T) {
	t.Parallel()
	l, _ := waitingForAPublisher(t, part(2, active, 50))
	l.stop = func(string) (egress.Info, error) { return infoOf(t, part(2, ending, 60)), nil }
	var told error
	l.at(time.Minute, func() { l.askStop("stop", &told) })
	l.webhook(2*time.Minute, egress.EventEnded, part(2, complete, 120))

	v := l.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Equal(t, []string{"EG_2"}, l.stops)
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
}

// LiveKit answered with a status that this version does not know.
func TestAStopAfterAnAnswerThatBoundNothingIsTaken(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := first(ctx, in)
		if in.Part == 2 {
			s.Info = infoOf(t, part(2, 77, 11))
		}
		return s, err
	}
	var told error
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(10*time.Second, egress.EventEnded, part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 10))
	l.at(time.Minute, func() { l.askStop("stop", &told) })
	l.webhook(2*time.Minute, egress.EventEnded, part(2, complete, 120))

	v := l.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, egress.StopRequested, v.Stopped)
}

// What its worker says of it then counts: a stop is not answered while LiveKit may be starting it.
func TestAStartThatIsTakenBackIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := realTemporal(t)
	w := worker.New(c, egress.TaskQueue, worker.Options{})
	w.RegisterWorkflowWithOptions((&workflows.Workflows{Terms: terms()}).Egress, workflow.RegisterOptions{Name: egress.WorkflowType})
	begun := make(chan activities.StartRequest, 10)
	w.RegisterActivityWithOptions(func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		begun <- in
		agreed := terms()
		agreed.Recover = 1
		for in.Part == 2 && !in.OnlyLook && ctx.Err() == nil {
			activity.RecordHeartbeat(ctx)
			<-time.After(time.Second)
		}
		if temporal.IsCanceledError(context.Cause(ctx)) {
			return activities.Started{}, failure(egress.TooLate, "it is not wanted")
		}
		return activities.Started{Info: infoOf(t, part(in.Part, active, 1)), Terms: agreed}, nil
	}, activity.RegisterOptions{Name: "Start"})
	w.RegisterActivityWithOptions(func(context.Context, activities.Announcement) error { return nil }, activity.RegisterOptions{Name: "Announce"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)

	id := egress.WorkflowID(requestID)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: egress.TaskQueue}, egress.WorkflowType, plainInput(t))
	require.NoError(t, err)
	<-begun
	require.NoError(t, c.SignalWorkflow(t.Context(), id, "", egress.SignalObserved, webhook(t, egress.EventEnded, part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 10))))
	require.Equal(t, 2, (<-begun).Part)
	stop, err := c.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: egress.UpdateStop, Args: []any{egress.StopUpdate{AskedBy: ann}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	require.NoError(t, stop.Get(t.Context(), nil))
	var v egress.Verdict
	require.NoError(t, run.Get(t.Context(), &v))
	require.Equal(t, egress.Status("EGRESS_LIMIT_REACHED"), v.Status)
	require.Empty(t, begun, "nothing has to be looked for")
}

// Its token has the number of the next one: its workflow was terminated, and another one found it.
func TestAStartThatFindsAPartThatWasToldBeginsNone(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.announce = func(egress.Event) error { return l.downFor(time.Hour, 10*time.Minute) }
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := first(ctx, in)
		if in.Part == 2 {
			s.Info = infoOf(t, part(1, failed, 10))
		}
		return s, err
	}
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	var told error
	l.at(time.Minute, func() { l.askStop("stop", &told) })

	v := l.mustRun(plainInput(t))

	require.ErrorContains(t, told, "cannot be stopped")
	require.Equal(t, egressID, v.EgressID)
	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
	require.Empty(t, v.Parts)
	require.Equal(t, []lk.EgressStatus{failed}, l.toldOf())
	require.Len(t, *starts, 2)
	require.Empty(t, (*starts)[0].Parts)
	require.Equal(t, []string{egressID}, (*starts)[1].Parts, "a worker of this version does not find it")
}

func TestAStartThatIsTakenBackAndFindsAPartThatWasToldIsOver(t *testing.T) {
	t.Parallel()
	l, starts := waitingForAPublisher(t, part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 10))
	told := errors.New("no answer")
	l.at(time.Minute, func() { l.askStop("stop", &told) })

	v := l.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Less(t, l.took(), 2*time.Minute)
	require.Equal(t, egressID, v.EgressID)
	require.Equal(t, egress.StopRequested, v.Stopped)
	require.Len(t, *starts, 2)
}

// The recording is being announced, and its longest duration has not passed yet.
func TestAStopOfARecordingThatIsOverBeforeANextPartCouldBeginIsRefused(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.announce = func(egress.Event) error { return l.downFor(time.Minute, 10*time.Second) }
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(15*time.Second, egress.EventEnded, part(1, failed, 15))
	var told error
	l.at(15200*time.Millisecond, func() { l.askStop("stop", &told) })
	in := plainInput(t)
	in.MaxDuration = egress.Duration(15500 * time.Millisecond)

	v := l.mustRun(in)

	require.ErrorContains(t, told, "cannot be stopped")
	require.Empty(t, v.Stopped)
	require.Len(t, *starts, 1)
}
