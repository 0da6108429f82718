package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// nextRun is what a run leaves to the next one, once the server has suggested that.
func (l *life) nextRun(in egress.Input) egress.Input {
	l.t.Helper()
	_, err := l.run(in)
	var next *workflow.ContinueAsNewError
	require.ErrorAs(l.t, err, &next)
	var carried egress.Input
	require.NoError(l.t, payloads().FromPayloads(next.Input, &carried))
	require.NotNil(l.t, carried.Carried)
	return carried
}

// While a twin is being stopped, what arrives waits, and the next run would not hear of it. A cancel
// is of one run.
func TestAFullHistoryGoesOnOnlyOnceWhatWaitsIsTaken(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		arrives func(l *life)
		taken   func(s *egress.State) bool
	}{
		"a webhook": {
			func(l *life) {
				l.SignalWorkflow(egress.SignalObserved, webhook(l.t, egress.EventUpdated, message(egressID, ending)))
			},
			func(s *egress.State) bool { return s.Latest.Proto().GetStatus() == ending },
		},
		"what the reconciler saw": {
			func(l *life) {
				l.SignalWorkflow(egress.SignalReconciled, webhook(l.t, egress.EventUpdated, message(egressID, ending)))
			},
			func(s *egress.State) bool { return s.Latest.Proto().GetStatus() == ending },
		},
		"that its room has finished": {
			func(l *life) { l.SignalWorkflow(egress.SignalHint, hint(l.t, egress.EventRoomFinished, roomID, "")) },
			func(s *egress.State) bool { return !s.Evidence.RoomGone.IsZero() },
		},
		"a cancel": {
			func(l *life) { l.CancelWorkflow() },
			func(s *egress.State) bool { return s.Stopped == egress.StopCancelled },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.OnActivity("StopTwin", mock.Anything, mock.Anything).After(5*time.Second).Return(activities.TwinAnswer{}, nil)
			l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
			l.webhook(time.Minute, egress.EventUpdated, part(2, active, 60))
			l.at(time.Minute+time.Second, func() { l.SetContinueAsNewSuggested(true) })
			l.at(time.Minute+2*time.Second, func() { tc.arrives(l) })

			next := l.nextRun(plainInput(t))

			require.True(t, tc.taken(next.Carried))
			require.InDelta(t, 65, l.took().Seconds(), 1)
		})
	}
}

func TestAFullHistoryGoesOnOnlyOnceTheStartIsAnswered(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.slowStart(20 * time.Second)
	l.at(time.Second, func() { l.SetContinueAsNewSuggested(true) })
	l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))

	next := l.nextRun(plainInput(t))

	require.True(t, next.Carried.Started)
}

func TestWhatIsOverIsToldByItsOwnRun(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.at(time.Second, func() { l.SetContinueAsNewSuggested(true) })
	l.webhook(2*time.Second, egress.EventEnded, message(egressID, complete))

	l.mustRun(plainInput(t))

	require.Equal(t, []lk.EgressStatus{complete}, l.toldOf())
}

func TestWhoAsksForAStopAsTheHistoryIsFullIsAnswered(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.poll = l.nothingNew
	l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
	l.at(time.Minute, func() { l.SetContinueAsNewSuggested(true) })
	told := errors.New("no answer")
	l.at(time.Minute, func() { l.askStop("stop", &told) })

	next := l.nextRun(plainInput(t))

	require.NoError(t, told)
	require.Equal(t, egress.StopRequested, next.Carried.Stopped)
}

func TestAPartIsToldByTheRunInWhichItEnded(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.announce = func(egress.Event) error { return l.downFor(time.Hour, 10*time.Minute) }
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.at(time.Minute, func() { l.SetContinueAsNewSuggested(true) })
	l.webhook(time.Minute, egress.EventUpdated, part(2, active, 60))

	next := l.nextRun(plainInput(t))

	require.Equal(t, []lk.EgressStatus{failed}, l.toldOf())
	require.Equal(t, 2, next.Carried.Part)
}

func TestAnEventIsRelayedByTheRunThatHeardIt(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.poll = l.nothingNew
	l.at(time.Second, func() { l.SetContinueAsNewSuggested(true) })
	l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))

	l.nextRun(hooked(t, "https://a.example.com/hook"))

	require.Equal(t, []string{"0 egress_updated"}, l.told)
}

// Updates that come faster than the caller's webhook answers are dropped for it, not for the history.
func TestAFullHistoryWaitsForNoMoreThanOneEventOfThoseThatComeNow(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.stillActive()
	relayed := 0
	l.OnActivity("Tell", mock.Anything, mock.Anything).After(15 * time.Second).Return(func(context.Context, activities.TellRequest) error {
		l.note(func() { relayed++ })
		return nil
	})
	l.at(time.Second, func() { l.SetContinueAsNewSuggested(true) })
	for after := 2 * time.Second; after < 10*time.Minute; after += 10 * time.Second {
		l.webhook(after, egress.EventUpdated, message(egressID, active))
	}
	l.webhook(10*time.Minute, egress.EventEnded, message(egressID, complete))

	l.nextRun(hooked(t, "https://a.example.com/hook"))

	require.Equal(t, 1, relayed)
	require.Less(t, l.took(), time.Minute)
}

// Here it is not the caller's webhook that the next run waits for.
func TestEventsAreRelayedWhileAFullHistoryWaitsForTheConsumer(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.announce = func(egress.Event) error { return l.downFor(time.Hour, 10*time.Minute) }
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.at(2*time.Minute, func() { l.SetContinueAsNewSuggested(true) })
	for _, second := range []int64{180, 780, 1380} {
		l.webhook(time.Duration(second)*time.Second, egress.EventUpdated, part(2, active, second))
	}

	l.nextRun(hooked(t, "https://a.example.com/hook"))

	require.Equal(t, []string{"0 egress_ended", "0 egress_updated", "0 egress_updated", "0 egress_updated"}, l.told)
}

func TestANoticeHasBegunBeforeAFullHistoryGoesOn(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	h := l.hook(true)
	l.stillActive()
	l.at(13*time.Hour-time.Second, func() { l.SetContinueAsNewSuggested(true) })
	l.webhook(13*time.Hour+time.Minute, egress.EventUpdated, message(egressID, active))

	next := l.nextRun(plainInput(t))

	require.NotEmpty(t, next.Carried.Stuck)
	require.Equal(t, []string{"egress-notice/standup-1/stuck-long"}, h.begun)
	require.InDelta(t, 13*60+1, l.took().Minutes(), 0.5, "and not in the task that begins it")
}

func TestTheRestartsOfARecordingAreThoseOfAllItsRuns(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(time.Minute, egress.EventUpdated, part(2, active, 60))
	l.at(2*time.Minute, func() { l.SetContinueAsNewSuggested(true) })
	l.webhook(2*time.Minute+time.Second, egress.EventUpdated, part(2, active, 121))
	in := l.nextRun(plainInput(t))

	next, starts := recovering(t, 1)
	next.webhook(10*time.Second, egress.EventEnded, part(2, failed, 300))
	v := next.mustRun(in)

	require.Empty(t, *starts)
	require.Equal(t, []lk.EgressStatus{failed}, next.toldOf())
	require.Len(t, v.Parts, 2)
}

// An earlier run was admitted by the rules of an older version.
func TestWhatANewerVersionWouldRefuseGoesOnInTheNextRun(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.stillActive()
	l.at(time.Minute, func() { l.SetContinueAsNewSuggested(true) })
	l.webhook(time.Minute+time.Second, egress.EventUpdated, message(egressID, active))
	in := l.nextRun(plainInput(t))
	in.Recover = new(egress.MaxRecover + 1)
	require.Error(t, in.Validate(requestID))

	next := newLife(t)
	next.webhook(time.Minute, egress.EventEnded, message(egressID, complete))
	next.mustRun(in)

	require.Equal(t, []lk.EgressStatus{complete}, next.toldOf())
}
