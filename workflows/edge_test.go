package workflows_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func failure(r egress.Reason, msg string) error {
	return temporal.NewNonRetryableApplicationError(msg, string(r), nil, egress.Error{Reason: r, Code: string(r), Message: msg})
}

// stillActive is LiveKit of which every poll says the same; until the poll is to
// answer, the server would repeat it, which the test environment cannot show.
func (l *life) stillActive() {
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		news, due := in.Have != active, !in.Until.IsZero() && !l.Now().Before(in.Until)
		if news || due {
			return egress.Look{Info: info(l.t, active), RecorderAbsent: in.Outlook == egress.OutlookEnding}, nil
		}
		delay := time.Hour
		if !in.Until.IsZero() {
			delay = in.Until.Sub(l.Now())
		}
		return egress.Look{}, temporal.NewApplicationErrorWithOptions("still active", string(egress.StillGoing),
			temporal.ApplicationErrorOptions{NextRetryDelay: delay})
	}
}

func TestLiveKitIsDownForAnHourDuringTheWatch(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	up := l.began.Add(time.Hour)
	l.poll = func(activities.PollRequest) (egress.Look, error) {
		if l.Now().Before(up) {
			return egress.Look{}, temporal.NewApplicationErrorWithOptions("down", string(egress.StillGoing),
				temporal.ApplicationErrorOptions{NextRetryDelay: 5 * time.Minute})
		}
		return egress.Look{Info: info(t, complete)}, nil
	}

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.FromPoll, v.EndedBy)
	require.Len(t, l.announced, 1)
	require.Less(t, l.took(), time.Hour+6*time.Minute)
}

// No look shows of a page that its worker lives.
func TestAStopThatMetASlowBusIsSentAgain(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.stillActive()
	var asked atomic.Int32
	l.stop = func(string) (egress.Info, error) {
		if asked.Add(1) == 1 {
			return egress.Info{}, failure(egress.Unanswered, "request timed out")
		}
		return info(l.t, complete), nil
	}
	in := plainInput(t)
	in.MaxDuration = egress.Duration(time.Hour)

	v := l.mustRun(in)

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.StopMaxDuration, v.Stopped)
	require.Len(t, l.stops, 2)
}

func TestAnEgressThatNeverEnds(t *testing.T) {
	t.Parallel()
	unanswered := func(string) (egress.Info, error) {
		return egress.Info{}, failure(egress.Unanswered, "request timed out")
	}
	for _, tt := range []struct {
		name      string
		max       egress.Duration
		script    func(l *life)
		wantStops int
		wantWhy   string
		wantTook  time.Duration
	}{
		{"is stopped at the caller's max_duration, and lost when no worker answers", egress.Duration(time.Hour), func(l *life) {
			l.stop = unanswered
		}, 2, "its worker does not answer StopEgress", time.Hour + time.Minute},
		{"is probed once its room is gone, and lost when no worker answers", 0, func(l *life) {
			l.stop = unanswered
			l.at(10*time.Minute, func() { l.SignalWorkflow(egress.SignalHint, hint(l.t, egress.EventRoomFinished, roomID, "")) })
		}, 1, "its worker does not answer StopEgress, its room is gone", 11 * time.Minute},
		{"is lost when LiveKit no longer knows it", 0, func(l *life) {
			l.poll = func(activities.PollRequest) (egress.Look, error) {
				return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
			}
		}, 0, "LiveKit no longer knows the egress", 15 * time.Second},
		{"is lost a day after an end that LiveKit never confirms", 0, func(l *life) {
			l.webhook(time.Minute, egress.EventUpdated, message(egressID, ending))
			l.poll = func(in activities.PollRequest) (egress.Look, error) {
				if l.Now().Before(in.Until) {
					return egress.Look{}, temporal.NewApplicationErrorWithOptions("still ending", string(egress.StillGoing),
						temporal.ApplicationErrorOptions{NextRetryDelay: in.Until.Sub(l.Now())})
				}
				return egress.Look{Info: info(l.t, ending)}, nil
			}
		}, 0, "LiveKit still calls it EGRESS_ENDING 24h0m0s after its end was expected", 24*time.Hour + time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.stillActive()
			tt.script(l)
			in := plainInput(t)
			in.MaxDuration = tt.max

			v := l.mustRun(in)

			require.Equal(t, egress.Lost, v.Status)
			require.Equal(t, egress.FromTimeout, v.EndedBy)
			require.Equal(t, tt.wantWhy, v.Because)
			require.Len(t, l.stops, tt.wantStops)
			require.InDelta(t, tt.wantTook.Seconds(), l.took().Seconds(), 2)
			require.Len(t, l.announced, 1)
			require.Equal(t, lk.EgressStatus_EGRESS_FAILED, l.announced[0].Proto().GetEgressInfo().GetStatus())
			require.Equal(t, "lost: "+tt.wantWhy, l.announced[0].Proto().GetEgressInfo().GetError())
		})
	}
}

func TestAGoodRecordingIsNeverStoppedUnasked(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) { // nobody is told, which would take the mark off, too
		return activities.Started{Info: info(t, lk.EgressStatus_EGRESS_STARTING), Terms: egress.Terms{Policy: terms().Policy}}, nil
	}
	l.stillActive()
	l.webhook(13*time.Hour, egress.EventEnded, message(egressID, complete))
	l.at(13*time.Hour+time.Minute, func() { require.NotEmpty(t, l.state().Stuck, "after 13 h a person should look") })

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.FromWebhook, v.EndedBy)
	require.Empty(t, l.stops)
	require.Empty(t, l.state().Stuck, "it has ended well, and nobody is to look any more")
}

func TestAStopThatWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		script      func(l *life)
		wantReason  egress.StopReason
		wantBy      *egress.Asker
		wantStopped int
	}{
		{"by cancelling the workflow", func(l *life) { l.at(time.Minute, l.CancelWorkflow) }, egress.StopCancelled, nil, 1},
		{"by the update", func(l *life) {
			l.at(time.Minute, func() { l.askStop("a", nil) })
		}, egress.StopRequested, ann, 1},
		{"by the update without its argument", func(l *life) {
			l.at(time.Minute, func() { l.update(egress.UpdateStop, "a", new(error)) })
		}, egress.StopRequested, nil, 1},
		{"by the update, twice, and then by cancelling", func(l *life) {
			l.at(time.Minute, func() { l.askStop("a", nil) })
			l.at(time.Minute+time.Second, func() { l.askStop("b", nil) })
			l.at(time.Minute+2*time.Second, l.CancelWorkflow)
		}, egress.StopRequested, ann, 3},
		{"by cancelling before LiveKit has answered the start", func(l *life) {
			l.slowStart(5 * time.Second)
			l.at(time.Second, l.CancelWorkflow)
		}, egress.StopCancelled, nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.stillActive()
			goesOn := l.poll
			l.poll = func(in activities.PollRequest) (egress.Look, error) {
				if len(l.stops) > 0 {
					return egress.Look{Info: info(t, complete)}, nil
				}
				return goesOn(in)
			}
			tt.script(l)

			v := l.mustRun(plainInput(t))

			require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
			require.Equal(t, tt.wantReason, v.Stopped)
			require.Equal(t, tt.wantBy, v.StoppedBy)
			require.Len(t, l.stops, tt.wantStopped)
			require.Len(t, l.announced, 1, "what was recorded is still delivered")
		})
	}
}

func TestTheCallerOfAStopIsToldThatNoWorkerAnswered(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.stillActive()
	l.stop = func(string) (egress.Info, error) {
		return egress.Info{}, failure(egress.Unanswered, "request timed out")
	}
	var told error
	l.at(time.Minute, func() { l.askStop("a", &told) })

	l.mustRun(plainInput(t))

	var app *temporal.ApplicationError
	require.ErrorAs(t, told, &app)
	require.Equal(t, string(egress.Unanswered), app.Type())
}

func TestARefusedStartFailsTheWorkflowAndTellsTheCaller(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{}, failure(egress.NotFound, "requested room does not exist")
	}
	var told error
	l.at(0, func() {
		l.update(egress.UpdateStart, "start", &told, egress.StartUpdate{})
	})

	_, err := l.run(plainInput(t))

	for _, err := range []error{told, err} {
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		require.Equal(t, string(egress.NotFound), app.Type())
		var details egress.Error
		require.NoError(t, app.Details(&details))
		require.Equal(t, "requested room does not exist", details.Message)
	}
	require.Empty(t, l.announced)
}

func TestAnotherRequestUnderALivingIDIsRefused(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	in := plainInput(t)
	in.Fingerprint = "one"
	var same, other error
	l.at(time.Second, func() {
		l.update(egress.UpdateStart, "same", &same, egress.StartUpdate{Fingerprint: "one"})
		l.update(egress.UpdateStart, "other", &other, egress.StartUpdate{Fingerprint: "two"})
	})

	l.mustRun(in)

	require.NoError(t, same)
	var app *temporal.ApplicationError
	require.ErrorAs(t, other, &app)
	require.Equal(t, string(egress.Conflict), app.Type())
}

func TestAnotherEgressOfTheSameRequestIsStoppedAndNeverFoldedIn(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.webhook(time.Second, egress.EventStarted, message("EG_twin", starting))
	l.webhook(2*time.Second, egress.EventUpdated, message("EG_twin", active))
	l.webhook(3*time.Second, egress.EventEnded, message("EG_twin", complete))
	l.webhook(10*time.Second, egress.EventEnded, message(egressID, aborted))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_ABORTED"), v.Status)
	require.Equal(t, []string{"EG_twin"}, l.stops)
}

func TestAStepThatFailedForGoodWaitsForAPerson(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, word    string
		wantAnnounced int
	}{
		{"who fixed the cause and says retry", egress.UpdateRetry, 1},
		{"who says skip", egress.UpdateSkip, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			broken := true
			l.announce = func(egress.Event) error {
				if broken {
					return failure(egress.ConsumerFailed, "404 Not Found")
				}
				return nil
			}
			var early, late error
			l.at(time.Second, func() { l.update(tt.word, "early", &early, egress.StepAnnounce) })
			l.at(time.Hour, func() {
				require.Contains(t, l.state().Stuck, "404 Not Found")
				broken = false
				l.update(tt.word, "late", &late, egress.StepAnnounce)
			})

			l.mustRun(plainInput(t))

			require.ErrorContains(t, early, "does not wait")
			require.NoError(t, late)
			require.Len(t, l.announced, tt.wantAnnounced)
		})
	}
}

func TestTheNextRunGoesOnWhereThisOneStopped(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
	// Two signals come while the run waits for a stop: with one of them waiting, it
	// must not end.
	l.OnActivity("Stop", mock.Anything, mock.Anything, mock.Anything).After(5*time.Second).Return(info(t, active), nil)
	l.at(time.Minute, l.CancelWorkflow)
	l.at(time.Minute+time.Second, func() { l.SetContinueAsNewSuggested(true) })
	l.webhook(time.Minute+2*time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(time.Minute+3*time.Second, egress.EventUpdated, message(egressID, ending))
	_, err := l.run(plainInput(t))
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, err, &next)
	var in egress.Input
	require.NoError(t, payloads().FromPayloads(next.Input, &in))
	require.NotNil(t, in.Carried)
	require.Equal(t, ending, in.Carried.Latest.Proto().GetStatus(), "the signal that waited was taken before")
	require.Equal(t, egress.StopCancelled, in.Carried.Stopped)

	l = newLife(t)
	l.OnActivity("Start", mock.Anything, mock.Anything).Panic("started again")
	v := l.mustRun(in)

	require.Equal(t, egress.FromPoll, v.EndedBy)
	require.Equal(t, ending, l.polls[0].Have)
	require.Len(t, in.Carried.Story, 4, "started, active, cancelled, ending")
	require.Len(t, l.state().Story, 5, "and so does the story")
	require.Equal(t, in.Carried.Story[0], l.state().Story[0])
}

func TestWhatIsWrongWithTheInputIsNamed(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	in := plainInput(t)
	in.MaxDuration = -1

	_, err := l.run(in)

	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, string(egress.Invalid), app.Type())
	require.ErrorContains(t, err, "max_duration")
}

func TestWhatTheReconcilerSawIsNewsAndItsEventIsNotPassedOn(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.stillActive()
	l.at(time.Minute, func() {
		l.SignalWorkflow(egress.SignalReconciled, webhook(l.t, "", message(egressID, active)))
		l.SignalWorkflow(egress.SignalReconciled, webhook(l.t, "", message(egressID, complete)))
		l.SignalWorkflow(egress.SignalReconciled, webhook(l.t, "", message(egressID, complete)))
	})

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.FromReconcile, v.EndedBy)
	require.Equal(t, egress.MissedUnclassified, v.Missed)
	require.Len(t, l.announced, 1)
	require.Equal(t, egress.EventEnded, l.announced[0].Proto().GetEvent())
}

// The start went past Temporal, most likely: whoever stops knows of an egress, and asks LiveKit.
func TestAStopOfWhatWasNotStartedIsNotAnsweredWithTheStartsOwnError(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.slowStart(10 * time.Second)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{}, failure(egress.TooLate, "not started in time")
	}
	var told error
	l.at(time.Second, func() { l.askStop("stop", &told) })

	_, err := l.run(plainInput(t))

	require.ErrorContains(t, err, "not started in time")
	var app *temporal.ApplicationError
	require.ErrorAs(t, told, &app)
	require.Equal(t, string(egress.NotFound), app.Type())
	require.Empty(t, l.stops)
}
