package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// completed is EG_1 as it ends now.
func (l *life) completed() *lk.EgressInfo {
	m := message(egressID, complete)
	m.EndedAt = l.Now().UnixNano()
	return m
}

// stoppedOver is a life that is stopped after a second, which LiveKit answers with the
// end; the consumer is told only of what LiveKit did not tell.
func stoppedOver(t *testing.T, missedOnly bool) *life {
	t.Helper()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		terms := terms()
		terms.MissedOnly = missedOnly
		return activities.Started{Info: info(t, active), Terms: terms}, nil
	}
	l.stop = func(string) (egress.Info, error) { return infoOf(t, l.completed()), nil }
	l.at(time.Second, func() { l.askStop("stop", nil) })
	return l
}

// startedOver is LiveKit's answer to the start of a part, of which the first has just failed;
// the consumer is told only of what LiveKit did not tell.
func (l *life) startedOver(number int) activities.Started {
	terms := terms()
	terms.Recover, terms.MissedOnly = 1, true
	m := part(number, active, 1)
	if number == 1 {
		m = part(number, failed, 1)
		m.EndedAt = l.began.UnixNano()
	}
	return activities.Started{Info: infoOf(l.t, m), Terms: terms}
}

func TestAWebhookThatIsThereGoesBeforeTheAnswerToAStop(t *testing.T) {
	t.Parallel()
	l := stoppedOver(t, false)
	l.stop = func(string) (egress.Info, error) { // it takes 3 s to say that it has ended
		m := l.completed()
		l.SignalWorkflow(egress.SignalObserved, webhook(t, egress.EventEnded, m))
		return infoOf(t, m), nil
	}

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.FromWebhook, v.EndedBy)
	require.Len(t, l.announced, 1)
	require.Equal(t, "EV_EG_1_EGRESS_COMPLETE", l.announced[0].Proto().GetId(), "LiveKit's own event")
}

func TestAnEndThatOnlyTheStopToldIsTakenForMissedOnceItsWebhookIsOverdue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		missedOnly bool
		comes      time.Duration // the webhook, after the stop; zero: never
		missed     egress.Missed
		told       []time.Duration
	}{
		"it comes, and the consumer has heard it": {true, 30 * time.Second, "", nil},
		"it never comes":              {true, 0, egress.MissedUnclassified, []time.Duration{71 * time.Second}},
		"the consumer is told of all": {false, 0, "", []time.Duration{time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := stoppedOver(t, tc.missedOnly)
			if tc.comes > 0 {
				l.at(time.Second+tc.comes, func() {
					m := l.completed()
					m.EndedAt -= tc.comes.Nanoseconds()
					l.SignalWorkflow(egress.SignalObserved, webhook(t, egress.EventEnded, m))
				})
			}

			v := l.mustRun(plainInput(t))

			require.Equal(t, egress.FromStop, v.EndedBy)
			require.Equal(t, tc.missed, v.Missed)
			require.Equal(t, tc.told, rounded(l.heard))
			if tc.comes > 0 {
				require.Equal(t, time.Second+tc.comes, l.took().Round(time.Second), "nothing is left to wait for")
			}
		})
	}
}

// The recording has ended meanwhile, or its next part was refused.
func TestAPartHearsItsWebhookWhateverBecameOfItsSuccessor(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{"ended": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _ := recovering(t, 1)
			l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
				if in.Part == 2 && refused {
					return activities.Started{}, failure(egress.NotFound, "requested room does not exist")
				}
				return l.startedOver(in.Part), nil
			}
			if !refused {
				l.webhook(20*time.Second, egress.EventEnded, part(2, complete, 20))
			}
			l.webhook(40*time.Second, egress.EventEnded, part(1, failed, 1))

			l.mustRun(plainInput(t))

			require.Empty(t, l.announced, "LiveKit told it all")
			require.Equal(t, 40*time.Second, l.took().Round(time.Second))
		})
	}
}

// LiveKit runs the part again, beside the next one or after it.
func TestTheEndOfASecondRunIsNotTheWebhookForWhichAPartWaits(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]time.Duration{"the next part records": 5 * time.Minute, "the next part has ended": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _ := recovering(t, 1)
			l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
				return l.startedOver(in.Part), nil
			}
			again := part(1, complete, 30)
			again.RetryCount = 1
			l.webhook(30*time.Second, egress.EventEnded, again)
			l.webhook(end, egress.EventEnded, part(2, complete, 60))

			v := l.mustRun(plainInput(t))

			require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf(), "LiveKit did not tell of the first, and so the second is said again")
			require.Equal(t, slices.Repeat([]time.Duration{70 * time.Second}, 2), rounded(l.heard))
			first := v.Parts[0]
			require.Equal(t, egress.Status("EGRESS_FAILED"), first.Corrects)
			require.Equal(t, "EV_EG_1_EGRESS_COMPLETE", first.EventID)
			require.Empty(t, first.Missed, "of the second run's end, LiveKit told")
		})
	}
}

// The next part waits for a worker, and is refused in the end.
func TestAWebhookThatAPartMissedWhileItsSuccessorWasAwaitedIsReported(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		return l.startedOver(in.Part), nil
	}
	l.refusesInTheEnd(2)

	v := l.mustRun(plainInput(t))

	require.Equal(t, egressID, v.EgressID)
	require.Equal(t, egress.MissedUnclassified, v.Missed)
}

// It is on its way to us, or comes while the verdict is told, when LiveKit says to our stop that the twin has ended.
func TestATwinWhoseEndTheStopToldHearsItsWebhook(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		comes time.Duration // after the twin was seen; zero: before LiveKit answers
		last  bool          // the twin is seen after the end of the bound egress, while that is told
	}{
		"it is there already":                      {0, false},
		"it comes as the verdict is told":          {30 * time.Second, false},
		"it comes before the workflow is to close": {30 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.start = func(context.Context) (activities.Started, error) {
				terms := terms()
				terms.MissedOnly = true
				terms.Pipeline.Consumers = []egress.Consumer{{Name: "slow", URL: "https://slow.example.com"}}
				return activities.Started{Info: info(t, active), Terms: terms}, nil
			}
			twin := func() *lk.EgressInfo {
				m := part(2, complete, 20)
				m.EndedAt = l.began.Add(20 * time.Second).UnixNano()
				return m
			}
			l.stopTwin = func() (activities.TwinAnswer, error) {
				if tc.comes == 0 {
					l.SignalWorkflow(egress.SignalObserved, webhook(t, egress.EventEnded, twin()))
				}
				return activities.TwinAnswer{Ended: infoOf(t, twin())}, nil
			}
			var tries atomic.Int32
			l.announceTo = func(activities.Announcement) error {
				if tries.Add(1) < 3 {
					return down(10 * time.Second)
				}
				return nil
			}
			end := 25 * time.Second
			if tc.last {
				end = 15 * time.Second
			}
			l.webhook(20*time.Second, egress.EventUpdated, part(2, active, 20))
			l.webhook(end, egress.EventEnded, l.completed())
			if tc.comes > 0 {
				l.webhook(20*time.Second+tc.comes, egress.EventEnded, twin())
			}

			v := l.mustRun(plainInput(t))

			require.Empty(t, l.announced, "LiveKit told it all")
			require.Equal(t, "EV_EG_2_EGRESS_COMPLETE", v.Parts[0].EventID, "under which it is told again")
		})
	}
}

func rounded(all []time.Duration) (seconds []time.Duration) {
	for _, d := range all {
		seconds = append(seconds, d.Round(time.Second))
	}
	return seconds
}

// Each of those who asked has an answer, and the workflow closes.
func TestManyStopsAtOnceAreOneForAllWhoWait(t *testing.T) {
	t.Parallel()
	const many = 40
	l := newLife(t)
	l.poll = l.nothingNew
	answers := make([]error, many)
	l.at(time.Second, func() {
		for n := range many {
			answers[n] = errors.New("none")
			l.askStop(fmt.Sprintf("stop-%d", n), &answers[n])
		}
	})
	l.webhook(time.Minute, egress.EventEnded, part(1, complete, 60))

	l.mustRun(plainInput(t))

	require.LessOrEqual(t, len(l.stops), 2, "one, and one for those who asked meanwhile")
	for _, err := range answers {
		require.NoError(t, err)
	}
}

// Whoever asks again and again must not put it off that its worker is dead.
func TestStopsWithoutEndDoNotKeepALostEgressAlive(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.poll = l.nothingNew
	l.stop = func(string) (egress.Info, error) { return egress.Info{}, failure(egress.Unanswered, "no response") }
	for n := range 100 {
		l.at(time.Duration(n+1)*5*time.Second, func() {
			if !l.IsWorkflowCompleted() {
				l.askStop(fmt.Sprintf("stop-%d", n), nil)
			}
		})
	}

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Lost, v.Status)
	require.Less(t, v.HeardAt.Sub(l.began), 2*time.Minute)
}

// Only the webhook of the first run's failure comes, late, after the answer to a stop has said that
// the second run is complete.
func TestTheWebhookOfAnEarlierRunIsNotThatOfTheEndThatAStopTold(t *testing.T) {
	t.Parallel()
	l := stoppedOver(t, true)
	l.stop = func(string) (egress.Info, error) {
		m := l.completed()
		m.RetryCount = 1
		return infoOf(t, m), nil
	}
	l.at(3*time.Second, func() {
		m := message(egressID, failed)
		m.EndedAt = l.began.UnixNano()
		l.SignalWorkflow(egress.SignalObserved, webhook(t, egress.EventEnded, m))
	})

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, []lk.EgressStatus{complete}, l.toldOf())
}
