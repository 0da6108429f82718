package workflows_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestALostEgressIsStartedAgainAndItsLateEndCorrectsThePart(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.poll = l.firstIsGone
	l.webhook(10*time.Minute, egress.EventEnded, part(1, complete, 600))
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))

	v := l.mustRun(plainInput(t))

	require.Equal(t, []lk.EgressStatus{failed, complete, complete}, l.toldOf(), "lost, then what it really came to, then the second part")
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Parts[0].Status)
	require.ElementsMatch(t, []string{"announce-part-1", "announce-part-1-corrected", "announce"}, v.Delivered)
}

// LiveKit runs what failed again, twice, beside the part that took its place.
func TestAFailedPartThatRunsAgainIsCorrectedByEachEnd(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	second, third := part(1, failed, 300), part(1, complete, 600)
	second.RetryCount, third.RetryCount = 1, 2
	l.announce = func(e egress.Event) error {
		if l.Now().Sub(l.began) < 15*time.Minute && e.Proto().GetEgressInfo().GetRetryCount() == 0 {
			return down(20 * time.Minute)
		}
		return nil
	}
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(5*time.Minute, egress.EventEnded, second)
	l.webhook(5*time.Minute+time.Second, egress.EventEnded, second) // repeated
	l.webhook(10*time.Minute, egress.EventEnded, third)
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Parts[0].Status)
	require.Equal(t, []string{"announce", "announce-part-1", "announce-part-1-corrected", "announce-part-1-corrected-corrected"},
		v.Delivered, "each waits for what it corrects")
	require.Empty(t, l.stops)
}

func TestAPartThatRunsAgainIsStoppedEachTime(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	run := func(n int32, status lk.EgressStatus, second int64) {
		m := part(1, status, second)
		m.RetryCount, m.UpdatedAt = n, second*int64(time.Second)
		l.webhook(time.Duration(second)*time.Second, egress.EventUpdated, m)
	}
	run(0, failed, 10)
	l.webhook(12*time.Second, egress.EventUpdated, part(2, active, 12))
	run(1, active, 20)
	run(1, active, 21) // once more: it has been stopped
	run(1, failed, 30)
	run(2, active, 40)
	l.webhook(time.Minute, egress.EventEnded, part(2, complete, 60))

	v := l.mustRun(plainInput(t))

	require.Equal(t, []string{egressID, egressID}, l.stops)
	require.Equal(t, []string{egressID}, v.Twins)
}

// What a corrected part is told of next has a name of its own, also in another run.
func TestACorrectionAfterTheHistoryWasFullIsTold(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	second, third := part(1, failed, 300), part(1, complete, 600)
	second.RetryCount, third.RetryCount = 1, 2
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(5*time.Minute, egress.EventEnded, second)
	in := plainInput(t)
	l.at(6*time.Minute, func() { s := l.state(); in.Carried = &s })
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))
	l.mustRun(in)

	next, _ := recovering(t, 1)
	next.webhook(time.Second, egress.EventEnded, third)
	next.webhook(20*time.Second, egress.EventEnded, part(2, complete, 1200))
	v := next.mustRun(in)

	require.Equal(t, []lk.EgressStatus{complete, complete}, next.toldOf())
	require.Contains(t, v.Delivered, "announce-part-1-corrected-corrected")
}

// lossIsHeardLate is a consumer that takes the end of the lost part at the third try, after twenty
// minutes.
func (l *life) lossIsHeardLate() func(egress.Event) error {
	var tries atomic.Int32
	return func(e egress.Event) error {
		if e.Proto().GetEgressInfo().GetStatus() == failed && tries.Add(1) < 3 {
			return down(20 * time.Minute)
		}
		return nil
	}
}

// One consumer is down for twenty minutes, and the lost part turns out to be whole meanwhile.
func TestACorrectionIsToldAfterTheLossThatItCorrects(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := first(ctx, in)
		s.Terms.Pipeline.Consumers = []egress.Consumer{{Name: "well", URL: "https://well.example.com"}}
		return s, err
	}
	l.poll = l.firstIsGone
	l.announce = l.lossIsHeardLate()
	l.webhook(15*time.Minute, egress.EventEnded, part(1, complete, 900))
	l.at(16*time.Minute, func() {
		require.Equal(t, []string{"announce-well-part-1", "announce-well-part-1-corrected"}, l.state().Done)
	})
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	var ofThePart []lk.EgressStatus
	for _, m := range l.announced {
		if m.Proto().GetEgressInfo().GetEgressId() == egressID {
			ofThePart = append(ofThePart, m.Proto().GetEgressInfo().GetStatus())
		}
	}
	require.Equal(t, []lk.EgressStatus{failed, complete}, ofThePart, "nobody hears of the loss last")
}

func TestACorrectionThatWaitsItsTurnDoesNotHoldUpTheSteps(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	s := withSteps(l, egress.Step{Name: "one"})
	s.activity("ONE", returns(nil))
	l.poll = l.firstIsGone
	l.announce = l.lossIsHeardLate()
	l.webhook(15*time.Minute, egress.EventEnded, part(1, complete, 900))
	l.webhook(16*time.Minute, egress.EventEnded, part(2, complete, 960))
	l.at(17*time.Minute, func() { require.Equal(t, []string{"one"}, s.ran) })

	v := l.mustRun(plainInput(t))

	require.Equal(t, []string{"announce", "one", "announce-part-1", "announce-part-1-corrected"}, v.Delivered)
}

// The consumer takes a minute to answer.
func TestTheStepsWaitForTheConsumerAlsoWhereACorrectionHadToWaitItsTurn(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	s := withSteps(l, egress.Step{Name: "one"})
	s.activity("ONE", returns(nil))
	l.poll = l.firstIsGone
	answer := l.lossIsHeardLate()
	l.OnActivity("Announce", mock.Anything, mock.MatchedBy(func(in activities.Announcement) bool {
		return in.Event.Proto().GetEgressInfo().GetEgressId() == "EG_2"
	})).After(time.Minute).Return(nil)
	l.OnActivity("Announce", mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.Announcement) error {
		return answer(in.Event)
	})
	l.webhook(15*time.Minute, egress.EventEnded, part(1, complete, 900))
	l.webhook(time.Hour, egress.EventEnded, part(2, complete, 3600))
	l.at(time.Hour+30*time.Second, func() {
		require.Contains(t, l.state().Done, "announce-part-1-corrected")
		require.Empty(t, s.ran)
	})

	l.mustRun(plainInput(t))

	require.Equal(t, []string{"one"}, s.ran)
}

// LiveKit's answer to the stop says ABORTED, and its own event of that end dates it later.
func TestATwinThatIsStoppedBeforeItRecordsIsToldOnce(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.stopTwin = func() (activities.TwinAnswer, error) {
		return activities.TwinAnswer{Ended: infoOf(t, part(2, aborted, 6))}, nil
	}
	l.webhook(5*time.Second, egress.EventStarted, part(2, lk.EgressStatus_EGRESS_STARTING, 5))
	l.webhook(7*time.Second, egress.EventEnded, part(2, aborted, 7))
	l.webhook(10*time.Minute, egress.EventEnded, part(1, complete, 600))

	v := l.mustRun(plainInput(t))

	require.Equal(t, []lk.EgressStatus{aborted, complete}, l.toldOf())
	require.Equal(t, egressID, v.EgressID)
}

// The store of the lost part is slow to say what was left behind.
func TestACorrectionWaitsUntilTheMediaOfTheLossWasLookedFor(t *testing.T) {
	t.Parallel()
	l := looking(t, time.Minute, nil)
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		terms := terms()
		terms.Recover, terms.VerifyFor = 1, egress.Duration(time.Hour)
		m := part(in.Part, lk.EgressStatus_EGRESS_STARTING, 1)
		m.Request = stored(egressID, active).GetRequest()
		return activities.Started{Info: infoOf(t, m), Terms: terms}, nil
	}
	l.poll = l.firstIsGone
	l.OnActivity("Verify", mock.Anything, mock.MatchedBy(func(in activities.VerifyRequest) bool { return in.Status == egress.Lost })).
		After(30*time.Minute).Return(found(egress.MediaUnchecked, "it ended as LOST"), nil)
	l.OnActivity("Verify", mock.Anything, mock.Anything).Return(found(egress.MediaPresent, ""), nil)
	l.webhook(7*time.Minute, egress.EventUpdated, part(2, active, 420))
	l.webhook(8*time.Minute, egress.EventEnded, part(1, complete, 480))
	l.webhook(9*time.Minute, egress.EventEnded, part(2, complete, 540))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, []string{"announce", "announce-part-1", "announce-part-1-corrected"}, v.Delivered)
}

// The lost part shows that it lives, and has ended when it is to be stopped.
func TestTheEndOfALostPartThatLiveKitSaysToItsStopCorrectsIt(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.poll = l.firstIsGone
	l.stopTwin = func() (activities.TwinAnswer, error) {
		return activities.TwinAnswer{Ended: infoOf(t, part(1, complete, 603))}, nil
	}
	l.webhook(10*time.Minute, egress.EventUpdated, part(1, ending, 600))
	l.webhook(11*time.Minute, egress.EventEnded, part(1, complete, 603))
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Parts[0].Status)
	require.Len(t, v.Parts, 2, "it is one part")
	require.Empty(t, v.Twins)
	require.ElementsMatch(t, []string{"announce-part-1", "announce-part-1-corrected", "announce"}, v.Delivered)
	require.Equal(t, []lk.EgressStatus{failed, complete, complete}, l.toldOf())
}

func TestACancelEndsTheWaitForALateSignOfLife(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cancel time.Duration
		want   time.Duration
	}{"never": {0, 24 * time.Hour}, "once it is told": {2 * time.Hour, 2 * time.Hour}, "before it is lost": {time.Second, 0}, "after a stop": {2 * time.Second, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := forgetting(t)
			l.correctable()
			if name == "after a stop" {
				l.at(time.Second, func() { l.askStop("stop", nil) })
			}
			if tc.cancel > 0 {
				l.at(tc.cancel, l.CancelWorkflow)
			}
			v := l.mustRun(plainInput(t))
			require.Equal(t, egress.Lost, v.Status)
			require.Len(t, l.announced, 1)
			require.InDelta(t, tc.want.Minutes(), l.took().Minutes(), 20)
		})
	}
}

// LiveKit may run it again, and whoever cancels wants that to be stopped.
func TestACancelDoesNotEndTheWaitForASecondRun(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.correctable()
	l.poll = l.nothingNew
	l.webhook(time.Minute, egress.EventEnded, message(egressID, failed))
	l.at(2*time.Hour, l.CancelWorkflow)

	l.mustRun(plainInput(t))

	require.InDelta(t, 24, l.took().Hours(), 0.5)
}
