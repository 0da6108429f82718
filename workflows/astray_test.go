package workflows_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// Whoever may write to the namespace may send what nobody can read. All that comes
// otherwise is heard all the same.
func TestASignalThatCannotBeReadHoldsUpNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{egress.SignalObserved, egress.SignalReconciled, egress.SignalHint} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.poll = func(activities.PollRequest) (egress.Look, error) { return egress.Look{Info: info(t, complete)}, nil }
			l.at(time.Second, func() { l.SignalWorkflow(name, "nonsense") })
			v := l.mustRun(plainInput(t))
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Equal(t, egress.FromPoll, v.EndedBy)
		})
	}
}

// LiveKit has said in its answer to a stop that the bound egress is over, and its webhook is
// waited for, when another egress of the request shows that it records.
func TestWhatTakesThePlaceOfAnEndThatAwaitsItsWebhookIsWatched(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]int64{"while that is awaited": 30, "and ends long after": 300} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.start = func(context.Context) (activities.Started, error) {
				terms := terms()
				terms.MissedOnly = true
				return activities.Started{Info: info(t, lk.EgressStatus_EGRESS_STARTING), Terms: terms}, nil
			}
			stopped := map[string]time.Duration{}
			l.stop = func(id string) (egress.Info, error) {
				stopped[id] = l.Now().Sub(l.began)
				if id == egressID {
					m := message(egressID, aborted)
					m.EndedAt = l.Now().UnixNano()
					return infoOf(t, m), nil
				}
				return infoOf(t, part(2, lk.EgressStatus_EGRESS_ENDING, 20)), nil
			}
			l.poll = l.nothingNew
			l.at(time.Second, func() { l.askStop("stop", nil) })
			l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
			l.webhook(time.Duration(end)*time.Second, egress.EventEnded, part(2, complete, end))

			v := l.mustRun(plainInput(t))

			require.Equal(t, "EG_2", v.EgressID)
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Equal(t, egress.FromWebhook, v.EndedBy)
			require.Equal(t, []string{egressID, "EG_2"}, l.stops, "the stop is of what records now, too")
			require.Less(t, stopped["EG_2"], 11*time.Second)
			require.Equal(t, []lk.EgressStatus{aborted}, l.toldOf(), "LiveKit told of the other one")
		})
	}
}

// A twin was stopped, and its upload is done while the next part of the recording begins.
func TestATwinThatWasStoppedIsNoNextPart(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 2)
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		*starts = append(*starts, in)
		terms := terms()
		terms.Recover = 2
		n, at := 1, int64(1)
		if in.Part == 2 {
			n, at = 3, 32
		}
		return activities.Started{Info: infoOf(l.t, part(n, lk.EgressStatus_EGRESS_STARTING, at)), Terms: terms}, nil
	}
	l.webhook(5*time.Second, egress.EventUpdated, part(2, active, 5))
	l.webhook(30*time.Second, egress.EventEnded, part(1, failed, 30))
	l.webhook(30*time.Second+500*time.Millisecond, egress.EventEnded, part(2, complete, 30))
	l.webhook(600*time.Second, egress.EventEnded, part(3, complete, 600))
	v, err := l.run(plainInput(t))
	require.NoError(t, err)
	require.Equal(t, part(3, complete, 600).GetEgressId(), v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, []string{part(2, active, 5).GetEgressId()}, l.stops)
}

// refusingTheNext is recovering, where LiveKit refuses each part but the first: the room is gone.
func refusingTheNext(t *testing.T) (l *life, starts *[]activities.StartRequest) {
	t.Helper()
	l, starts = recovering(t, 2)
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		*starts = append(*starts, in)
		if in.Part > 1 {
			return activities.Started{}, temporal.NewNonRetryableApplicationError("room not found", string(egress.NotFound), nil)
		}
		terms := terms()
		terms.Recover = 2
		return activities.Started{Info: infoOf(l.t, part(1, active, 1)), Terms: terms}, nil
	}
	return l, starts
}

// A part is lost and turns out to be complete while the next is being started, which LiveKit
// then refuses, since the room is gone.
func TestACorrectionOfThePartBeforeOutlivesARefusedStart(t *testing.T) {
	t.Parallel()
	l, _ := refusingTheNext(t)
	l.poll = func(activities.PollRequest) (egress.Look, error) {
		return egress.Look{MissingSince: l.Now().Add(-time.Hour)}, nil
	}
	sent := false
	for d := 4 * time.Minute; d < 6*time.Minute; d += 250 * time.Millisecond { // the look is due within
		l.at(d, func() {
			if s := l.state(); !sent && s.Phase == egress.Requested && s.Part == 2 {
				sent = true
				l.SignalWorkflow(egress.SignalObserved, webhook(t, egress.EventEnded, part(1, complete, 300)))
			}
		})
	}
	v, err := l.run(plainInput(t))
	require.NoError(t, err)
	require.True(t, sent)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.Lost, v.Corrects)
	require.Empty(t, v.Because)
	require.Equal(t, egress.FromWebhook, v.EndedBy)
}

func TestWhoAsksForAStopAfterACancelHearsWhatLiveKitSaid(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: info(t, active), Terms: terms()}, nil
	}
	l.poll = l.nothingNew
	l.stop = func(string) (egress.Info, error) { return info(t, lk.EgressStatus_EGRESS_ENDING), nil }
	l.at(time.Second, l.CancelWorkflow)
	told := context.Canceled
	l.at(5*time.Second, func() { l.askStop("stop", &told) })
	l.webhook(60*time.Second, egress.EventEnded, message(egressID, complete))
	l.mustRun(plainInput(t))
	require.NoError(t, told)
}

func TestWhoAwaitsAStartHearsOfItThoughItIsCancelled(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.slowStart(20 * time.Second)
	l.poll = l.nothingNew
	told := context.Canceled
	l.at(time.Second, func() { l.update(egress.UpdateStart, "start", &told, egress.StartUpdate{}) })
	l.at(2*time.Second, l.CancelWorkflow)
	l.webhook(60*time.Second, egress.EventEnded, message(egressID, complete))
	l.mustRun(plainInput(t))
	require.NoError(t, told)
}

// The recorder lost its connection and is back, and LiveKit could not be asked at the moment
// at which that would be weighed.
func TestARecorderOfWhichNobodyCouldAskIsNotStopped(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: info(t, active), Terms: terms()}, nil
	}
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		switch {
		case in.Doubt: // LiveKit answers again
			return egress.Look{Info: info(t, active), RecorderHere: true}, nil
		case in.Until.IsZero() || l.Now().Before(in.Until):
			return egress.Look{}, temporal.NewApplicationErrorWithOptions("not due", string(egress.StillGoing),
				temporal.ApplicationErrorOptions{NextRetryDelay: max(in.Until.Sub(l.Now()), time.Second)})
		}
		return egress.Look{}, nil
	}
	l.at(time.Minute, func() {
		l.SignalWorkflow(egress.SignalHint, hint(t, egress.EventParticipantLeft, roomID, egressID))
	})
	l.at(4*time.Minute, func() {
		require.Zero(t, l.state().EndExpected, "it is seen to be back")
	})
	l.webhook(5*time.Minute, egress.EventEnded, message(egressID, complete))
	v := l.mustRun(plainInput(t))
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Empty(t, l.stops)
}

// A twin was stopped, and the bound egress breaks off. What the twin recorded is then all
// there is, and its end is the recording's.
func TestATwinThatOutlivesABrokenOffEgressIsToldOf(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]time.Duration{"at once": 0, "after the failure was held": 30 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.start = func(context.Context) (activities.Started, error) {
				terms := terms()
				terms.Policy.HoldFor, terms.Policy.CorrectFor = egress.Duration(hold), egress.Duration(time.Hour)
				return activities.Started{Info: info(t, active), Terms: terms}, nil
			}
			l.poll = l.nothingNew
			l.webhook(5*time.Second, egress.EventUpdated, part(2, active, 5))
			l.webhook(30*time.Second, egress.EventEnded, message(egressID, failed))
			l.webhook(40*time.Second, egress.EventEnded, part(2, complete, 39))
			v, err := l.run(plainInput(t))
			require.NoError(t, err)
			require.Equal(t, part(2, complete, 39).GetEgressId(), v.EgressID)
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		})
	}
}

// It is stopped, the bound one fails in its live room, and LiveKit refuses the next part.
func TestATwinThatEndsWhileTheNextPartIsRefusedIsToldOf(t *testing.T) {
	t.Parallel()
	l, starts := refusingTheNext(t)
	l.webhook(5*time.Second, egress.EventUpdated, part(2, active, 5))
	l.webhook(30*time.Second, egress.EventEnded, part(1, failed, 30))
	l.webhook(30*time.Second+500*time.Millisecond, egress.EventEnded, part(2, complete, 30))
	v, err := l.run(plainInput(t))
	require.NoError(t, err)
	require.Len(t, *starts, 2)
	var told []string
	for _, e := range l.announced {
		told = append(told, e.Proto().GetEgressInfo().GetEgressId())
	}
	require.ElementsMatch(t, []string{part(1, active, 1).GetEgressId(), part(2, active, 1).GetEgressId()}, told, "%+v", v)
}

// A worker whose clock is ahead of Temporal's answers before a probe is due by the latter.
func TestAWorkerWhoseClockIsAheadIsNotAskedWithoutAPause(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: info(t, lk.EgressStatus_EGRESS_STARTING), Terms: terms()}, nil
	}
	var gone time.Time
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		switch {
		case in.Have != active: // from now on no webhook is known to come
			return egress.Look{Info: info(t, active)}, nil
		case gone.IsZero(): // a minute ago by the worker's clock, 50 s by Temporal's
			gone = l.Now().Add(-50 * time.Second)
		}
		return egress.Look{Info: info(t, active), RoomGone: gone, EndExpected: gone, RecorderAbsent: true}, nil
	}
	l.stop = func(string) (egress.Info, error) {
		return egress.Info{}, failure(egress.Unanswered, "request timed out")
	}
	v := l.mustRun(plainInput(t))
	require.Equal(t, egress.Lost, v.Status)
	require.LessOrEqual(t, len(l.polls), 4)
	require.True(t, l.polls[2].From.Equal(gone.Add(time.Minute)), "the next one is when a probe is due")
}
