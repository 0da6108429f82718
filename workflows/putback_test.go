package workflows_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// Temporal was restored from a backup that was made before that part was started, stopped and told.
func TestAPartWhoseTimeIsLongPastIsLookedForBeforeItIsStarted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ended time.Duration
		by    bool
		want  bool
	}{
		"it ended just now": {ended: 10 * time.Second}, "long ago": {ended: -time.Hour, want: true},
		"long ago, after a start of the door's": {ended: -time.Hour, by: true, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 1)
			first := part(1, failed, 10)
			first.EndedAt = l.began.Add(tc.ended).UnixNano()
			l.webhook(10*time.Second, egress.EventEnded, first)
			l.webhook(60*time.Second, egress.EventEnded, part(2, complete, 60))
			in := plainInput(t)
			if tc.by {
				by := l.began.Add(time.Second)
				in.StartBy = &by
			}

			l.mustRun(in)

			require.Len(t, *starts, 2)
			require.False(t, (*starts)[0].Input.Again)
			require.Equal(t, tc.want, (*starts)[1].Input.Again)
			require.False(t, (*starts)[1].Input.Unlisted)
		})
	}
}

// That part was stopped as well, and the round tells of its end before it tells of that of part 1.
func TestAPartThatARestoreForgotIsNoEarlierPartOnceItHasEnded(t *testing.T) {
	t.Parallel()
	ended := part(2, complete, 10)
	l, starts := forgetful(t, ended, ended)
	l.twin = func(in activities.TwinRequest) (activities.TwinAnswer, error) {
		require.True(t, in.Over)
		return activities.TwinAnswer{Later: in.After.Part == 1}, nil
	}
	l.webhook(time.Minute, egress.EventEnded, part(3, complete, 60)) // if that were started

	v := l.mustRun(plainInput(t))

	require.Len(t, *starts, 2)
	require.Equal(t, 2, (*starts)[1].Part)
	require.True(t, (*starts)[1].Input.Again, "it is looked for before another one is asked for")
	require.Equal(t, "EG_2", v.EgressID)
	require.Len(t, v.Parts, 2)
	require.Equal(t, egressID, v.Parts[0].EgressID)
	require.ElementsMatch(t, []lk.EgressStatus{lk.EgressStatus_EGRESS_LIMIT_REACHED, complete}, l.toldOf())
}

// What ended before a run began is another recording, unless an earlier start may have begun it.
func TestAStartSaysSinceWhenItsEgressCanBe(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*egress.Input)
		says   bool
	}{
		"the first start":            {func(*egress.Input) {}, true},
		"one that comes again":       {func(in *egress.Input) { in.Again = true }, false},
		"one that may not be listed": {func(in *egress.Input) { in.Unlisted = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 1)
			l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
			l.webhook(60*time.Second, egress.EventEnded, part(2, complete, 60))
			in := plainInput(t)
			tc.change(&in)

			l.mustRun(in)

			require.Len(t, *starts, 2)
			require.Equal(t, tc.says, !(*starts)[0].Since.IsZero())
			require.Equal(t, int64(10), (*starts)[1].Since.Unix(), "a next part begins after the one before")
		})
	}
}

// It failed before it began.
func TestAPartWithoutAStartIsFollowedByWhatBeganAfterItsEnd(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	never := part(1, failed, 0)
	never.EndedAt = 10 * time.Second.Nanoseconds()
	l.webhook(10*time.Second, egress.EventEnded, never)
	l.webhook(60*time.Second, egress.EventEnded, part(2, complete, 60))

	l.mustRun(plainInput(t))

	require.Len(t, *starts, 2)
	require.Equal(t, int64(10), (*starts)[1].Since.Unix())
}

// It was begun before Temporal was restored from a backup, and has recorded since: its limit
// counts from its beginning.
func TestALimitOfWhatALateStartFindsCountsFromItsBeginning(t *testing.T) {
	t.Parallel()
	for _, waits := range []time.Duration{0, 30 * time.Minute} {
		t.Run(waits.String(), func(t *testing.T) {
			t.Parallel()
			l, _ := recovering(t, 0)
			l.started = func(context.Context, activities.StartRequest) (activities.Started, error) {
				m := message(egressID, active)
				m.StartedAt = l.began.UnixNano()
				return activities.Started{Info: infoOf(t, m), Terms: terms()}, nil
			}
			var stopped time.Duration
			l.stop = func(string) (egress.Info, error) {
				stopped = l.Now().Sub(l.began)
				return info(t, lk.EgressStatus_EGRESS_COMPLETE), nil
			}
			l.waits(waits)
			in := plainInput(t)
			in.MaxDuration = egress.Duration(time.Hour)

			l.ExecuteWorkflow("Waits", in)

			require.NoError(t, l.GetWorkflowError())
			require.WithinDuration(t, l.began.Add(time.Hour), l.began.Add(stopped), time.Minute)
		})
	}
}

// No worker ran: its webhooks wait in Temporal, and LiveKit's answer to the start is lost.
func TestALimitOfWhatWeHearOfLateCountsFromItsBeginning(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]func(*lk.EgressInfo) (activities.Started, error){
		"another attempt finds it": func(m *lk.EgressInfo) (activities.Started, error) {
			return activities.Started{Info: infoOf(t, m), Terms: terms()}, nil
		},
		"it is not found": func(*lk.EgressInfo) (activities.Started, error) {
			return activities.Started{}, failure(egress.TooLate, "no earlier start found")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.stillActive()
			accepted, m, died := message(egressID, lk.EgressStatus_EGRESS_STARTING), message(egressID, active), false
			accepted.StartedAt, m.StartedAt = 0, l.began.Add(2*time.Second).UnixNano()
			l.start = func(context.Context) (activities.Started, error) {
				if !died {
					died = true
					return activities.Started{}, againIn(61*time.Minute, egress.Unreachable)
				}
				return answers(m)
			}
			l.webhook(time.Hour, egress.EventStarted, accepted)
			l.webhook(time.Hour, egress.EventUpdated, m)
			var stopped time.Duration
			l.stop = func(string) (egress.Info, error) {
				stopped = l.took()
				return info(t, lk.EgressStatus_EGRESS_COMPLETE), nil
			}
			in := plainInput(t)
			in.MaxDuration = egress.Duration(2 * time.Hour)

			l.mustRun(in)

			require.Equal(t, 2*time.Hour+2*time.Second, stopped.Round(time.Second))
		})
	}
}

// waits registers the workflow "Waits", which is an egress that no worker takes for a while.
func (l *life) waits(d time.Duration) {
	l.RegisterWorkflowWithOptions(func(ctx workflow.Context, arg egress.Argument) (egress.Verdict, error) {
		if err := workflow.Sleep(ctx, d); err != nil {
			return egress.Verdict{}, err
		}
		return l.worker.Egress(ctx, arg)
	}, workflow.RegisterOptions{Name: "Waits"})
}

// No worker ran, or none had taken it yet in the backup that Temporal was restored from. A start with
// a StartBy is good for a moment alone.
func TestAStartThatNobodyTookForLongIsLookedForBeforeItIsMade(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		waits time.Duration
		by    bool
		want  bool
	}{
		"at once": {}, "soon": {waits: 59 * time.Second}, "long after": {waits: time.Hour, want: true},
		"long after its moment": {waits: time.Hour, by: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 0)
			l.waits(tc.waits)
			l.webhook(tc.waits+10*time.Second, egress.EventEnded, part(1, complete, 10))
			in := plainInput(t)
			if tc.by {
				in.StartBy = &l.began
			}

			l.ExecuteWorkflow("Waits", in)

			require.NoError(t, l.GetWorkflowError())
			require.Len(t, *starts, 1)
			require.Equal(t, tc.want, (*starts)[0].Input.Again)
			require.False(t, (*starts)[0].Input.Unlisted)
		})
	}
}
