package workflows_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// stopsNoTwin lets the stop of a twin fail until then.
func (l *life) stopsNoTwin(why egress.Reason, until time.Duration) {
	l.stopTwin = func() (activities.TwinAnswer, error) {
		if l.Now().Sub(l.began) < until {
			return activities.TwinAnswer{}, failure(why, "no")
		}
		return activities.TwinAnswer{}, nil
	}
}

func TestATwinThatCouldNotBeStoppedIsStoppedAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		failed egress.Reason
		stops  int
	}{
		"LiveKit is away":          {egress.Unreachable, 4},
		"it has ended meanwhile":   {egress.AlreadyOver, 1},
		"LiveKit has forgotten it": {egress.NotFound, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.poll = l.nothingNew
			l.stopsNoTwin(tc.failed, 90*time.Second)
			l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
			l.webhook(10*time.Second, egress.EventStarted, part(2, starting, 10))
			l.webhook(11*time.Second, egress.EventUpdated, part(2, active, 11))
			l.webhook(5*time.Minute, egress.EventEnded, part(1, complete, 300))

			v := l.mustRun(plainInput(t))

			require.Len(t, l.stops, tc.stops, "at once for each webhook of it, and then once a minute")
			require.Equal(t, []string{"EG_2"}, v.Twins)
		})
	}
}

// LiveKit fails while it is asked for the two, and has forgotten the other one when it is back.
func TestAnEgressThatLiveKitCouldNotBeAskedAboutIsToldWhenTheBoundOneHadFailed(t *testing.T) {
	t.Parallel()
	for name, heard := range map[string]func(l *life){
		"as a poll finds": func(l *life) {
			nothing := l.poll
			l.poll = func(in activities.PollRequest) (egress.Look, error) {
				if in.EgressID != egressID {
					return nothing(in)
				}
				if wait := in.From.Sub(l.Now()); wait > 0 {
					return egress.Look{}, temporal.NewApplicationErrorWithOptions("not due", string(egress.StillGoing), temporal.ApplicationErrorOptions{NextRetryDelay: wait})
				}
				return egress.Look{Info: infoOf(l.t, part(1, failed, 5))}, nil
			}
		},
		"as its webhook says, late": func(l *life) { l.webhook(20*time.Second, egress.EventEnded, part(1, failed, 5)) },
		"as LiveKit says when it is back": func(l *life) {
			l.at(50*time.Second, func() { l.broke = true })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := holding(t)
			l.poll = l.nothingNew
			l.stopTwin = func() (activities.TwinAnswer, error) {
				return activities.TwinAnswer{}, failure(egress.Unreachable, "connection refused")
			}
			heard(l)
			l.forgetsTheOther()
			l.webhook(10*time.Second, egress.EventStarted, part(2, starting, 10))

			v := l.mustRun(plainInput(t))

			require.Equal(t, "EG_2", v.EgressID)
			require.Equal(t, egress.Lost, v.Status)
			require.Len(t, v.Parts, 2)
			require.Equal(t, egress.Status("EGRESS_FAILED"), v.Parts[0].Status)
			require.ElementsMatch(t, []lk.EgressStatus{failed, failed}, l.toldOf(), "the lost one is EGRESS_FAILED to others")
			require.Empty(t, v.Twins)
		})
	}
}

// forgetsTheOther lets LiveKit know nothing of EG_2 when it is polled.
func (l *life) forgetsTheOther() {
	known := l.poll
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if in.EgressID == "EG_2" {
			return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
		}
		return known(in)
	}
}

// The bound one has ended well, so that nothing comes any more that would be news.
func TestATwinThatCouldNotBeStoppedIsStoppedBeforeTheWorkflowCloses(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.poll = l.nothingNew
	l.stopsNoTwin(egress.Unreachable, 30*time.Second)
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
	l.webhook(40*time.Second, egress.EventEnded, part(1, complete, 40))

	v := l.mustRun(plainInput(t))

	require.Equal(t, []string{"EG_2", "EG_2"}, l.stops)
	require.Equal(t, []string{"EG_2"}, v.Twins)
}

func TestAnEgressThatIsHeardOfOnceWhileTheStartOfAForgottenOneIsUnderWayIsTold(t *testing.T) {
	t.Parallel()
	l := forgetting(t)
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if in.EgressID == "EG_2" {
			return egress.Look{Info: infoOf(l.t, part(2, complete, 120))}, nil
		}
		return egress.Look{MissingSince: l.Now().Add(-time.Minute)}, nil
	}
	l.slowStart(time.Minute)
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))

	v := l.mustRun(plainInput(t))

	require.Empty(t, l.stops)
	require.Equal(t, "EG_2", v.EgressID)
	require.ElementsMatch(t, []lk.EgressStatus{failed, complete}, l.toldOf(), "the forgotten one as lost")
}

// The worker of the other one is dead, most likely.
func TestATwinThatNoWorkerStopsKeepsNoOtherFromBeingStarted(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.stopsNoTwin(egress.Unanswered, time.Hour)
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(150*time.Second, egress.EventUpdated, part(3, active, 150))
	l.webhook(152*time.Second, egress.EventEnded, part(1, failed, 152))
	l.webhook(10*time.Minute, egress.EventEnded, part(2, complete, 600))

	v := l.mustRun(plainInput(t))

	require.Len(t, *starts, 2)
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
}

// It is the recording that goes on, and no other is started.
func TestATwinThatCouldNotBeStoppedIsTheNextPartOfWhatFailed(t *testing.T) {
	t.Parallel()
	l, starts := recovering(t, 1)
	l.stopsNoTwin(egress.Unreachable, time.Hour)
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(150*time.Second, egress.EventUpdated, part(2, active, 150))
	l.webhook(152*time.Second, egress.EventEnded, part(1, failed, 152))
	l.webhook(10*time.Minute, egress.EventEnded, part(2, complete, 600))

	v := l.mustRun(plainInput(t))

	require.Len(t, *starts, 1)
	require.Equal(t, []string{"EG_2"}, l.stops, "while the first one was well")
	require.Empty(t, v.Twins)
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf())
}

// The bound egress's worker has died, which only its participant tells, when another egress
// of the request shows that it records.
func TestTheTwinOfAZombieIsNotStopped(t *testing.T) {
	t.Parallel()
	for name, hear := range map[string]func(*life){
		"its recorder was heard to leave": func(l *life) {
			l.at(10*time.Second, func() { l.SignalWorkflow(egress.SignalHint, hint(t, egress.EventParticipantLeft, roomID, egressID)) })
		},
		"nobody heard of that": func(l *life) { l.absent = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theTwinOfAZombieIsNotStopped(t, hear)
		})
	}
}

func theTwinOfAZombieIsNotStopped(t *testing.T, hear func(*life)) {
	t.Helper()
	l := newLife(t)
	hear(l)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: infoOf(t, part(1, active, 1)), Terms: terms()}, nil
	}
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if in.EgressID == egressID {
			return egress.Look{Info: infoOf(t, part(1, active, 1)), RecorderAbsent: true, RecorderGone: l.Now()}, nil
		}
		return l.nothingNew(in)
	}
	l.stop = func(id string) (egress.Info, error) {
		if id == egressID {
			return egress.Info{}, failure(egress.Unanswered, "no response from servers")
		}
		return info(t, ending), nil
	}
	l.webhook(12*time.Second, egress.EventUpdated, part(2, active, 12))
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))

	v := l.mustRun(plainInput(t))

	require.NotContains(t, l.stops, "EG_2")
	require.Equal(t, "EG_2", v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.Lost, v.Parts[0].Status)
}

// The recorder leaves its room at each end; what was put aside then is not left to record for
// as long as a consumer is down.
func TestATwinThatIsSeenAtTheEndIsStoppedBeforeThatIsTold(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: infoOf(t, part(1, active, 1)), Terms: terms()}, nil
	}
	up := l.began.Add(time.Hour)
	l.announce = func(egress.Event) error {
		if l.Now().Before(up) {
			return down(time.Hour)
		}
		return nil
	}
	l.at(10*time.Second, func() { l.SignalWorkflow(egress.SignalHint, hint(t, egress.EventParticipantLeft, roomID, egressID)) })
	l.webhook(11*time.Second, egress.EventUpdated, part(2, active, 11))
	l.webhook(12*time.Second, egress.EventEnded, part(1, complete, 12))
	l.at(time.Minute, func() { require.Equal(t, []string{"EG_2"}, l.stops) })

	v := l.mustRun(plainInput(t))

	require.Equal(t, []string{"EG_2"}, v.Twins)
	require.Equal(t, egressID, v.EgressID)
}

// Its worker is dead, most likely, and while it is asked nothing else is heard.
func TestATwinThatNoWorkerStopsIsAskedEverMoreRarely(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.poll = l.nothingNew
	l.stopsNoTwin(egress.Unanswered, 3*time.Hour)
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
	l.webhook(2*time.Hour, egress.EventEnded, part(1, complete, 7200))

	v := l.mustRun(plainInput(t))

	require.Len(t, l.stops, 13, "at once, after 2, 4 and 8 min, every 15 min then, at the end, and once that is told")
	require.Equal(t, egressID, v.EgressID)
}

// inAnotherRoom is an egress of the request that records another room.
func inAnotherRoom(status lk.EgressStatus, second int64) *lk.EgressInfo {
	m := part(2, status, second)
	m.RoomName = "weekly"
	return m
}

// Somebody asked for another room with the same key, past Temporal. Both record on.
func TestAnEgressOfAnotherRoomIsNoTwin(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(2*time.Second, egress.EventUpdated, inAnotherRoom(active, 2))
	l.webhook(20*time.Second, egress.EventEnded, inAnotherRoom(complete, 20))
	l.webhook(30*time.Second, egress.EventEnded, message(egressID, complete))

	v := l.mustRun(plainInput(t))

	require.Empty(t, l.stops)
	require.Empty(t, v.Twins)
	require.Equal(t, egressID, v.EgressID)
	require.Len(t, v.Parts, 2)
	require.Equal(t, []lk.EgressStatus{complete, complete}, l.toldOf(), "its end is told, too")
}

// Two calls with one key, for two rooms, of which the first went past Temporal: what is heard
// of it while the second waits for its start is not taken for its own.
func TestAnEgressOfAnotherRoomIsNotBoundWhileTheStartIsAwaited(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.slowStart(10 * time.Second)
	l.poll = l.nothingNew
	l.webhook(time.Second, egress.EventUpdated, inAnotherRoom(active, 1))
	l.webhook(20*time.Second, egress.EventEnded, inAnotherRoom(complete, 20))
	l.webhook(30*time.Second, egress.EventEnded, message(egressID, complete))

	v := l.mustRun(plainInput(t))

	require.Empty(t, l.stops)
	require.Equal(t, egressID, v.EgressID)
	require.Len(t, v.Parts, 2)
	require.Equal(t, []lk.EgressStatus{complete, complete}, l.toldOf(), "its end is told, too")
}

func TestAPollAsksForTheRoomThatLiveKitNames(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	m := message(egressID, active)
	m.RoomName = "weekly"
	rooms := map[string]bool{}
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		l.note(func() { rooms[in.Room] = true })
		ended := message(egressID, complete)
		return egress.Look{Info: infoOf(l.t, ended)}, nil
	}
	l.webhook(time.Second, egress.EventUpdated, m)

	v := l.mustRun(egress.Adoption(info(t, active), egress.Extras{})) // of the room that was asked for

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, map[string]bool{"weekly": true}, rooms)
}

// Two starts of one request race, say past Temporal: one is bound, and the answer names the other.
func TestATwinThatStopsBeforeTheStartHasAnsweredIsToldOnceItHas(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.slowStart(20 * time.Second)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: infoOf(t, part(2, lk.EgressStatus_EGRESS_STARTING, 1)), Terms: terms()}, nil
	}
	l.poll = l.nothingNew
	l.stopTwin = func() (activities.TwinAnswer, error) {
		return activities.TwinAnswer{Ended: infoOf(t, part(2, aborted, 2))}, nil
	}
	l.webhook(time.Second, egress.EventStarted, message(egressID, lk.EgressStatus_EGRESS_STARTING))
	l.webhook(2*time.Second, egress.EventStarted, part(2, lk.EgressStatus_EGRESS_STARTING, 1))
	l.webhook(time.Minute, egress.EventEnded, part(1, complete, 60))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egressID, v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, terms().Policy, l.state().Policy)
	require.ElementsMatch(t, []lk.EgressStatus{aborted, complete}, l.toldOf())
}

// The longest duration passes before the next part would begin: nothing will find the egress that was
// left to it, and the end is announced for as long as a consumer is down.
func TestWhatWasLeftToAPartThatIsNotStartedIsStoppedAtOnce(t *testing.T) {
	t.Parallel()
	for _, end := range []lk.EgressStatus{failed, lk.EgressStatus_EGRESS_LIMIT_REACHED} {
		t.Run(end.String(), func(t *testing.T) {
			t.Parallel()
			l, starts := recovering(t, 1)
			stopped := map[string]time.Duration{}
			l.twin = func(in activities.TwinRequest) (activities.TwinAnswer, error) {
				if in.After.Part > 0 {
					return activities.TwinAnswer{Later: true}, nil
				}
				stopped[in.Twin] = l.took()
				return activities.TwinAnswer{}, nil
			}
			l.stop = func(id string) (egress.Info, error) {
				stopped[id] = l.took()
				return infoOf(t, part(2, complete, 16)), nil
			}
			l.announce = func(egress.Event) error { return l.downFor(time.Hour, 10*time.Minute) }
			l.webhook(time.Second, egress.EventUpdated, part(1, active, 1))
			l.webhook(10*time.Second, egress.EventUpdated, part(2, active, 10))
			l.webhook(15*time.Second, egress.EventEnded, part(1, end, 15))
			in := plainInput(t)
			in.MaxDuration = egress.Duration(15500 * time.Millisecond)

			l.mustRun(in)

			require.Len(t, *starts, 1)
			require.Contains(t, stopped, "EG_2")
			require.Less(t, stopped["EG_2"], time.Minute)
		})
	}
}
