package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// hook is a notification hook that an egress began with, or without.
type hook struct {
	begun []string // IDs of the workflows that carry notices
	told  []egress.Notice
	down  error
}

func (l *life) hook(on bool) *hook {
	h := &hook{}
	l.start = func(context.Context) (activities.Started, error) {
		t := terms()
		t.Notify = on
		return activities.Started{Info: info(l.t, lk.EgressStatus_EGRESS_STARTING), Terms: t}, nil
	}
	w := &workflows.Workflows{Terms: terms()}
	l.RegisterWorkflowWithOptions(w.Notice, workflow.RegisterOptions{Name: egress.NoticeType})
	l.RegisterActivityWithOptions(func(_ context.Context, n egress.Notice) error {
		if h.down != nil {
			return h.down
		}
		l.note(func() { h.told = append(h.told, n) })
		return nil
	}, activity.RegisterOptions{Name: "Notify"})
	l.SetOnChildWorkflowStartedListener(func(i *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		h.begun = append(h.begun, i.WorkflowExecution.ID)
	})
	return h
}

// neverTaken is a consumer that a person has to see to, who leaves it out after a while.
func (l *life) neverTaken() {
	l.announce = func(egress.Event) error { return failure(egress.Invalid, "no such host") }
	l.at(time.Hour, func() { l.update(egress.UpdateSkip, "skip", new(error), egress.StepAnnounce) })
}

func TestPeopleAreToldOfWhatConcernsThem(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script func(*life)
		want   []string
	}{
		"a webhook was missed": {func(*life) {}, []string{"egress-notice/standup-1/missed"}},
		"it is lost": {func(l *life) {
			l.poll = func(activities.PollRequest) (egress.Look, error) {
				return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
			}
		}, []string{"egress-notice/standup-1/lost"}},
		"a step waits for a person": {func(l *life) { l.lived(); l.neverTaken() }, []string{"egress-notice/standup-1/stuck-announce"}},
		"it runs for very long":     {(*life).runsLong, []string{"egress-notice/standup-1/stuck-long"}},
		"a webhook was missed, and a step waits": {func(l *life) { l.neverTaken() },
			[]string{"egress-notice/standup-1/missed", "egress-notice/standup-1/stuck-announce"}},
		"all is well": {func(l *life) { l.lived() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			h := l.hook(true)
			tc.script(l)
			l.mustRun(plainInput(t))
			require.ElementsMatch(t, tc.want, h.begun)
		})
		t.Run(name+", without a hook", func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			h := l.hook(false)
			tc.script(l)
			l.mustRun(plainInput(t))
			require.Empty(t, h.begun)
		})
	}
}

func TestAStepThatWaitsTwiceIsToldOnce(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	h := l.hook(true)
	l.lived()
	l.neverTaken()
	l.at(30*time.Minute, func() { l.update(egress.UpdateRetry, "retry", new(error), egress.StepAnnounce) })
	l.mustRun(plainInput(t))
	require.Len(t, h.begun, 1)
	require.Len(t, h.told, 1)
	require.Equal(t, egress.StepAnnounce, h.told[0].Step)
	require.Contains(t, h.told[0].Because, "no such host")
}

func TestPeopleAreToldOfEachRedeliveryThatWaitsForThem(t *testing.T) {
	t.Parallel()
	in := plainInput(t)
	s := delivered(t, in, func(l *life) {
		l.hook(true)
		l.lived()
		l.neverTaken()
	})
	require.Equal(t, []string{"stuck-announce"}, s.Noticed)
	for n, want := range map[int]string{1: "stuck-announce/1", 2: "stuck-announce/2"} {
		l := newLife(t)
		l.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: egress.RedeliveryID(requestID, n), TaskQueue: egress.TaskQueue})
		h := l.hook(true)
		l.neverTaken()
		_, err := l.redeliver(in, again(t, s, ""))
		require.NoError(t, err)
		require.Equal(t, []string{egress.NoticeID(requestID, want)}, h.begun)
	}
}

func TestAHookThatIsDownHoldsUpNothing(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]error{
		"for days":    temporal.NewApplicationErrorWithOptions("down", string(egress.ConsumerFailed), temporal.ApplicationErrorOptions{NextRetryDelay: 5 * time.Hour}),
		"for ever":    failure(egress.Invalid, "no hook"),
		"for a while": errors.New("down"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			h := l.hook(true)
			h.down = down
			over := false
			l.at(time.Minute, func() { over = l.IsWorkflowCompleted() })
			v := l.mustRun(plainInput(t))
			require.Equal(t, egress.FromPoll, v.EndedBy)
			require.Len(t, l.announced, 1)
			require.Len(t, h.begun, 1)
			require.True(t, over || l.took() < time.Minute, "it took longer than without a hook")
		})
	}
}

// notice is a notice's workflow by itself.
func notice(t *testing.T, notify func(attempt int) error) (took time.Duration, err error) {
	t.Helper()
	env := newEnv(egress.NoticeID(requestID, "lost"))
	w := &workflows.Workflows{}
	env.RegisterWorkflowWithOptions(w.Notice, workflow.RegisterOptions{Name: egress.NoticeType})
	env.RegisterActivityWithOptions(func(ctx context.Context, _ egress.Notice) error {
		return notify(int(activity.GetInfo(ctx).Attempt))
	}, activity.RegisterOptions{Name: "Notify"})
	began := env.Now()
	env.ExecuteWorkflow(egress.NoticeType, egress.Notice{Concern: egress.ConcernLost, RequestID: requestID, For: egress.Duration(72 * time.Hour)})
	require.True(t, env.IsWorkflowCompleted())
	return env.Now().Sub(began), env.GetWorkflowError()
}

func TestANoticeOutlastsADayWithoutTheHook(t *testing.T) {
	t.Parallel()
	took, err := notice(t, func(attempt int) error {
		if attempt < 9 { // the test environment gives up after ten
			return temporal.NewApplicationErrorWithOptions("down", string(egress.ConsumerFailed), temporal.ApplicationErrorOptions{NextRetryDelay: 3 * time.Hour})
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, took, 23*time.Hour)
}

func TestANoticeThatNobodyTakesFailsInItsTime(t *testing.T) {
	t.Parallel()
	took, err := notice(t, func(int) error { return down(20 * time.Hour) })
	require.Error(t, err)
	require.InDelta(t, 60, took.Hours(), 0.5, "the next try would be after its three days")
}
