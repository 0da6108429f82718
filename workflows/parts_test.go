package workflows_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// part is the nth part's egress as LiveKit has it, at a second of its clock.
func part(n int, status lk.EgressStatus, second int64) *lk.EgressInfo {
	m := at(status, second, 0)
	m.EgressId = map[int]string{1: egressID, 2: "EG_2", 3: "EG_3"}[n]
	m.StartedAt = second * int64(time.Second)
	return m
}

// recovering is a life that is started again up to so many times, at once.
func recovering(t *testing.T, times int) (l *life, starts *[]activities.StartRequest) {
	t.Helper()
	l = newLife(t)
	starts = &[]activities.StartRequest{}
	l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
		*starts = append(*starts, in)
		terms := terms()
		terms.Recover = times
		return activities.Started{Info: infoOf(l.t, part(in.Part, lk.EgressStatus_EGRESS_STARTING, 1)), Terms: terms}, nil
	}
	l.poll = l.nothingNew
	return l, starts
}

// agreesTo changes the policy that each start brings.
func (l *life) agreesTo(change func(*egress.Policy)) {
	before := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		s, err := before(ctx, in)
		change(&s.Terms.Policy)
		return s, err
	}
}

// refusesInTheEnd has LiveKit refuse a part after five minutes, since its room is gone.
func (l *life) refusesInTheEnd(part int) {
	l.OnActivity("Start", mock.Anything, mock.MatchedBy(func(in activities.StartRequest) bool { return in.Part == part })).
		After(5*time.Minute).Return(activities.Started{}, failure(egress.NotFound, "requested room does not exist"))
	l.OnActivity("Start", mock.Anything, mock.Anything).Return(func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		return l.started(ctx, in)
	})
}

// firstIsGone is LiveKit's answer once it does not know the first part.
func (l *life) firstIsGone(in activities.PollRequest) (egress.Look, error) {
	if in.EgressID == egressID {
		return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
	}
	return egress.Look{}, nil
}

func TestWhatFailsWhileItsRoomIsLiveIsStartedAgainAsItsNextPart(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 2)
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(20*time.Second, egress.EventEnded, part(1, failed, 10)) // repeated: it is not the second part's
	l.webhook(30*time.Second, egress.EventEnded, part(2, aborted, 30))
	l.webhook(60*time.Second, egress.EventEnded, part(3, complete, 60))
	in := plainInput(t)
	by := l.began.Add(time.Second)
	in.StartBy = &by

	v := l.mustRun(in)

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, "EG_3", v.EgressID)
	require.Len(t, v.Parts, 3)
	for i, p := range v.Parts {
		require.Equal(t, i+1, p.Number)
		require.Equal(t, i+1, (*starts)[i].Part)
		require.Equal(t, i == 0, (*starts)[i].Input.StartBy != nil, "the moment was that of the first part")
	}
	require.Equal(t, []lk.EgressStatus{failed, aborted, complete}, l.toldOf(), "each part is told of, once")
	require.ElementsMatch(t, []string{"announce-part-1", "announce-part-2", "announce"}, v.Delivered)
	require.Empty(t, l.stops, "no part is another's twin")
}

// A part that would wait in vain ends a recording as aborted, which was whole so far.
func TestAPartAfterALimitIsStartedOnlyWhereSomebodyPublishes(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 2)
	l.webhook(3*time.Hour, egress.EventEnded, part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 10800))
	l.webhook(3*time.Hour+10*time.Second, egress.EventEnded, part(2, failed, 10810))
	l.webhook(4*time.Hour, egress.EventEnded, part(3, complete, 14400))

	l.mustRun(plainInput(t))

	var published []bool
	for _, s := range *starts {
		published = append(published, s.Published)
	}
	require.Equal(t, []bool{false, true, false}, published, "what failed is started again in any case")
}

func TestNoMorePartsAreStartedThanAskedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		setting int
		asked   *int
		want    int
	}{
		"by the setting":                         {1, nil, 2},
		"by the request":                         {5, new(1), 2},
		"by the request, which wants none":       {5, new(0), 1},
		"by default":                             {0, nil, 1},
		"by the request, where the default is 0": {0, new(1), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, tc.setting)
			for n := 1; n <= 3; n++ {
				l.webhook(time.Duration(n)*10*time.Second, egress.EventEnded, part(n, failed, int64(n)*10))
			}
			in := plainInput(t)
			in.Recover = tc.asked

			v := l.mustRun(in)

			require.Len(t, *starts, tc.want)
			require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
			require.Len(t, l.announced, tc.want)
		})
	}
}

func TestNoPartIsStartedOnceTheLongestDurationIsOver(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]time.Duration{
		"while its failure is held":     time.Minute,
		"before the next part could be": 30*time.Second - time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 1)
			l.agreesTo(func(p *egress.Policy) { p.HoldFor = egress.Duration(hold) })
			l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
			l.webhook(time.Hour-30*time.Second, egress.EventEnded, part(1, failed, 3570))
			in := plainInput(t)
			in.MaxDuration = egress.Duration(time.Hour)

			v := l.mustRun(in)

			require.Len(t, *starts, 1)
			require.Empty(t, l.stops)
			require.Equal(t, []lk.EgressStatus{failed}, l.toldOf())
			require.Empty(t, v.Parts)
		})
	}
}

// LiveKit's answer to a start that is asked for once more says that it has failed, and the
// consumer of the settings hears LiveKit's own webhooks.
func TestAPartWhoseEndLiveKitSaidInAnAnswerIsToldUnlessItsWebhookComes(t *testing.T) {
	t.Parallel()
	for name, comes := range map[string]bool{"it comes": true, "it never comes": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 1)
			l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
				*starts = append(*starts, in)
				return l.startedOver(in.Part), nil
			}
			if comes {
				l.webhook(20*time.Second, egress.EventEnded, part(1, failed, 1))
			}
			l.at(10*time.Second, func() { require.Len(t, *starts, 2, "the next part waits for nobody") })
			l.webhook(5*time.Minute, egress.EventEnded, part(2, complete, 300))

			v := l.mustRun(plainInput(t))

			require.Equal(t, "EG_2", v.EgressID)
			if comes {
				require.Empty(t, l.announced, "LiveKit told it all")
				return
			}
			require.Equal(t, []lk.EgressStatus{failed}, l.toldOf())
			require.Equal(t, []time.Duration{70 * time.Second}, rounded(l.heard))
		})
	}
}

// There is no request of it.
func TestWhatWasAdoptedIsNotStartedAgain(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.worker.Terms.Recover = 2
	l.start = func(context.Context) (activities.Started, error) {
		t.Error("a next part is asked for")
		return activities.Started{}, failure(egress.NotFound, "requested room does not exist")
	}
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))

	v := l.mustRun(egress.Adoption(info(t, active), egress.Extras{}))

	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
}

func TestARecordingWhoseNextPartIsRefusedEndsWithThePartBefore(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 3)
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		if in.Part > 1 {
			return activities.Started{}, failure(egress.NotFound, "requested room does not exist")
		}
		return first(ctx, in)
	}
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
	require.Equal(t, egressID, v.EgressID)
	require.Empty(t, v.Parts)
	require.Len(t, l.announced, 1, "it is told once, although it was to be only a part")
}

// What a continued run was handed stays its own: the next part is not asked for with it.
func TestThePartOfAContinuedRunIsAskedForAsAnyOther(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	in, terms := plainInput(t), terms()
	terms.Recover = 1
	in.Carried = &egress.State{Terms: terms, Phase: egress.Watching, Part: 1, ID: egressID, Started: true, Latest: infoOf(t, part(1, active, 1)), NewsAt: l.Now()}
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.webhook(20*time.Second, egress.EventEnded, part(2, complete, 20))

	v := l.mustRun(in)

	require.Equal(t, "EG_2", v.EgressID)
	require.Len(t, *starts, 1)
	require.Nil(t, (*starts)[0].Input.Carried)
}

func TestAConsumerThatIsDownDoesNotHoldUpTheNextPart(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.announce = func(egress.Event) error { return l.downFor(time.Hour, 10*time.Minute) }
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	l.at(time.Minute, func() { require.Len(t, *starts, 2) })
	l.webhook(2*time.Minute, egress.EventEnded, part(2, complete, 120))

	l.mustRun(plainInput(t))

	require.ElementsMatch(t, []lk.EgressStatus{failed, complete}, l.toldOf())
}

func TestAPartThatRecordsBesideItsSuccessorIsStopped(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.poll = l.firstIsGone
	l.webhook(10*time.Minute, egress.EventUpdated, part(1, active, 600))
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))

	l.mustRun(plainInput(t))

	require.Equal(t, []string{egressID}, l.stops)
}

// LiveKit runs the failed egress a second time while the next part waits for a worker, which
// is refused in the end: what was stopped would have been the only recording.
func TestAPartThatRecordsIsNotStoppedBeforeItsSuccessorHasBegun(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.agreesTo(func(p *egress.Policy) { p.CorrectFor = egress.Duration(24 * time.Hour) })
	l.refusesInTheEnd(2)
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	again, end := part(1, active, 60), part(1, complete, 1200)
	again.RetryCount, end.RetryCount = 1, 1
	l.webhook(time.Minute, egress.EventUpdated, again)
	l.webhook(20*time.Minute, egress.EventEnded, end)

	v := l.mustRun(plainInput(t))

	require.Empty(t, l.stops)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egressID, v.EgressID)
	require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf())
	for _, told := range l.asked {
		require.Equal(t, "1", told.Headers[egress.HeaderPart], "also in the correction")
	}
}

// A second egress of the request was not heard of until it ended, by itself.
func TestWhatEndsWhileTheNextPartIsBeingStartedDoesNotTakeItsPlace(t *testing.T) {
	t.Parallel()
	for name, news := range map[string]lk.EgressStatus{egress.EventEnded: complete, egress.EventUpdated: ending} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 1)
			l.OnActivity("Start", mock.Anything, mock.MatchedBy(func(in activities.StartRequest) bool { return in.Part == 2 })).
				After(time.Minute).Return(l.started)
			l.OnActivity("Start", mock.Anything, mock.Anything).Return(l.started)
			l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
			l.webhook(20*time.Second, name, part(3, news, 20))
			l.webhook(21*time.Second, egress.EventEnded, part(3, complete, 21))
			l.webhook(10*time.Minute, egress.EventEnded, part(2, complete, 600))

			v := l.mustRun(plainInput(t))

			require.Len(t, *starts, 2)
			require.NotContains(t, l.stops, "EG_2")
			require.Equal(t, "EG_2", v.EgressID)
			require.Equal(t, []lk.EgressStatus{failed, complete, complete}, l.toldOf())
		})
	}
}

// A second egress of the request has ended meanwhile, and is told as an earlier part: the steps of
// both have one name.
func TestEachEndIsToldBeforeTheWorkflowClosesAlsoWhereTwoAreToldByOneName(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.refusesInTheEnd(2)
	var told []string
	l.announce = func(e egress.Event) error {
		m := e.Proto().GetEgressInfo()
		if m.GetEgressId() == egressID && l.took() < 10*time.Minute {
			return down(5 * time.Minute)
		}
		l.note(func() { told = append(told, m.GetEgressId()) })
		return nil
	}
	l.webhook(10*time.Second, egress.EventEnded, part(1, lk.EgressStatus_EGRESS_LIMIT_REACHED, 10))
	l.webhook(time.Minute, egress.EventEnded, part(3, complete, 9))
	l.at(7*time.Minute, func() { require.Equal(t, []string{"announce-part-1"}, l.state().Done) })

	v := l.mustRun(plainInput(t))

	require.Equal(t, []string{"EG_3", egressID}, told)
	require.Equal(t, egressID, v.EgressID)
	require.Equal(t, []string{"announce-part-1", "announce-part-1"}, v.Delivered)
}

func TestAStepOfAPartThatWaitsForAPersonIsStillKnownWhenTheNextPartIsRefused(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	first := l.started
	l.started = func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		if in.Part > 1 {
			return activities.Started{}, failure(egress.NotFound, "requested room does not exist")
		}
		return first(ctx, in)
	}
	broken := true
	l.announce = func(egress.Event) error {
		if broken {
			return failure(egress.Invalid, "no such host")
		}
		return nil
	}
	l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
	remembered, endings := l.remembered(), l.endings()
	var told error
	l.at(time.Hour, func() {
		require.Equal(t, []string{"announce-part-1"}, l.state().AwaitsWord)
		require.Contains(t, l.state().Stuck, "announce-part-1")
		broken = false
		l.update(egress.UpdateRetry, "retry", &told, "announce-part-1")
	})

	v := l.mustRun(plainInput(t))

	require.NoError(t, told)
	require.Equal(t, []string{"announce-part-1"}, v.Delivered)
	require.Equal(t, "webhook", (*endings)[0].by)
	require.Less(t, (*endings)[0].at, time.Minute, "the verdict is reported and listed meanwhile")
	require.Equal(t, (*endings)[0].at, (*remembered)[0])
}
