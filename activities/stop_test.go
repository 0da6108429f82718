package activities_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func stop(t *testing.T, a *api) (egress.Info, error) {
	t.Helper()
	env := newEnv(a)
	act := activitiesOf(t, a)
	env.RegisterActivity(act.Stop)
	v, err := env.ExecuteActivity(act.Stop, egressID, false)
	if err != nil {
		return egress.Info{}, err
	}
	var i egress.Info
	return i, v.Get(&i)
}

const limited = lk.EgressStatus_EGRESS_LIMIT_REACHED

func TestAStopTellsHowTheEgressThenIs(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStop: is(ending)}
		info, err := stop(t, a)
		require.NoError(t, err)
		require.Equal(t, ending, info.Proto().GetStatus())
		require.Equal(t, []string{"0s stop EG_1"}, a.log)
	})
}

func TestAStopOfAnEgressThatIsOverTellsHowItEnded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStop: gets(because(egress.AlreadyOver)), onGet: is(complete)}
		info, err := stop(t, a)
		require.NoError(t, err)
		require.Equal(t, complete, info.Proto().GetStatus())
		require.Equal(t, []string{"0s stop EG_1", "0s get EG_1"}, a.log)
	})
}

// asked runs a probe, which asks before it stops, for up to three attempts.
func asked(t *testing.T, a *api) (i egress.Info, err error) {
	t.Helper()
	env := newAttempts(a)
	env.options.RetryPolicy.MaximumAttempts = 3
	act := activitiesOf(t, a)
	err = env.run(func(ctx context.Context, id string) (egress.Info, error) { return act.Stop(ctx, id, true) }, egressID, &i)
	return i, err
}

func TestAProbeStopsNoWorkerThatAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		said   error
		listed lk.EgressStatus
	}{
		"that it lives":               {nil, active},
		"and has ended meanwhile":     {nil, complete},
		"that is over, says its list": {because(egress.AlreadyOver), ending},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onAsk: func(int) error { return tc.said }, onGet: is(tc.listed)}
				info, err := asked(t, a)
				require.NoError(t, err)
				require.Equal(t, tc.listed, info.Proto().GetStatus())
				require.Equal(t, []string{"0s ask EG_1", "0s get EG_1"}, a.log)
			})
		})
	}
}

// Its first question may have been lost.
func TestAProbeStopsAWorkerThatDoesNotAnswerTwice(t *testing.T) {
	t.Parallel()
	silence := because(egress.Unanswered)
	bubble(t, func(t *testing.T) {
		a := &api{onAsk: func(int) error { return silence }, onStop: gets(silence)}
		_, err := asked(t, a)
		require.ErrorContains(t, err, string(egress.Unanswered))
		require.Equal(t, slices.Repeat([]string{"ask EG_1", "ask EG_1", "stop EG_1"}, 3), untimed(a.log))
	})
	bubble(t, func(t *testing.T) {
		a := &api{onAsk: func(n int) error { return map[bool]error{true: silence}[n == 1] }, onGet: is(active)}
		_, err := asked(t, a)
		require.NoError(t, err)
		require.Equal(t, []string{"ask EG_1", "ask EG_1", "get EG_1"}, untimed(a.log))
	})
	bubble(t, func(t *testing.T) { // LiveKit could not be asked at first
		said := []error{because(egress.Ambiguous), silence, nil}
		a := &api{onAsk: func(n int) error { return said[n-1] }, onGet: is(active)}
		_, err := asked(t, a)
		require.NoError(t, err)
		require.Equal(t, []string{"ask EG_1", "ask EG_1", "ask EG_1", "get EG_1"}, untimed(a.log))
	})
}

// The stop of an attempt that failed may still be carried out, whatever the next one hears.
func TestAWorkerThatMayHaveBeenStoppedBeforeIsInDoubtUntilItEnds(t *testing.T) {
	t.Parallel()
	silence, stopped := because(egress.Unanswered), []string{"ask EG_1", "ask EG_1", "stop EG_1"}
	for name, tc := range map[string]struct {
		then   error // what the next attempts hear from the worker
		listed lk.EgressStatus
		calls  []string
		want   egress.Reason
	}{
		"it answers":           {nil, active, []string{"ask EG_1", "get EG_1", "ask EG_1", "get EG_1"}, egress.Ambiguous},
		"it ends":              {nil, ending, []string{"ask EG_1", "get EG_1"}, ""},
		"nobody can be asked":  {because(egress.Ambiguous), active, []string{"ask EG_1", "ask EG_1"}, egress.Ambiguous},
		"too many have asked":  {because(egress.RateLimited), active, []string{"ask EG_1", "ask EG_1"}, egress.Ambiguous},
		"it is silent":         {silence, active, slices.Repeat(stopped, 2), egress.Ambiguous},
		"it is forgotten":      {because(egress.NotFound), active, []string{"ask EG_1"}, egress.NotFound},
		"LiveKit is not there": {because(egress.Unreachable), active, []string{"ask EG_1", "ask EG_1"}, egress.Ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{
					onAsk:  func(n int) error { return map[bool]error{true: silence, false: tc.then}[n <= 2] },
					onStop: gets(because(egress.Ambiguous)), onGet: is(tc.listed),
				}
				info, err := asked(t, a)
				require.Equal(t, append(stopped[:3:3], tc.calls...), untimed(a.log))
				if tc.want != "" {
					require.ErrorContains(t, err, string(tc.want))
					return
				}
				require.NoError(t, err)
				require.Equal(t, tc.listed, info.Proto().GetStatus())
			})
		})
	}
}

// untimed returns the calls without their times.
func untimed(log []string) (calls []string) {
	for _, l := range log {
		_, call, _ := strings.Cut(l, " ")
		calls = append(calls, call)
	}
	return calls
}

func TestAProbeStopsNothingIfLiveKitCannotBeAsked(t *testing.T) {
	t.Parallel()
	for _, why := range []egress.Reason{egress.NotFound, egress.Denied, egress.Refused, egress.Unreachable, egress.Ambiguous, egress.RateLimited} {
		t.Run(string(why), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onAsk: func(int) error { return because(why) }} // a stop would panic
				_, err := asked(t, a)
				if why == egress.Ambiguous {
					why = egress.Unavailable // it is not in doubt that nothing was stopped
				}
				require.ErrorContains(t, err, string(why))
				require.NotContains(t, untimed(a.log), "stop EG_1")
			})
		})
	}
}

// LiveKit lists it as active until its file is uploaded, which may fail.
func TestAStopOfAnEgressAtItsLimitTellsThatItEndsUntilLiveKitListsTheEnd(t *testing.T) {
	t.Parallel()
	for listed, want := range map[lk.EgressStatus]lk.EgressStatus{
		active: ending, ending: ending, limited: limited, lk.EgressStatus_EGRESS_FAILED: lk.EgressStatus_EGRESS_FAILED,
	} {
		t.Run(listed.String(), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStop: is(limited), onGet: is(listed)}
				info, err := stop(t, a)
				require.NoError(t, err)
				require.Equal(t, want, info.Proto().GetStatus())
				require.Equal(t, []string{"0s stop EG_1", "0s get EG_1"}, a.log)
			})
		})
	}
}

func TestAStopThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stop, get error
		want      egress.Reason
		final     bool
	}{
		"its worker does not answer":         {because(egress.Unanswered), nil, egress.Unanswered, false},
		"LiveKit cannot be reached":          {because(egress.Unreachable), nil, egress.Unreachable, false},
		"nobody knows what became of it":     {because(egress.Ambiguous), nil, egress.Ambiguous, false},
		"LiveKit does not know the egress":   {because(egress.NotFound), nil, egress.NotFound, true},
		"our key is refused":                 {because(egress.Denied), nil, egress.Denied, true},
		"over, and then LiveKit is down":     {because(egress.AlreadyOver), because(egress.Ambiguous), egress.Ambiguous, false},
		"over, and forgotten":                {because(egress.AlreadyOver), because(egress.NotFound), egress.NotFound, true},
		"at its limit, then LiveKit is down": {nil, because(egress.Ambiguous), egress.Ambiguous, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				livekit := &api{onStop: gets(tc.stop), onGet: gets(tc.get)}
				if tc.stop == nil {
					livekit.onStop = is(limited)
				}
				_, err := stop(t, livekit)
				a, e := failed(t, err)
				require.Equal(t, tc.want, e.Reason)
				require.Equal(t, "LiveKit said "+string(tc.want), e.Message)
				require.Equal(t, tc.final, a.NonRetryable())
				require.ErrorContains(t, err, "LiveKit said")
			})
		})
	}
}

func TestAStopShowsNoSecretOfTheRequestThatLiveKitEchoes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		m := status(ending)
		m.Request = &lk.EgressInfo_Web{Web: &lk.WebEgressRequest{Url: "https://example.com/?token=CANARY"}}
		info, err := stop(t, &api{onStop: func(int) (*lk.EgressInfo, error) { return m, nil }})
		require.NoError(t, err)
		require.NotContains(t, string(info.Raw()), "CANARY")
	})
}

func TestATwinIsStoppedOnlyWhereTheBoundOneIsKnown(t *testing.T) {
	t.Parallel()
	recorded := activities.TwinRequest{Twin: "EG_2", Bound: egressID, Room: "standup"}
	for name, tc := range map[string]struct {
		in      activities.TwinRequest
		get     error
		known   lk.EgressStatus
		log     []string
		missing bool
		failed  bool
		fails   bool
		stop    error
		ended   bool
		absent  bool
		page    bool
		change  func(*api, *activities.Config)
	}{
		"its recorder is in the room": {in: recorded, known: active, log: []string{"0s get EG_1", "0s stop EG_2"}, change: func(a *api, c *activities.Config) { a.here = true; c.Shown.Saw(status(active)) }},
		"its recorder is not":         {in: recorded, known: active, log: []string{"0s get EG_1"}, absent: true, change: func(_ *api, c *activities.Config) { c.Shown.Saw(status(active)) }},
		"nobody says whether its recorder is": {in: recorded, known: active, log: []string{"0s get EG_1"}, fails: true, change: func(a *api, c *activities.Config) {
			a.hereErr = because(egress.Unreachable)
			c.Shown.Saw(status(active))
		}},
		"its room is gone": {in: recorded, known: active, log: []string{"0s get EG_1", "0s rooms standup", "1s rooms standup"}, absent: true, change: func(a *api, c *activities.Config) {
			a.hereErr = because(egress.Ambiguous)
			c.Shown.Saw(status(active))
		}},
		"its room is listed, and does not answer": {in: recorded, known: active, log: []string{"0s get EG_1", "0s rooms standup"}, fails: true, change: func(a *api, c *activities.Config) {
			a.hereErr, a.live = because(egress.Ambiguous), true
			c.Shown.Saw(status(active))
		}},
		"LiveKit shows no recorders":                    {in: recorded, known: active, log: []string{"0s get EG_1", "0s stop EG_2"}},
		"it is a page of its own":                       {in: recorded, known: active, page: true, log: []string{"0s get EG_1", "0s stop EG_2"}, change: func(_ *api, c *activities.Config) { c.Shown.Saw(status(active)) }},
		"it is a page of its own, which has been there": {in: activities.TwinRequest{Twin: "EG_2", Bound: egressID, Room: "standup", Seen: true}, known: active, page: true, absent: true, log: []string{"0s get EG_1"}},
		"its recorder has yet to join":                  {in: recorded, known: starting, log: []string{"0s get EG_1", "0s stop EG_2"}, change: func(_ *api, c *activities.Config) { c.Shown.Saw(status(active)) }},
		"the bound one is known":                        {in: activities.TwinRequest{Twin: "EG_2", Bound: egressID}, known: active, log: []string{"0s get EG_1", "0s stop EG_2"}},
		"it is complete":                                {in: activities.TwinRequest{Twin: "EG_2", Bound: egressID}, known: complete, log: []string{"0s get EG_1", "0s stop EG_2"}},
		"it failed":                                     {in: activities.TwinRequest{Twin: "EG_2", Bound: egressID}, known: lk.EgressStatus_EGRESS_FAILED, log: []string{"0s get EG_1"}, failed: true},
		"it is forgotten":                               {in: activities.TwinRequest{Twin: "EG_2", Bound: egressID}, get: because(egress.NotFound), log: []string{"0s get EG_1"}, missing: true},
		"LiveKit does not say":                          {in: activities.TwinRequest{Twin: "EG_2", Bound: egressID}, get: because(egress.Unreachable), log: []string{"0s get EG_1"}, fails: true},
		"the twin has ended":                            {in: activities.TwinRequest{Twin: "EG_2", Bound: egressID, Over: true}, known: active, log: []string{"0s get EG_1"}},
		"the end of the bound is known":                 {in: activities.TwinRequest{Twin: "EG_2"}, get: because(egress.NotFound), log: []string{"0s stop EG_2"}},
		"the twin had ended by itself":                  {in: activities.TwinRequest{Twin: "EG_2"}, stop: because(egress.AlreadyOver), known: complete, log: []string{"0s stop EG_2", "0s get EG_2"}, ended: true},
		"nobody answers for the twin":                   {in: activities.TwinRequest{Twin: "EG_2"}, stop: because(egress.Unanswered), log: []string{"0s stop EG_2"}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStop: is(ending), onGet: is(tc.known)}
				if tc.page {
					a.onGet = func(int) (*lk.EgressInfo, error) { return ownPage(tc.known), nil }
				}
				if tc.get != nil {
					a.onGet = gets(tc.get)
				}
				if tc.stop != nil {
					a.onStop = gets(tc.stop)
				}
				env := newEnv(a)
				act := activitiesOf(t, a, func(c *activities.Config) {
					c.Shown = &activities.Shown{}
					if tc.change != nil {
						tc.change(a, c)
					}
				})
				env.RegisterActivity(act.StopTwin)
				v, err := env.ExecuteActivity(act.StopTwin, tc.in)
				require.Equal(t, tc.fails, err != nil)
				require.Equal(t, tc.log, a.log)
				var got activities.TwinAnswer
				if err == nil {
					require.NoError(t, v.Get(&got))
				}
				require.Equal(t, tc.missing, got.BoundMissing)
				require.Equal(t, tc.absent, got.BoundAbsent)
				require.Equal(t, tc.failed, got.BoundFailed.Known())
				require.Equal(t, tc.ended, got.Ended.Known())
			})
		})
	}
}

func TestALaterPartIsNoTwin(t *testing.T) {
	t.Parallel()
	after := activities.AfterPart{Part: 1, Began: time.Minute.Nanoseconds()}
	left, stopped := []string{"0s get EG_2"}, []string{"0s get EG_2", "0s stop EG_2"}
	beside := activities.TwinRequest{Bound: egressID, After: after}
	over := activities.TwinRequest{Bound: egressID, After: after, Over: true}
	ofBound := func(log []string) []string { return append([]string{"0s get EG_1"}, log...) }
	for name, tc := range map[string]struct {
		in    activities.TwinRequest
		part  int
		began time.Duration
		is    lk.EgressStatus
		bound lk.EgressStatus
		err   error
		log   []string
		later bool
	}{
		"it records":                       {activities.TwinRequest{After: after}, 2, time.Hour, active, 0, nil, left, true},
		"it has yet to begin":              {activities.TwinRequest{After: after}, 2, 0, starting, 0, nil, left, true},
		"it has ended":                     {activities.TwinRequest{After: after}, 2, time.Hour, complete, 0, nil, left, true},
		"it began before":                  {activities.TwinRequest{After: after}, 2, time.Second, active, 0, nil, stopped, false},
		"it is of the same part":           {activities.TwinRequest{After: after}, 1, time.Hour, active, 0, nil, stopped, false},
		"there can be none":                {activities.TwinRequest{}, 2, time.Hour, active, 0, nil, []string{"0s stop EG_2"}, false},
		"LiveKit does not say":             {activities.TwinRequest{After: after}, 2, time.Hour, active, 0, because(egress.Unreachable), left, false},
		"LiveKit does not know one":        {activities.TwinRequest{After: after}, 2, time.Hour, active, 0, because(egress.NotFound), left, false},
		"both record":                      {beside, 2, time.Hour, active, active, nil, ofBound(left), true},
		"it has ended beside one at work":  {beside, 2, time.Hour, complete, active, nil, ofBound(stopped), false},
		"both have ended":                  {over, 2, time.Hour, complete, limited, nil, ofBound(left), true},
		"both have ended, and it is older": {over, 2, time.Second, complete, limited, nil, ofBound(left), false},
		"its end is known, one is at work": {over, 2, time.Hour, complete, active, nil, ofBound(nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				m := withToken(t, "EG_2", requestID, tc.part)
				m.Status, m.StartedAt = tc.is, tc.began.Nanoseconds()
				a := &api{onStop: is(ending), onGet: func(int) (*lk.EgressInfo, error) { return m, tc.err }}
				if tc.in.Bound != "" {
					a.onGet = answered(is(tc.bound), a.onGet)
				}
				env := newEnv(a)
				act := activitiesOf(t, a)
				env.RegisterActivity(act.StopTwin)
				tc.in.Twin = "EG_2"
				v, err := env.ExecuteActivity(act.StopTwin, tc.in)
				require.Equal(t, tc.err != nil, err != nil)
				require.Equal(t, tc.log, a.log)
				if err == nil {
					var got activities.TwinAnswer
					require.NoError(t, v.Get(&got))
					require.Equal(t, tc.later, got.Later)
				}
			})
		})
	}
}
