package workflows_test

import (
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// unseen is LiveKit that does not find the recorder in its room, in no look.
func (l *life) unseen() {
	l.poll = func(activities.PollRequest) (egress.Look, error) {
		return egress.Look{
			Info: info(l.t, active), RecorderSeen: true, RecorderAbsent: true, RecorderGone: l.Now(), EndExpected: l.Now(),
		}, nil
	}
}

func TestARecordingWhoseWorkerAnswersIsNotStoppedAlthoughItsRoomDoesNotShowIt(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.unseen()
	l.answers = func(string) (egress.Info, error) { return info(t, active), nil }
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(time.Hour, egress.EventEnded, message(egressID, complete))

	v := l.mustRun(plainInput(t))

	require.Empty(t, l.stops)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.FromWebhook, v.EndedBy)
	require.Greater(t, l.asks, 5, "it is asked again")
	require.Less(t, l.asks, 20, "after the usual waits")
}

func TestAnAnsweringWorkerIsStoppedOnceThatIsAskedFor(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.unseen()
	l.answers = func(string) (egress.Info, error) { return info(t, active), nil }
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.at(30*time.Minute, func() { l.askStop("stop", nil) })
	l.webhook(31*time.Minute, egress.EventEnded, message(egressID, complete))

	v := l.mustRun(plainInput(t))

	require.Equal(t, []string{egressID}, l.stops)
	require.Equal(t, egress.StopRequested, v.Stopped)
}

func TestAWorkerThatAnswersNeitherAQuestionNorAStopIsLost(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.unseen()
	l.answers = func(string) (egress.Info, error) {
		return egress.Info{}, failure(egress.Unanswered, "request timed out")
	}
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, 1, l.asks)
	require.Less(t, l.took(), 10*time.Minute)
}

// A stop is wanted then, and a worker that lives ends it.
func TestAProbeAfterAStopWasAskedForAsksNothingFirst(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.stillActive()
	l.stop = func(string) (egress.Info, error) {
		return egress.Info{}, failure(egress.Unanswered, "request timed out")
	}
	l.at(time.Minute, func() { l.askStop("stop", nil) })

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Lost, v.Status)
	require.Greater(t, len(l.stops), 1)
	require.Zero(t, l.asks)
}

// LiveKit could not be asked then, so nothing of ours has stopped it.
func TestWhatAPersonStopsPastUsAfterAQuestionIsNotStartedAgain(t *testing.T) {
	t.Parallel()
	for why, parts := range map[egress.Reason]int{egress.Unavailable: 1, egress.Ambiguous: 2} {
		t.Run(string(why), func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 1)
			l.poll = func(in activities.PollRequest) (egress.Look, error) {
				if in.EgressID != egressID {
					return l.nothingNew(in)
				}
				return egress.Look{
					Info: info(t, active), RecorderSeen: true, RecorderAbsent: true, RecorderGone: l.Now(), EndExpected: l.Now(),
				}, nil
			}
			l.answers = func(string) (egress.Info, error) { return egress.Info{}, failure(why, "no answer") }
			l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
			stopped := part(1, aborted, 600)
			stopped.SetEndReason(lk.EndReasonAPI)
			l.webhook(10*time.Minute, egress.EventEnded, stopped)
			l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))

			l.mustRun(plainInput(t))

			require.Positive(t, l.asks)
			require.Len(t, *starts, parts)
		})
	}
}

// It is asked for while LiveKit has no capacity, and then meets a slow bus. No look shows of a page
// that its worker lives.
func TestAStopThatWaitedForTheStartIsSentAgain(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.slowStart(5 * time.Minute)
	l.poll = func(activities.PollRequest) (egress.Look, error) {
		return egress.Look{Info: info(t, lk.EgressStatus_EGRESS_STARTING)}, nil
	}
	l.stop = func(string) (egress.Info, error) {
		if len(l.stops) == 1 {
			return egress.Info{}, failure(egress.Unanswered, "request timed out")
		}
		return info(l.t, aborted), nil
	}
	l.at(time.Second, func() { l.askStop("stop", nil) })

	v := l.mustRun(plainInput(t))

	require.Len(t, l.stops, 2)
	require.Equal(t, egress.Status("EGRESS_ABORTED"), v.Status)
}
