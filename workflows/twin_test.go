package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// forgetting is a life whose bound egress LiveKit has forgotten, while another one of
// the request records.
func forgetting(t *testing.T) *life {
	t.Helper()
	l := newLife(t)
	l.forgot = true
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if in.EgressID == egressID {
			return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
		}
		return egress.Look{}, nil
	}
	return l
}

// correctable lets what is lost be corrected for a day, as by default.
func (l *life) correctable() {
	l.start = func(context.Context) (activities.Started, error) {
		terms := terms()
		terms.Policy.CorrectFor = egress.Duration(24 * time.Hour)
		return activities.Started{Info: info(l.t, lk.EgressStatus_EGRESS_STARTING), Terms: terms}, nil
	}
}

func TestTheOnlyRecordingThereIsIsNotStoppedAsATwin(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(l *life){
		"its start and its end": func(l *life) {
			l.webhook(time.Second, egress.EventUpdated, part(2, active, 1))
			l.webhook(time.Minute, egress.EventEnded, part(2, complete, 60))
		},
		"its end alone": func(l *life) { l.webhook(time.Second, egress.EventEnded, part(2, complete, 1)) },
		"the reconciler, and a poll": func(l *life) {
			l.at(time.Second, func() {
				l.SignalWorkflow(egress.SignalReconciled, webhook(l.t, egress.EventUpdated, part(2, active, 1)))
			})
			missing := l.poll
			l.poll = func(in activities.PollRequest) (egress.Look, error) {
				if in.EgressID == "EG_2" {
					return egress.Look{Info: infoOf(l.t, part(2, complete, 600))}, nil
				}
				return missing(in)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := forgetting(t)
			tell(l)

			v := l.mustRun(plainInput(t))

			require.Empty(t, l.stops)
			require.Equal(t, "EG_2", v.EgressID)
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Len(t, v.Parts, 2)
			require.Equal(t, egress.Lost, v.Parts[0].Status)
			require.ElementsMatch(t, []lk.EgressStatus{failed, complete}, l.toldOf(), "the forgotten one as lost, and what was recorded")
			require.Empty(t, l.state().Twins)
		})
	}
}

func TestWhatRecordsAfterItsRequestWasToldAsLostIsItsNextPart(t *testing.T) {
	t.Parallel()
	l := forgetting(t)
	l.correctable()
	l.webhook(10*time.Hour, egress.EventUpdated, part(2, active, 36000))
	l.at(9*time.Hour, func() { require.Equal(t, egress.Lost, l.state().Status) })
	l.webhook(11*time.Hour, egress.EventEnded, part(2, complete, 39600))

	v := l.mustRun(plainInput(t))

	require.Empty(t, l.stops)
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf())
	require.Equal(t, []string{"announce"}, v.Delivered)
}

func TestAStopThatMetAForgottenEgressStopsTheOneThatTakesItsPlace(t *testing.T) {
	t.Parallel()
	l := forgetting(t)
	l.stop = func(id string) (egress.Info, error) {
		if id == egressID {
			return egress.Info{}, failure(egress.NotFound, "egress does not exist")
		}
		return infoOf(t, part(2, ending, 20)), nil
	}
	var told error
	l.at(time.Second, func() { l.askStop("stop", &told) })
	l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
	l.webhook(30*time.Second, egress.EventEnded, part(2, complete, 30))

	v := l.mustRun(plainInput(t))

	require.Error(t, told)
	require.Equal(t, []string{egressID, "EG_2"}, l.stops)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
}

func TestAnotherEgressIsLeftAloneWhileTheStartOfAForgottenOneIsUnderWay(t *testing.T) {
	t.Parallel()
	l := forgetting(t)
	l.correctable()
	l.slowStart(time.Minute)
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
	l.webhook(2*time.Minute, egress.EventEnded, part(2, complete, 120))

	v := l.mustRun(plainInput(t))

	require.Empty(t, l.stops)
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf())
}

// holding is a life whose end is held for a while, and corrected for a day, as by default.
func holding(t *testing.T) *life {
	t.Helper()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		terms := terms()
		terms.Policy.HoldFor, terms.Policy.CorrectFor = egress.Duration(30*time.Second), egress.Duration(24*time.Hour)
		return activities.Started{Info: info(l.t, lk.EgressStatus_EGRESS_STARTING), Terms: terms}, nil
	}
	return l
}

// Who asked for it twice past Temporal, since no answer came, has only this recording.
func TestWhatRecordsAfterTheBoundOneFailedIsItsNextPart(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(l *life){
		"while that is held": func(l *life) {
			l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
			l.webhook(20*time.Second, egress.EventEnded, part(2, complete, 20))
		},
		"while that is held, and heard of when it has ended": func(l *life) {
			l.webhook(20*time.Second, egress.EventEnded, part(2, complete, 20))
		},
		"once that was told": func(l *life) {
			l.webhook(time.Hour, egress.EventUpdated, part(2, active, 10))
			l.webhook(2*time.Hour, egress.EventEnded, part(2, complete, 7200))
		},
		"and nobody tells but the reconciler": func(l *life) {
			l.at(time.Hour, func() {
				l.SignalWorkflow(egress.SignalReconciled, webhook(l.t, egress.EventUpdated, part(2, active, 10)))
			})
			l.poll = func(activities.PollRequest) (egress.Look, error) {
				return egress.Look{Info: infoOf(l.t, part(2, complete, 7200))}, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := holding(t)
			l.webhook(5*time.Second, egress.EventEnded, part(1, failed, 5))
			tell(l)

			v := l.mustRun(plainInput(t))

			require.Empty(t, l.stops)
			require.Equal(t, "EG_2", v.EgressID)
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Len(t, v.Parts, 2)
			require.Equal(t, egress.Status("EGRESS_FAILED"), v.Parts[0].Status)
			require.ElementsMatch(t, []lk.EgressStatus{failed, complete}, l.toldOf())
			require.Empty(t, l.state().Twins)
		})
	}
}

// The webhook of its failure was lost, so that LiveKit alone knows of it.
func TestWhatRecordsAfterAFailureThatNobodyHeardOfIsItsNextPart(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(l *life){
		"and is heard of as it records": func(l *life) {
			l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
			l.webhook(20*time.Second, egress.EventEnded, part(2, complete, 20))
		},
		"and is heard of when it has ended": func(l *life) { l.webhook(20*time.Second, egress.EventEnded, part(2, complete, 20)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := holding(t)
			l.broke = true
			l.poll = l.nothingNew
			tell(l)

			v := l.mustRun(plainInput(t))

			require.Empty(t, l.stops)
			require.Equal(t, "EG_2", v.EgressID)
			require.Len(t, v.Parts, 2)
			require.Equal(t, egress.Status("EGRESS_FAILED"), v.Parts[0].Status)
			require.ElementsMatch(t, []lk.EgressStatus{failed, complete}, l.toldOf())
		})
	}
}

// It is for the recording, whichever egress that is.
func TestAStopOfWhatFailedIsForTheOneThatTakesItsPlaceToo(t *testing.T) {
	t.Parallel()
	for name, unheard := range map[string]bool{"which nobody heard of": true, "which is held": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := holding(t)
			l.broke = unheard
			if !unheard {
				l.webhook(5*time.Second, egress.EventEnded, part(1, failed, 5))
			}
			l.stop = func(id string) (egress.Info, error) {
				if id == egressID { // the other one is heard of before the answer
					l.SignalWorkflow(egress.SignalObserved, webhook(t, egress.EventUpdated, part(2, active, 6)))
					return egress.Info{}, failure(egress.Unanswered, "no response")
				}
				return infoOf(t, part(2, complete, 20)), nil
			}
			l.at(6*time.Second, func() { l.askStop("stop", nil) })

			v := l.mustRun(plainInput(t))

			require.Equal(t, []string{egressID, "EG_2"}, l.stops)
			require.Equal(t, "EG_2", v.EgressID)
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.ElementsMatch(t, []lk.EgressStatus{failed, complete}, l.toldOf())
			require.Empty(t, l.state().Twins)
		})
	}
}

// The one that is bound was heard of first, and the one that its caller was told of had
// ended before.
func TestAnotherEgressThatHasEndedIsToldAsAnEarlierPart(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]time.Duration{
		"before LiveKit has answered the start": 2 * time.Second,
		"while the bound one records":           10 * time.Second,
		"when that has been told":               40 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.poll = l.nothingNew
			l.slowStart(5 * time.Second)
			broken := at > 30*time.Second
			l.announce = func(egress.Event) error {
				if broken {
					return failure(egress.ConsumerFailed, "404 Not Found")
				}
				return nil
			}
			l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
			l.webhook(at, egress.EventEnded, part(2, failed, 5))
			l.webhook(30*time.Second, egress.EventEnded, part(1, complete, 30))
			l.at(50*time.Second, func() {
				if broken {
					broken = false
					l.update(egress.UpdateRetry, "retry", new(error), egress.StepAnnounce)
				}
			})

			v := l.mustRun(plainInput(t))

			require.Empty(t, l.stops)
			require.Equal(t, egressID, v.EgressID)
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Len(t, v.Parts, 2)
			require.Equal(t, "EG_2", v.Parts[0].EgressID)
			require.Equal(t, egressID, v.Parts[1].EgressID)
			require.Equal(t, []int{1, 2}, []int{v.Parts[0].Number, v.Parts[1].Number})
			require.ElementsMatch(t, []lk.EgressStatus{failed, complete}, l.toldOf())
			require.Empty(t, v.Twins)
		})
	}
}

func TestAnotherEgressThatEndedIsToldOfAlsoWhereTheReplyToTheStartWasLost(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.slowStart(5 * time.Second)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{}, failure(egress.Ambiguous, "no reply")
	}
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(2*time.Second, egress.EventEnded, part(2, failed, 2))
	l.webhook(30*time.Second, egress.EventEnded, part(1, complete, 30))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egressID, v.EgressID)
	require.ElementsMatch(t, []lk.EgressStatus{failed, complete}, l.toldOf())
	require.Empty(t, v.Twins)
}

// Whoever started it may know of it alone.
func TestATwinIsToldOnceItHasEnded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer activities.TwinAnswer
		then   func(l *life)
		told   lk.EgressStatus
		twins  []string
	}{
		"since it was stopped": {
			then: func(l *life) {
				l.webhook(11*time.Second, egress.EventUpdated, part(2, ending, 11))
				l.webhook(12*time.Second, egress.EventEnded, part(2, complete, 12))
				l.webhook(13*time.Second, egress.EventEnded, part(2, complete, 12))
			},
			told: complete, twins: []string{"EG_2"},
		},
		"by itself, before it was to be stopped": {
			answer: activities.TwinAnswer{Ended: infoOf(t, part(2, failed, 5))},
			then:   func(l *life) { l.webhook(20*time.Second, egress.EventUpdated, part(2, active, 2)) },
			told:   failed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.poll = l.nothingNew
			l.stopTwin = func() (activities.TwinAnswer, error) { return tc.answer, nil }
			l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
			l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
			tc.then(l)
			l.webhook(time.Minute, egress.EventEnded, part(1, complete, 60))

			v := l.mustRun(plainInput(t))

			require.Equal(t, []string{"EG_2"}, l.stops)
			require.ElementsMatch(t, []lk.EgressStatus{tc.told, complete}, l.toldOf())
			require.Equal(t, egressID, v.EgressID)
			require.Len(t, v.Parts, 2)
			require.Equal(t, tc.twins, v.Twins)
		})
	}
}

func TestAStopOfWhatIsForgottenIsForTheOneThatTakesItsPlaceMeanwhile(t *testing.T) {
	t.Parallel()
	l := forgetting(t)
	l.stop = func(id string) (egress.Info, error) {
		if id == egressID { // the other one is heard of before the answer
			l.SignalWorkflow(egress.SignalObserved, webhook(t, egress.EventUpdated, part(2, active, 6)))
			return egress.Info{}, failure(egress.NotFound, "egress does not exist")
		}
		return infoOf(t, part(2, complete, 20)), nil
	}
	told := errors.New("no answer")
	l.at(10*time.Second, func() { l.askStop("stop", &told) })

	v := l.mustRun(plainInput(t))

	require.NoError(t, told, "of the one that was stopped")
	require.Equal(t, []string{egressID, "EG_2"}, l.stops)
	require.Less(t, l.Now().Sub(l.began), 20*time.Second, "at once")
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Len(t, v.Parts, 2)
}

func TestWhatHasEndedAsItTakesThePlaceOfWhatIsForgottenIsNotStopped(t *testing.T) {
	t.Parallel()
	l := forgetting(t)
	l.stop = func(string) (egress.Info, error) { // the other one's end is heard of before the answer
		l.SignalWorkflow(egress.SignalObserved, webhook(t, egress.EventEnded, part(2, complete, 6)))
		return egress.Info{}, failure(egress.NotFound, "egress does not exist")
	}
	told := errors.New("no answer")
	l.at(10*time.Second, func() { l.askStop("stop", &told) })

	v := l.mustRun(plainInput(t))

	require.NoError(t, told, "what LiveKit said of the forgotten one is not of this one")
	require.Equal(t, []string{egressID}, l.stops)
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
}
