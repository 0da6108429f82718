package workflows_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// held is recovering, where a failure is held for half a minute.
func held(t *testing.T, times int) (l *life, starts *[]activities.StartRequest) {
	t.Helper()
	l, starts = recovering(t, times)
	l.agreesTo(func(p *egress.Policy) { p.HoldFor = egress.Duration(30 * time.Second) })
	return l, starts
}

// A twin was stopped at once, and its end is heard of only once the bound egress has failed.
func TestAnEndFromBeforeTheFailureTakesNoPlace(t *testing.T) {
	t.Parallel()
	l, starts := held(t, 1)
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := first(ctx, in)
		if in.Part > 1 { // the twin has become one before
			s.Info = infoOf(t, part(2, starting, 63))
		}
		return s, err
	}
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(5*time.Second, egress.EventUpdated, part(3, active, 5))
	l.webhook(60*time.Second, egress.EventEnded, part(1, failed, 60))
	l.webhook(62*time.Second, egress.EventEnded, part(3, complete, 6))
	l.webhook(10*time.Minute, egress.EventEnded, part(2, complete, 600))

	v := l.mustRun(plainInput(t))

	require.Len(t, *starts, 2, "the room goes on, and so does its recording")
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, []string{"EG_3"}, l.stops)
	require.ElementsMatch(t, []lk.EgressStatus{complete, failed, complete}, l.toldOf())
}

// forgetful is a recording whose next part has begun, although a restore has forgotten its start: a round
// shows it, part 1 ends at its limit, and the start of part 2 finds it as it then is.
func forgetful(t *testing.T, shown, found *lk.EgressInfo) (l *life, starts *[]activities.StartRequest) {
	t.Helper()
	l, starts = recovering(t, 1)
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := first(ctx, in)
		if in.Part == 2 {
			s.Info = infoOf(t, found)
		}
		return s, err
	}
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.at(10*time.Second, func() {
		l.SignalWorkflow(egress.SignalReconciled, webhook(t, "", shown))
	})
	l.at(15*time.Second, func() {
		end := part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 9)
		end.EndedAt = l.Now().UnixNano() // so that the next part's start is not late
		l.SignalWorkflow(egress.SignalObserved, webhook(t, egress.EventEnded, end))
	})
	return l, starts
}

func TestAPartThatARestoreForgotIsLeftToRecordUntilItsStartFindsIt(t *testing.T) {
	t.Parallel()
	after := activities.AfterPart{Part: 1, Began: time.Second.Nanoseconds()}
	whilePart1Records := activities.TwinRequest{Twin: "EG_2", Bound: egressID, Room: "standup", After: after}
	afterItsEnd := activities.TwinRequest{Twin: "EG_2", Room: "standup", After: activities.AfterPart{Part: 1, Began: 9 * time.Second.Nanoseconds()}}
	for name, tc := range map[string]struct {
		firstAnswer error
		asked       []activities.TwinRequest
	}{
		"LiveKit says so at once":       {nil, []activities.TwinRequest{whilePart1Records}},
		"LiveKit cannot be asked first": {failure(egress.Unreachable, "no answer"), []activities.TwinRequest{whilePart1Records, afterItsEnd}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := forgetful(t, part(2, active, 10), part(2, active, 10))
			var asked []activities.TwinRequest
			l.twin = func(in activities.TwinRequest) (activities.TwinAnswer, error) {
				asked = append(asked, in)
				if len(asked) == 1 && tc.firstAnswer != nil {
					return activities.TwinAnswer{}, tc.firstAnswer
				}
				return activities.TwinAnswer{Later: true}, nil
			}
			l.webhook(5*time.Minute, egress.EventEnded, part(2, complete, 300))

			v := l.mustRun(plainInput(t))

			require.Equal(t, tc.asked, asked)
			require.Empty(t, l.stops)
			require.Len(t, *starts, 2)
			require.True(t, (*starts)[1].Input.Again, "it is looked for before another one is asked for")
			require.Equal(t, "EG_2", v.EgressID)
			require.Equal(t, complete.String(), string(v.Status))
			require.Empty(t, v.Twins)
			require.ElementsMatch(t, []lk.EgressStatus{lk.EgressStatus_EGRESS_LIMIT_REACHED, complete}, l.toldOf())
		})
	}
}

// The start of a part that was stopped as a twin all the same finds it in LiveKit's list.
func TestAPartThatWasStoppedAsATwinIsBoundByItsStart(t *testing.T) {
	t.Parallel()
	l, starts := forgetful(t, part(2, active, 10), part(2, complete, 20))

	v := l.mustRun(plainInput(t))

	require.Len(t, *starts, 2)
	require.Equal(t, []string{"EG_2"}, l.stops)
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, complete.String(), string(v.Status))
	require.Empty(t, v.Twins)
	require.ElementsMatch(t, []lk.EgressStatus{lk.EgressStatus_EGRESS_LIMIT_REACHED, complete}, l.toldOf())
}

// LiveKit was away for the start of a part that records, though a restore has forgotten it. Once the
// workflow has closed, a round adopts that part.
func TestAPartThatARestoreForgotIsLeftToRecordWhereItsStartGaveUp(t *testing.T) {
	t.Parallel()
	l, _ := forgetful(t, part(2, active, 10), part(2, active, 10))
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := first(ctx, in)
		if in.Part == 2 {
			err = failure(egress.TooLate, "LiveKit is away")
		}
		return s, err
	}
	l.twin = func(in activities.TwinRequest) (activities.TwinAnswer, error) {
		if in.After.Part != 1 {
			l.note(func() { l.stops = append(l.stops, in.Twin) })
		}
		return activities.TwinAnswer{Later: in.After.Part == 1}, nil
	}

	v := l.mustRun(plainInput(t))

	require.Empty(t, l.stops)
	require.Equal(t, egressID, v.EgressID)
	require.Empty(t, v.Twins)
	require.Equal(t, []lk.EgressStatus{lk.EgressStatus_EGRESS_LIMIT_REACHED}, l.toldOf())
}

// What was stopped before it recorded is told as a part, and no restart was used for it.
func TestATwinUsesUpNoRestart(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.stopTwin = func() (activities.TwinAnswer, error) {
		return activities.TwinAnswer{Ended: infoOf(t, part(3, aborted, 6))}, nil
	}
	l.webhook(5*time.Second, egress.EventStarted, part(3, lk.EgressStatus_EGRESS_STARTING, 5))
	l.webhook(60*time.Second, egress.EventEnded, part(1, failed, 60))
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		*starts = append(*starts, in)
		terms := terms()
		terms.Recover = 1
		if len(*starts) == 2 {
			return activities.Started{Info: infoOf(t, part(2, active, 61)), Terms: terms}, nil
		}
		return activities.Started{Info: infoOf(t, part(1, active, 1)), Terms: terms}, nil
	}
	l.webhook(10*time.Minute, egress.EventEnded, part(2, failed, 600))

	v := l.mustRun(plainInput(t))

	require.Len(t, *starts, 2, "one restart, and no second one")
	require.Equal(t, "EG_2", v.EgressID)
}

// The next part is refused in the end, and the first one was corrected meanwhile.
func TestARefusedPartTakesNoCorrectionBack(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 2)
	l.agreesTo(func(p *egress.Policy) { p.CorrectFor = egress.Duration(24 * time.Hour) })
	l.poll = l.firstIsGone
	l.refusesInTheEnd(3)
	l.webhook(20*time.Minute, egress.EventEnded, part(2, failed, 1200))
	l.webhook(22*time.Minute, egress.EventEnded, part(1, complete, 1100))
	l.at(2*time.Hour, func() { l.SignalWorkflow(egress.SignalReconciled, webhook(t, "", part(1, complete, 1100))) })

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Parts[0].Status)
	require.Equal(t, []lk.EgressStatus{failed, failed, complete}, l.toldOf(), "each once")
}

// Webhooks tell of a failure before LiveKit has answered the start, and its caller has enough.
func TestAStopBeforeTheStartIsAnsweredIsTaken(t *testing.T) {
	t.Parallel()
	l, starts := held(t, 1)
	l.OnActivity("Start", mock.Anything, mock.Anything).After(20 * time.Second).Return(func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		return l.started(ctx, in)
	})
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(5*time.Second, egress.EventEnded, part(1, failed, 5))
	var told error
	l.at(6*time.Second, func() { l.askStop("enough", &told) })

	v := l.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Len(t, *starts, 1, "nothing is recorded after the stop")
	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
}

// The worker of the bound egress has died, and another egress of the request records: it was put
// aside until that is known.
func TestWhatRecordsBesideALostEgressIsItsNextPartAndNoneIsStarted(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.absent = true
	nothing := l.poll
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if in.EgressID == egressID {
			return egress.Look{Info: infoOf(t, part(1, active, 1)), RecorderAbsent: true, RecorderGone: l.Now()}, nil
		}
		return nothing(in)
	}
	l.stop = func(id string) (egress.Info, error) {
		if id == egressID {
			return egress.Info{}, failure(egress.Unanswered, "no response from servers")
		}
		return info(t, ending), nil
	}
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))

	v := l.mustRun(plainInput(t))

	require.Len(t, *starts, 1)
	require.NotContains(t, l.stops, "EG_2")
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.Lost, v.Parts[0].Status)
}

func TestNoPartIsStartedOnceItsEndWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ask  func(l *life, told *error)
		want egress.StopReason
		by   *egress.Asker
	}{
		"by a stop":            {func(l *life, told *error) { l.askStop("stop", told) }, egress.StopRequested, ann},
		"by cancelling it all": {func(l *life, _ *error) { l.CancelWorkflow() }, egress.StopCancelled, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 1)
			var told error
			l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
			l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
			l.at(10*time.Second+recoverIn/2, func() { tc.ask(l, &told) })

			v := l.mustRun(plainInput(t))

			require.NoError(t, told)
			require.Len(t, *starts, 1)
			require.Empty(t, l.stops)
			require.Equal(t, "EG_1", v.EgressID)
			require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
			require.Equal(t, []lk.EgressStatus{failed}, l.toldOf())
			require.Equal(t, tc.want, v.Stopped)
			require.Equal(t, tc.by, v.StoppedBy)
		})
	}
}

// A start may wait for somebody who publishes.
func TestNoPartMayBeStartedAfterTheLongestDuration(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(10*time.Second, egress.EventEnded, part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 10))
	l.webhook(20*time.Second, egress.EventEnded, part(2, complete, 20))
	in := plainInput(t)
	in.MaxDuration = egress.Duration(time.Hour)

	l.mustRun(in)

	require.Len(t, *starts, 2)
	require.Zero(t, (*starts)[0].NotAfter)
	require.WithinDuration(t, l.began.Add(time.Hour), (*starts)[1].NotAfter, time.Second, "since the first part began")
}

// The next part is refused in the end, so the first one is the last, after another egress that had
// ended before. Its media is looked for all the while.
func TestMediaIsOfTheEgressThatItWasLookedForThoughItsPartGetsAnotherNumber(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := first(ctx, in)
		s.Terms.VerifyFor = egress.Duration(20 * time.Minute)
		return s, err
	}
	l.RegisterActivityWithOptions(func(context.Context, activities.VerifyRequest) (v activities.Verified, err error) { return v, err }, activity.RegisterOptions{Name: "Verify"})
	l.refusesInTheEnd(2)
	l.OnActivity("Verify", mock.Anything, mock.MatchedBy(func(in activities.VerifyRequest) bool { return in.Info.ID() == egressID })).
		After(8*time.Minute).Return(found(egress.MediaMissing, "nothing is there"), nil)
	l.OnActivity("Verify", mock.Anything, mock.Anything).Return(found(egress.MediaPresent, ""), nil)
	for after, m := range map[time.Duration]*lk.EgressInfo{10 * time.Second: part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 10), time.Minute: part(3, complete, 9)} {
		m.Request = stored("", 0).GetRequest()
		l.webhook(after, egress.EventEnded, m)
	}

	v := l.mustRun(plainInput(t))

	require.Equal(t, egressID, v.EgressID)
	require.Equal(t, egress.MediaMissing, v.Media)
	require.Equal(t, "EG_3", v.Parts[0].EgressID)
	require.Equal(t, egress.MediaPresent, v.Parts[0].Media.Media)
}

// LiveKit takes its time over the stop of a twin, while the part has reached its limit.
func TestAStopWhileATwinIsDealtWithBeforeTheNextPartIsTaken(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.OnActivity("StopTwin", mock.Anything, mock.Anything).After(time.Minute).Return(activities.TwinAnswer{}, failure(egress.Unreachable, "LiveKit is away"))
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(time.Hour, egress.EventUpdated, part(3, active, 3600))
	l.webhook(time.Hour+time.Second, egress.EventEnded, part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 3601))
	l.webhook(2*time.Hour, egress.EventEnded, part(2, complete, 7200))
	var told error
	l.at(time.Hour+90*time.Second, func() {
		require.Equal(t, egress.Settled, l.state().Phase)
		l.askStop("stop", &told)
	})

	v := l.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Len(t, *starts, 1)
	require.Equal(t, egress.StopRequested, v.Stopped)
	require.Equal(t, ann, v.StoppedBy)
}

func TestOfThoseWhoAskForAStopAtOnceTheFirstIsNamed(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.stillActive()
	l.webhook(2*time.Minute, egress.EventEnded, part(1, complete, 120))
	l.at(time.Minute, func() {
		l.askStop("a", nil)
		l.update(egress.UpdateStop, "b", new(error))
		l.update(egress.UpdateStop, "c", new(error), egress.StopUpdate{AskedBy: egress.AskedBy("API2", "bob")})
	})

	require.Equal(t, ann, l.mustRun(plainInput(t)).StoppedBy)
}

// recoverIn is how long after its failure a part is followed by the next.
const recoverIn = time.Second

// It was stopped as a twin while the bound one was well; its end is heard of only when that one
// is lost.
func TestATwinThatWasStoppedLongBeforeIsNotWhatWasRecorded(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.correctable()
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if l.Now().Sub(l.began) < time.Hour {
			return l.nothingNew(in)
		}
		return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
	}
	l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
	l.webhook(5*time.Second, egress.EventUpdated, part(3, active, 5))
	l.at(time.Hour-time.Minute, func() { l.SignalWorkflow(egress.SignalHint, hint(t, egress.EventParticipantLeft, roomID, egressID)) })
	l.at(2*time.Hour, func() {
		require.Equal(t, egress.Lost, l.state().Status)
		l.SignalWorkflow(egress.SignalReconciled, webhook(t, egress.EventEnded, part(3, complete, 6)))
	})

	v := l.mustRun(plainInput(t))

	require.Equal(t, []string{"EG_3"}, l.stops)
	require.Equal(t, egressID, v.EgressID)
	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf(), "the lost one as such, and what the twin recorded")
}
