package workflows_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// delivered is a life that is over: what its workflow knew when it closed.
func delivered(t *testing.T, in egress.Input, play func(*life)) egress.State {
	t.Helper()
	l := newLife(t)
	if play != nil {
		play(l)
	}
	l.mustRun(in)
	s := l.state()
	require.Equal(t, egress.Delivered, s.Phase)
	return s
}

// newRedelivery is a redelivery of the request's recording.
func newRedelivery(t *testing.T) *life {
	t.Helper()
	l := newLife(t)
	l.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: egress.RedeliveryID(requestID, 1), TaskQueue: egress.TaskQueue})
	return l
}

// redeliver executes it to its end.
func (l *life) redeliver(in egress.Input, s egress.State) (egress.Verdict, error) {
	l.t.Helper()
	asItCame, err := json.Marshal(in)
	require.NoError(l.t, err)
	l.ExecuteWorkflow(egress.RedeliveryType, egress.Redelivery{Input: asItCame, State: s})
	require.True(l.t, l.IsWorkflowCompleted(), "the workflow still runs")
	if err := l.GetWorkflowError(); err != nil {
		return egress.Verdict{}, err
	}
	var v egress.Verdict
	require.NoError(l.t, l.GetWorkflowResult(&v))
	return v, nil
}

func again(t *testing.T, s egress.State, step string) egress.State {
	t.Helper()
	s, err := s.Again(step, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	return s
}

func TestARedeliveryTellsTheSameEventToAll(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(*life){"heard of by a webhook": (*life).lived, "by a poll, where that was lost": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := hooked(t, "https://a.example.com/hook")
			var first *life
			s := delivered(t, in, func(l *life) {
				first = l
				if play != nil {
					play(l)
				}
			})
			l := newRedelivery(t)

			v, err := l.redeliver(in, again(t, s, ""))

			require.NoError(t, err)
			require.Equal(t, []string{"0 egress_ended"}, l.told)
			require.Len(t, l.announced, 1)
			require.JSONEq(t, string(first.announced[0].Raw()), string(l.announced[0].Raw()))
			require.ElementsMatch(t, []string{"announce", "webhook-1"}, v.Delivered)
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Equal(t, requestID, v.RequestID)
			require.Equal(t, s.EndedBy, v.EndedBy)
			require.Empty(t, l.counted.of(workflows.MetricCorrected))
		})
	}
}

func TestARedeliveryOfOneStepTellsNobodyElse(t *testing.T) {
	t.Parallel()
	in := hooked(t, "https://a.example.com/hook", "https://b.example.com/hook")
	s := delivered(t, in, (*life).lived)
	l := newRedelivery(t)

	v, err := l.redeliver(in, again(t, s, "webhook-2"))

	require.NoError(t, err)
	require.Equal(t, []string{"1 egress_ended"}, l.told)
	require.Empty(t, l.announced)
	require.Equal(t, []string{"webhook-2"}, v.Delivered)
}

func TestARedeliveryTellsEachPartOfARecording(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 2)
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(30*time.Second, egress.EventEnded, part(2, complete, 30))
	in := plainInput(t)
	l.mustRun(in)
	second := newRedelivery(t)

	v, err := second.redeliver(in, again(t, l.state(), ""))

	require.NoError(t, err)
	require.ElementsMatch(t, []string{"announce-part-1", "announce"}, v.Delivered)
	require.ElementsMatch(t, ids(l.announced), ids(second.announced), "under the same IDs")
	require.ElementsMatch(t, l.toldOf(), second.toldOf())
}

func ids(events []egress.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, e.Proto().GetId())
	}
	return list
}

func TestARedeliveryIsTriedForDaysAndThenWaitsForAPerson(t *testing.T) {
	t.Parallel()
	in := hooked(t, "https://a.example.com/hook")
	s := delivered(t, in, (*life).lived)
	l := newRedelivery(t)
	l.tell = func(activities.TellRequest) error { return l.downFor(80*time.Hour, 5*time.Hour) }
	var told, refused error
	l.at(time.Hour, func() {
		require.Empty(t, l.state().Stuck)
		l.update(egress.UpdateRetry, "early", &refused, "webhook-1")
	})
	l.at(79*time.Hour, func() {
		require.Len(t, l.announced, 1, "nobody else waits")
		require.Contains(t, l.state().Stuck, "webhook-1 failed for good")
	})
	l.at(81*time.Hour, func() { l.update(egress.UpdateRetry, "mended", &told, "webhook-1") })

	v, err := l.redeliver(in, again(t, s, ""))

	require.NoError(t, err)
	require.NoError(t, told)
	require.ErrorContains(t, refused, "does not wait for a retry or skip")
	require.Equal(t, []string{"0 egress_ended"}, l.told)
	require.ElementsMatch(t, []string{"announce", "webhook-1"}, v.Delivered)
}

func TestAStepOfARedeliveryCanBeLeftOut(t *testing.T) {
	t.Parallel()
	in := plainInput(t)
	s := delivered(t, in, nil)
	l := newRedelivery(t)
	l.announce = func(egress.Event) error { return failure(egress.Invalid, "no such host") }
	var told error
	l.at(time.Hour, func() { l.update(egress.UpdateSkip, "enough", &told, egress.StepAnnounce) })

	_, err := l.redeliver(in, again(t, s, ""))

	require.NoError(t, err)
	require.NoError(t, told)
	require.Equal(t, []string{egress.StepAnnounce}, l.state().Skipped)
	require.Empty(t, l.announced)
}

func TestACancelledRedeliveryEndsAndWaitsForNobody(t *testing.T) {
	t.Parallel()
	in := plainInput(t)
	s := delivered(t, in, nil)
	l := newRedelivery(t)
	l.announce = func(egress.Event) error { return errors.New("down") }
	l.at(time.Hour, l.CancelWorkflow)

	_, err := l.redeliver(in, again(t, s, ""))

	require.True(t, temporal.IsCanceledError(err), "got %v", err)
	require.Less(t, l.took(), 2*time.Hour)
}

func TestALateEndOfWhatWasLostIsToldAsACorrection(t *testing.T) {
	t.Parallel()
	in := plainInput(t)
	s := delivered(t, in, func(l *life) {
		l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
		l.poll = l.alwaysMissing
	})
	require.Equal(t, egress.Lost, s.Status)
	o, err := egress.ObserveEvent(webhook(t, egress.EventEnded, message(egressID, complete)), time.Unix(90, 0))
	require.NoError(t, err)
	amended, ok := s.Amend(o)
	require.True(t, ok)
	l := newRedelivery(t)
	l.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: egress.CorrectionID(requestID, egressID, 1), TaskQueue: egress.TaskQueue})

	v, err := l.redeliver(in, amended)

	require.NoError(t, err)
	require.Equal(t, []lk.EgressStatus{complete}, l.toldOf())
	require.Equal(t, []string{"EV_EG_1_EGRESS_COMPLETE"}, ids(l.announced), "LiveKit's own event")
	require.Equal(t, egress.Lost, v.Corrects)
	require.Equal(t, egress.FromWebhook, v.EndedBy)
	require.Equal(t, []labels{nil}, l.counted.of(workflows.MetricCorrected))

	repeat := newRedelivery(t)
	v, err = repeat.redeliver(in, again(t, l.state(), ""))
	require.NoError(t, err)
	require.Equal(t, egress.Lost, v.Corrects)
	require.Equal(t, ids(l.announced), ids(repeat.announced), "the same event")
	require.Empty(t, repeat.counted.of(workflows.MetricCorrected), "no other correction")
}

func TestARedeliveryOfWhatANewerVersionWouldRefuseIsTold(t *testing.T) {
	t.Parallel()
	in := plainInput(t)
	s := delivered(t, in, func(l *life) { l.webhook(time.Minute, egress.EventEnded, message(egressID, complete)) })
	in.Recover = new(egress.MaxRecover + 1)
	l := newRedelivery(t)

	_, err := l.redeliver(in, again(t, s, ""))

	require.NoError(t, err)
	require.Equal(t, []lk.EgressStatus{complete}, l.toldOf())
}

func TestARedeliveryUnderAnotherIDIsRefused(t *testing.T) {
	t.Parallel()
	in := plainInput(t)
	l := newRedelivery(t)
	l.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: egress.WorkflowID(requestID), TaskQueue: egress.TaskQueue})
	_, err := l.redeliver(in, egress.State{})
	require.ErrorContains(t, err, `want "egress-redelivery/<request ID>/<name>"`)
	l = newRedelivery(t)
	_, err = l.redeliver(egress.Input{}, egress.State{})
	require.ErrorContains(t, err, "input: is missing")
}
