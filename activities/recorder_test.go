package activities_test

import (
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// looked returns what the last of some polls saw or said, all by one worker.
func looked(t *testing.T, a *api, in activities.PollRequest, here ...bool) (last egress.Look, why string) {
	t.Helper()
	act := activitiesOf(t, a)
	for _, a.here = range here {
		env := newEnv(a)
		env.RegisterActivity(act.Poll)
		v, err := env.ExecuteActivity(act.Poll, in)
		if err != nil {
			_, e := failed(t, err)
			last, why = egress.Look{}, e.Message
			continue
		}
		require.NoError(t, v.Get(&last))
		why = ""
	}
	return last, why
}

func TestAnAbsentRecorderTellsSomethingOnlyWhereRecordersAreShown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		here []bool
		want string
	}{
		"it is there":                             {[]bool{true}, "still EGRESS_ACTIVE"},
		"none has ever been seen":                 {[]bool{false}, "still EGRESS_ACTIVE"},
		"one has been seen, and this one is gone": {[]bool{true, false}, "still EGRESS_ACTIVE, its participant is not in the room"},
		"it was gone, and is back":                {[]bool{true, false, true}, "still EGRESS_ACTIVE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				_, why := looked(t, &api{onGet: is(active), live: true}, question(), tc.here...)
				require.Equal(t, tc.want, why)
			})
		})
	}
}

// A caller's own page may join its room under any name, or not at all: other recorders' presence
// says nothing about it, but its own earlier presence does.
func TestThatAPageOfTheCallersIsNotInItsRoomTellsNothing(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*lk.EgressInfo{
		"room composite": ownPage(active),
		"unified": {EgressId: egressID, RoomName: room, Status: active, Request: &lk.EgressInfo_Egress{Egress: &lk.StartEgressRequest{
			Source: &lk.StartEgressRequest_Template{Template: &lk.TemplateSource{CustomBaseUrl: "https://page.example.com"}},
		}}},
		"of which LiveKit shows no request": {EgressId: egressID, RoomName: room, Status: active},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{live: true, onGet: func(int) (*lk.EgressInfo, error) { return m, nil }}
				var shown activities.Shown
				shown.Saw(status(active))
				another := proto.CloneOf(m)
				another.EgressId = "EG_2"
				shown.Saw(another)
				act := activitiesOf(t, a, func(c *activities.Config) { c.Shown = &shown })
				says := func(want string, seen bool) {
					env := newEnv(a)
					env.RegisterActivity(act.Poll)
					_, err := env.ExecuteActivity(act.Poll, question(func(in *activities.PollRequest) { in.Seen = seen }))
					_, e := failed(t, err)
					require.Equal(t, want, e.Message)
				}
				says("still EGRESS_ACTIVE", false)
				says("still EGRESS_ACTIVE, its participant is not in the room", true)
				a.here = true
				says("still EGRESS_ACTIVE", false)
				a.here = false
				says("still EGRESS_ACTIVE, its participant is not in the room", false) // it was there just now
			})
		})
	}
}

// Whoever looks next knows that a recorder was there, even in the next poll.
func TestThatARecorderWasThereIsNotForgotten(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onGet: func(int) (*lk.EgressInfo, error) { return ownPage(active), nil }, here: true, live: true}
		act := activitiesOf(t, a)
		env := newEnv(a)
		env.RegisterActivity(act.Poll)
		v, err := env.ExecuteActivity(act.Poll, question(until(0)))
		require.NoError(t, err)
		var look egress.Look
		require.NoError(t, v.Get(&look))
		require.True(t, look.RecorderSeen)
		var s egress.State
		s.Looked(look, time.Now())
		s.Looked(egress.Look{}, time.Now())
		require.True(t, s.RecorderSeen)
	})
}

// An egress worker may take its time to load the page: that must not lead to a stop.
func TestThatARecorderHasNotComeYetTellsNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		age  time.Duration
		seen bool
		want string
	}{
		"it has only just begun":          {time.Minute, false, "still EGRESS_STARTING"},
		"it has, and was there":           {time.Minute, true, "still EGRESS_STARTING, its participant is not in the room"},
		"it ought to have begun":          {5 * time.Minute, false, "still EGRESS_STARTING, its participant is not in the room"},
		"LiveKit does not say since when": {0, false, "still EGRESS_STARTING"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				m := status(starting)
				if tc.age > 0 {
					m.UpdatedAt = time.Now().Add(-tc.age).UnixNano()
				}
				a := &api{live: true, onGet: func(int) (*lk.EgressInfo, error) { return m, nil }}
				var shown activities.Shown
				shown.Saw(status(active))
				act := activitiesOf(t, a, func(c *activities.Config) { c.Shown = &shown })
				env := newEnv(a)
				env.RegisterActivity(act.Poll)
				_, err := env.ExecuteActivity(act.Poll, question(have(starting, egress.OutlookStarting), func(in *activities.PollRequest) { in.Seen = tc.seen }))
				_, e := failed(t, err)
				require.Equal(t, tc.want, e.Message)
			})
		})
	}
}

func TestARecorderThatCannotBeAskedForTellsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onGet: is(active), hereErr: because(egress.Denied)}
		_, why := looked(t, a, question(), true, false)
		require.Equal(t, "still EGRESS_ACTIVE", why)
		require.Zero(t, a.count["rooms"])
	})
}

// Where LiveKit passes the question on to the room, nobody answers once that is gone, nor if LiveKit is
// merely slow. Only a list without the room, twice, says that it is gone.
func TestWhereNobodyAnswersForARecorderTheListOfRoomsTells(t *testing.T) {
	t.Parallel()
	const still, gone = "still EGRESS_ACTIVE", "still EGRESS_ACTIVE, its room is gone"
	for name, tc := range map[string]struct {
		said  egress.Reason
		a     *api
		want  string
		rooms int
	}{
		"its room is gone":             {egress.Ambiguous, &api{}, gone, 2},
		"its room is listed":           {egress.Ambiguous, &api{live: true}, still, 1},
		"its room is listed after all": {egress.Ambiguous, &api{live: true, unlisted: 1}, still, 2},
		"the list is not answered":     {egress.Ambiguous, &api{live: true, liveErr: because(egress.Ambiguous)}, still, 1},
		"LiveKit is not there":         {egress.Unreachable, &api{}, still, 0},
		"too many have asked":          {egress.RateLimited, &api{}, still, 0},
		"a proxy answered":             {"", &api{hereErr: &egress.Error{Reason: egress.Ambiguous}}, still, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := tc.a
				if a.onGet = is(active); tc.said != "" {
					a.hereErr = because(tc.said)
				}
				_, why := looked(t, a, question(), false)
				require.Equal(t, tc.want, why)
				require.Equal(t, tc.rooms, a.count["rooms"])
				look, _ := looked(t, a, question(have(active, egress.OutlookEnding), until(0)), false)
				require.Equal(t, tc.want == gone, look.RecorderAbsent)
				require.False(t, look.RecorderHere)
			})
		})
	}
}

func TestTheAnswerSaysWhetherTheRecorderIsThere(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		here, _ := looked(t, &api{onGet: is(active), live: true}, question(until(0)), true)
		require.True(t, here.RecorderHere)
		require.Zero(t, here.RecorderGone)
		gone, _ := looked(t, &api{onGet: is(active), live: true}, question(until(0)), true, false)
		require.False(t, gone.RecorderHere)
		require.Equal(t, time.Now().UTC(), gone.RecorderGone.UTC())
		require.Equal(t, gone.RecorderGone, gone.EndExpected)
		web, _ := looked(t, &api{onGet: is(active)}, question(web, until(0)), true)
		require.False(t, web.RecorderHere, "a web egress has no participant")
	})
}

func TestAPollWaitsOnForAMinuteWhileTheRecorderIsGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onGet: is(active), live: true}
		act := activitiesOf(t, a)
		attempt := func(details ...any) (egress.Look, error) {
			env := newEnv(a)
			for _, d := range details {
				env.SetHeartbeatDetails(d)
			}
			env.RegisterActivity(act.Poll)
			v, err := env.ExecuteActivity(act.Poll, question())
			if err != nil {
				return egress.Look{}, err
			}
			var l egress.Look
			return l, v.Get(&l)
		}
		a.here = true
		_, err := attempt()
		stillGoing(t, err)
		a.here = false
		_, err = attempt()
		require.Equal(t, 20*time.Second, stillGoing(t, err))
		gone := time.Now()
		pass(time.Minute)
		look, err := attempt(map[string]any{"recorder_gone": gone, "end_expected": gone, "end_attempt": 0})
		require.NoError(t, err, "the workflow must weigh it")
		require.True(t, look.RecorderGone.Equal(gone))
		require.True(t, look.EndExpected.Equal(gone))
	})
}

func TestWhereThereIsADoubtTheRecorderIsNewsAsSoonAsItCanBeAskedFor(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in := question(have(active, egress.OutlookEnding))
		in.Doubt = true
		_, why := looked(t, &api{onGet: gets(because(egress.RateLimited))}, in, true)
		require.Contains(t, why, "LiveKit could not be asked")
		_, why = looked(t, &api{onGet: is(active), hereErr: because(egress.RateLimited)}, in, true)
		require.Equal(t, "still EGRESS_ACTIVE", why)
		look, why := looked(t, &api{onGet: is(active)}, in, true)
		require.Empty(t, why)
		require.True(t, look.RecorderHere && !look.RecorderAbsent)
		look, why = looked(t, &api{onGet: is(active)}, in, false)
		require.Empty(t, why)
		require.True(t, look.RecorderAbsent && !look.RecorderHere)
	})
}

// A LiveKit that has lost its rooms for a moment has them again later, and a proxy's empty answer
// lists none. An end that is expected would have the egress stopped.
func TestARoomThatIsBackIsNotGone(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(*api){
		"with its recorder":        func(a *api) { a.here = true },
		"with nobody that we know": func(a *api) { a.live = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onGet: is(active)}
				_, why := looked(t, a, question(), false)
				require.Equal(t, "still EGRESS_ACTIVE, its room is gone", why)
				act := activitiesOf(t, a)
				env := newEnv(a)
				env.SetHeartbeatDetails(map[string]any{"room_gone": time.Now(), "end_expected": time.Now(), "end_attempt": 0})
				env.RegisterActivity(act.Poll)
				back(a)
				_, err := env.ExecuteActivity(act.Poll, question())
				failure, e := failed(t, err)
				require.Equal(t, "still EGRESS_ACTIVE", e.Message)
				require.Greater(t, failure.NextRetryDelay(), 4*time.Minute, "no end is expected")
			})
		})
	}
}

// The look that closes a hold asks once, and decides whether there is a next part.
func TestARoomIsGoneOnceLiveKitHasSaidSoTwice(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		api  *api
		gone bool
	}{
		"it is listed":               {&api{live: true}, false},
		"one answer was empty":       {&api{live: true, unlisted: 1}, false},
		"both answers were":          {&api{live: true, unlisted: 2}, true},
		"LiveKit could not be asked": {&api{liveErr: because(egress.Unreachable)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := tc.api
				a.onGet = is(lk.EgressStatus_EGRESS_FAILED)
				look, err := poll(t, a, question(have(lk.EgressStatus_EGRESS_FAILED, egress.OutlookActive), from(-time.Minute), until(-time.Minute)))
				require.NoError(t, err)
				require.Equal(t, tc.gone, !look.RoomGone.IsZero())
			})
		})
	}
}
