package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

const failed = lk.EgressStatus_EGRESS_FAILED

// lenient is a life whose failures are held, and whose verdicts are corrected, as by
// default.
func lenient(t *testing.T) *life {
	t.Helper()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		t := terms()
		t.Policy = egress.DefaultPolicy()
		return activities.Started{Info: info(l.t, lk.EgressStatus_EGRESS_STARTING), Terms: t}, nil
	}
	l.poll = l.nothingNew
	return l
}

// at is an egress as LiveKit had it at a second of its own clock, in its nth run.
func at(status lk.EgressStatus, second int64, run int32) *lk.EgressInfo {
	m := message(egressID, status)
	m.UpdatedAt, m.RetryCount = second*int64(time.Second), run
	if status == failed || status == complete || status == aborted {
		m.EndedAt = m.UpdatedAt
	}
	return m
}

func (l *life) toldOf() []lk.EgressStatus {
	var told []lk.EgressStatus
	for _, e := range l.announced {
		told = append(told, e.Proto().GetEgressInfo().GetStatus())
	}
	return told
}

// LiveKit does not answer the stop for a while, in which the first run's end comes, and the second's.
func TestTheEndOfASecondRunThatComesWithTheFirstOnesDuringAStopIsTold(t *testing.T) {
	t.Parallel()
	l := lenient(t)
	l.OnActivity("Stop", mock.Anything, mock.Anything, mock.Anything).After(20*time.Second).Return(infoOf(t, at(complete, 32, 1)), nil)
	l.webhook(0, egress.EventUpdated, at(active, 1, 0))
	l.at(10*time.Second, func() { l.askStop("stop", nil) })
	l.webhook(15*time.Second, egress.EventEnded, at(failed, 5, 0))
	l.webhook(20*time.Second, egress.EventEnded, at(complete, 32, 1))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, []lk.EgressStatus{complete}, l.toldOf())
}

// slowStops has LiveKit take 20 s to answer a stop. It returns when each was answered.
func (l *life) slowStops() *[]time.Duration {
	var answered []time.Duration
	l.OnActivity("Stop", mock.Anything, mock.Anything, mock.Anything).After(20 * time.Second).Return(func(_ context.Context, id string, _ bool) (egress.Info, error) {
		l.note(func() { answered = append(answered, l.took()) })
		return l.stop(id)
	})
	return &answered
}

// LiveKit does not answer the stop for a while, in which it runs the egress again.
func TestASecondRunThatBeginsDuringAStopIsStoppedWhateverTheAnswerSaysOfTheFirst(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		info egress.Info
		err  error
	}{
		"it uploads":               {infoOf(t, at(ending, 12, 0)), nil},
		"it has failed":            {infoOf(t, at(failed, 5, 0)), nil},
		"it cannot be stopped":     {egress.Info{}, failure(egress.AlreadyOver, "it has ended")},
		"LiveKit does not know it": {egress.Info{}, failure(egress.NotFound, "egress does not exist")},
		"its worker says nothing":  {egress.Info{}, failure(egress.Unanswered, "no response")},
		"it runs again":            {infoOf(t, at(active, 20, 1)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lenient(t)
			stops := l.slowStops()
			l.stop = func(string) (egress.Info, error) {
				if len(*stops) == 1 {
					return tc.info, tc.err
				}
				return infoOf(t, at(ending, 50, 1)), nil
			}
			l.webhook(0, egress.EventUpdated, at(active, 1, 0))
			said := errors.New("none")
			l.at(10*time.Second, func() { l.askStop("stop", &said) })
			l.webhook(15*time.Second, egress.EventEnded, at(failed, 5, 0))
			l.webhook(20*time.Second, egress.EventUpdated, at(active, 20, 1))
			l.at(31*time.Second, func() { require.Equal(t, egress.Evidence{}, l.state().Evidence, "nothing is known of the second run") })
			l.webhook(5*time.Minute, egress.EventEnded, at(complete, 50, 1))

			v := l.mustRun(plainInput(t))

			require.Equal(t, []time.Duration{30 * time.Second, 50 * time.Second}, rounded(*stops))
			require.NoError(t, said, "the second run's answer")
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Equal(t, []lk.EgressStatus{complete}, l.toldOf())
		})
	}
}

// A stop of a failure that is held: LiveKit runs the egress again before it answers, and its own
// count does not say so.
func TestASecondRunThatNobodyCountsIsStoppedWhateverTheAnswerSaysOfTheFirst(t *testing.T) {
	t.Parallel()
	begun := func(status lk.EgressStatus, start, second int64) *lk.EgressInfo {
		m := at(status, second, 0)
		m.StartedAt = start * int64(time.Second)
		return m
	}
	for name, tc := range map[string]struct {
		info egress.Info
		err  error
	}{
		"it has failed":           {infoOf(t, begun(failed, 1, 5)), nil},
		"its worker says nothing": {egress.Info{}, failure(egress.Unanswered, "no response")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lenient(t)
			stops := l.slowStops()
			l.stop = func(string) (egress.Info, error) {
				if len(*stops) == 1 {
					return tc.info, tc.err
				}
				return infoOf(t, begun(ending, 18, 50)), nil
			}
			l.webhook(0, egress.EventUpdated, begun(active, 1, 1))
			l.webhook(5*time.Second, egress.EventEnded, begun(failed, 1, 5))
			l.at(10*time.Second, func() { l.askStop("stop", nil) })
			l.webhook(20*time.Second, egress.EventUpdated, begun(active, 18, 20))
			l.webhook(5*time.Minute, egress.EventEnded, begun(complete, 18, 50))

			v := l.mustRun(plainInput(t))

			require.Equal(t, []time.Duration{30 * time.Second, 50 * time.Second}, rounded(*stops))
			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		})
	}
}

// LiveKit refused a stop, and another one is to show a minute later whether the worker still answers.
func TestASecondRunThatBeginsDuringAProbeIsStoppedAtOnce(t *testing.T) {
	t.Parallel()
	l := lenient(t)
	stops := l.slowStops()
	l.stop = func(string) (egress.Info, error) { return egress.Info{}, failure(egress.AlreadyOver, "it has ended") }
	l.webhook(0, egress.EventUpdated, at(active, 1, 0))
	l.at(10*time.Second, func() { l.askStop("stop", nil) })
	l.webhook(100*time.Second, egress.EventUpdated, at(active, 80, 1))
	l.webhook(140*time.Second, egress.EventEnded, at(complete, 140, 1))

	l.mustRun(plainInput(t))

	require.Equal(t, []time.Duration{30 * time.Second, 110 * time.Second, 130 * time.Second}, rounded(*stops))
}

func TestTheEndOfASecondRunThatComesWhileTheFirstOnesIsToldIsACorrection(t *testing.T) {
	t.Parallel()
	l := lenient(t)
	l.OnActivity("Stop", mock.Anything, mock.Anything, mock.Anything).After(20*time.Second).Return(egress.Info{}, failure(egress.AlreadyOver, "it has ended"))
	l.announce = func(egress.Event) error { return l.downFor(time.Minute, 10*time.Second) }
	l.webhook(0, egress.EventUpdated, at(active, 1, 0))
	l.at(10*time.Second, func() { l.askStop("stop", nil) })
	l.webhook(15*time.Second, egress.EventEnded, at(failed, 5, 0))
	l.webhook(40*time.Second, egress.EventEnded, at(complete, 38, 1))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_FAILED"), v.Corrects)
	require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf())
}

func TestAFailureWhileTheRoomIsLiveIsHeld(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		script   func(l *life)
		want     lk.EgressStatus
		wantBy   egress.Source
		wantTold time.Duration
	}{
		{"and told once nothing follows it", func(*life) {}, failed, egress.FromWebhook, 40 * time.Second},
		{"but not once its room is gone", func(l *life) {
			l.at(15*time.Second, func() { l.SignalWorkflow(egress.SignalHint, hint(l.t, egress.EventRoomFinished, roomID, "")) })
		}, failed, egress.FromWebhook, 15 * time.Second},
		{"and a second run's end is the end", func(l *life) {
			l.webhook(20*time.Second, egress.EventUpdated, at(active, 20, 1))
			l.webhook(5*time.Minute, egress.EventEnded, at(complete, 300, 1))
		}, complete, egress.FromWebhook, 5 * time.Minute},
		{"and a second run's end is the end, though nobody told of its beginning", func(l *life) {
			l.webhook(20*time.Second, egress.EventEnded, at(complete, 20, 1))
		}, complete, egress.FromWebhook, 20 * time.Second},
		{"and a second run that LiveKit lists is watched, though no webhook comes", func(l *life) {
			l.poll = func(in activities.PollRequest) (egress.Look, error) {
				if in.Have == failed {
					return egress.Look{Info: infoOf(l.t, at(active, 30, 1))}, nil
				}
				return egress.Look{Info: infoOf(l.t, at(complete, 300, 1))}, nil
			}
		}, complete, egress.FromPoll, 40 * time.Second},
		{"and a second run's end is found by a look once its room is gone", func(l *life) {
			l.at(15*time.Second, func() { l.SignalWorkflow(egress.SignalHint, hint(l.t, egress.EventRoomFinished, roomID, "")) })
			l.poll = func(activities.PollRequest) (egress.Look, error) {
				return egress.Look{Info: infoOf(l.t, at(complete, 14, 1))}, nil
			}
		}, complete, egress.FromPoll, 15 * time.Second},
		{"and a stop is for the second run, which nobody told of", func(l *life) {
			l.stop = func(string) (egress.Info, error) { return infoOf(l.t, at(lk.EgressStatus_EGRESS_ENDING, 15, 1)), nil }
			l.at(15*time.Second, func() { l.askStop("a", nil) })
			l.webhook(16*time.Second, egress.EventEnded, at(complete, 16, 1))
		}, complete, egress.FromWebhook, 16 * time.Second},
		{"and told at once when a stop finds nothing that runs", func(l *life) {
			l.stop = func(string) (egress.Info, error) {
				return egress.Info{}, temporal.NewNonRetryableApplicationError("cannot be stopped", string(egress.AlreadyOver), nil)
			}
			l.at(15*time.Second, func() { l.askStop("a", nil) })
		}, failed, egress.FromWebhook, 15 * time.Second},
		{"and such a run is found also where LiveKit could not be asked at first", func(l *life) {
			l.poll = func(in activities.PollRequest) (egress.Look, error) {
				switch {
				case in.Have == failed && l.took() < 50*time.Second:
					return egress.Look{}, nil
				case in.Have == failed:
					return egress.Look{Info: infoOf(l.t, at(active, 30, 1))}, nil
				}
				return egress.Look{Info: infoOf(l.t, at(complete, 300, 1))}, nil
			}
		}, complete, egress.FromPoll, time.Minute},
		{"and held again when the second run fails", func(l *life) {
			l.webhook(20*time.Second, egress.EventUpdated, at(active, 20, 1))
			l.webhook(60*time.Second, egress.EventEnded, at(failed, 60, 1))
		}, failed, egress.FromWebhook, 90 * time.Second},
		{"and what was merely late is no second run", func(l *life) {
			l.webhook(20*time.Second, egress.EventUpdated, at(active, 5, 0))
			l.webhook(21*time.Second, egress.EventEnded, at(failed, 10, 0))
		}, failed, egress.FromWebhook, 40 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lenient(t)
			l.webhook(2*time.Second, egress.EventUpdated, at(active, 2, 0))
			l.webhook(10*time.Second, egress.EventEnded, at(failed, 10, 0))
			tt.script(l)

			v := l.mustRun(plainInput(t))

			require.Equal(t, egress.Status(tt.want.String()), v.Status)
			require.Equal(t, tt.wantBy, v.EndedBy)
			require.Equal(t, []lk.EgressStatus{tt.want}, l.toldOf(), "the consumer is told of what is final, once")
			require.InDelta(t, tt.wantTold.Seconds(), l.heard[0].Seconds(), 1)
		})
	}
}

func TestAGoodEndIsNeitherHeldNorCorrected(t *testing.T) {
	t.Parallel()
	l := lenient(t)
	l.webhook(10*time.Second, egress.EventEnded, at(complete, 10, 0))

	l.mustRun(plainInput(t))

	require.InDelta(t, 10, l.took().Seconds(), 1)
}

func TestAFailureThatWasAskedForIsNotHeld(t *testing.T) {
	t.Parallel()
	l := lenient(t)
	l.at(5*time.Second, func() { l.askStop("a", nil) })
	l.webhook(10*time.Second, egress.EventEnded, at(aborted, 10, 0))

	l.mustRun(plainInput(t))

	require.InDelta(t, 10, l.took().Seconds(), 1)
}

func TestALateSignOfLifeCorrectsTheVerdict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		script   func(l *life)
		want     []lk.EgressStatus
		wantTook time.Duration
	}{
		{"its end comes after all", func(l *life) {
			l.webhook(time.Hour, egress.EventEnded, at(complete, 3600, 0))
		}, []lk.EgressStatus{failed, complete}, time.Hour},
		{"the reconciler finds its end", func(l *life) {
			l.at(time.Hour, func() { l.SignalWorkflow(egress.SignalReconciled, webhook(l.t, "", at(complete, 3600, 0))) })
		}, []lk.EgressStatus{failed, complete}, time.Hour},
		{"it turns out to record still", func(l *life) {
			l.webhook(time.Hour, egress.EventUpdated, at(active, 3600, 0))
			l.webhook(2*time.Hour, egress.EventEnded, at(complete, 7200, 0))
			l.poll = func(activities.PollRequest) (egress.Look, error) {
				if l.Now().Sub(l.began) < time.Hour {
					return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
				}
				return egress.Look{}, nil
			}
		}, []lk.EgressStatus{failed, complete}, 2 * time.Hour},
		{"none comes", func(*life) {}, []lk.EgressStatus{failed}, 24 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lenient(t)
			l.webhook(2*time.Second, egress.EventUpdated, at(active, 2, 0))
			l.poll = func(activities.PollRequest) (egress.Look, error) {
				return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
			}
			l.at(30*time.Minute, func() {
				var v *egress.Verdict
				answer, err := l.QueryWorkflow(egress.QueryVerdict)
				require.NoError(t, err)
				require.NoError(t, answer.Get(&v))
				require.Equal(t, egress.Lost, v.Status, "the verdict is told meanwhile")
			})
			tt.script(l)

			v := l.mustRun(plainInput(t))

			require.Equal(t, tt.want, l.toldOf())
			require.InDelta(t, tt.wantTook.Minutes(), l.took().Minutes(), 7)
			if len(tt.want) == 2 {
				require.Equal(t, egress.Lost, v.Corrects)
				require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
				require.NotEqual(t, l.announced[0].Proto().GetId(), l.announced[1].Proto().GetId(), "another event, so that no consumer takes it for a repeat")
			}
		})
	}
}

func TestAFailureMayBeCorrectedUntilItsRoomIsGone(t *testing.T) {
	t.Parallel()
	l := lenient(t)
	l.webhook(2*time.Second, egress.EventUpdated, at(active, 2, 0))
	l.webhook(10*time.Second, egress.EventEnded, at(failed, 10, 0))
	l.at(time.Hour, func() { l.SignalWorkflow(egress.SignalHint, hint(l.t, egress.EventRoomFinished, roomID, "")) })

	l.mustRun(plainInput(t))

	require.InDelta(t, time.Hour.Seconds(), l.took().Seconds(), 1)
	require.Equal(t, []lk.EgressStatus{failed}, l.toldOf())
}

func TestAFailureThatComesBeforeTheStartIsAnsweredIsHeldToo(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(l *life){
		"with the egress": func(*life) {},
		"with a failure, since its reply was lost": func(l *life) {
			l.worker.Terms.Policy = egress.DefaultPolicy()
			l.start = func(context.Context) (activities.Started, error) {
				return activities.Started{}, failure(egress.Ambiguous, "no reply")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lenient(t)
			change(l)
			l.slowStart(20 * time.Second)
			l.webhook(5*time.Second, egress.EventEnded, at(failed, 5, 0))
			l.webhook(30*time.Second, egress.EventUpdated, at(active, 30, 1))
			l.webhook(5*time.Minute, egress.EventEnded, at(complete, 300, 1))

			v := l.mustRun(plainInput(t))

			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Equal(t, []lk.EgressStatus{complete}, l.toldOf(), "the consumer is told of what is final, once")
		})
	}
}
