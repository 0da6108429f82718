package activities_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	starting = lk.EgressStatus_EGRESS_STARTING
	active   = lk.EgressStatus_EGRESS_ACTIVE
	ending   = lk.EgressStatus_EGRESS_ENDING
	complete = lk.EgressStatus_EGRESS_COMPLETE
)

func is(s lk.EgressStatus) func(int) (*lk.EgressInfo, error) {
	return func(int) (*lk.EgressInfo, error) { return status(s), nil }
}

func gets(err error) func(int) (*lk.EgressInfo, error) {
	return func(int) (*lk.EgressInfo, error) { return nil, err }
}

// question returns a poll about an active egress of a room.
func question(change ...func(*activities.PollRequest)) activities.PollRequest {
	in := activities.PollRequest{EgressID: egressID, Room: room, Have: active, Outlook: egress.OutlookActive, Policy: egress.DefaultPolicy()}
	for _, f := range change {
		f(&in)
	}
	return in
}

func have(s lk.EgressStatus, o egress.Outlook) func(*activities.PollRequest) {
	return func(in *activities.PollRequest) { in.Have, in.Outlook = s, o }
}

func web(in *activities.PollRequest) { in.Room = "" }

func from(d time.Duration) func(*activities.PollRequest) {
	return func(in *activities.PollRequest) { in.From = time.Now().Add(d) }
}

func until(d time.Duration) func(*activities.PollRequest) {
	return func(in *activities.PollRequest) { in.Until = time.Now().Add(d) }
}

// poll makes the first attempt; details are what an earlier one heartbeat.
func poll(t *testing.T, a *api, in activities.PollRequest, details ...any) (egress.Look, error) {
	t.Helper()
	env := newEnv(a)
	for _, d := range details {
		env.SetHeartbeatDetails(d)
	}
	act := activitiesOf(t, a)
	env.RegisterActivity(act.Poll)
	v, err := env.ExecuteActivity(act.Poll, in)
	if err != nil {
		return egress.Look{}, err
	}
	var l egress.Look
	return l, v.Get(&l)
}

// stillGoing requires a poll without news, and returns when it is to be retried.
func stillGoing(t *testing.T, err error) time.Duration {
	t.Helper()
	a, e := failed(t, err)
	require.Equal(t, egress.StillGoing, e.Reason)
	require.False(t, a.NonRetryable())
	require.Equal(t, temporal.ApplicationErrorCategoryBenign, a.Category())
	return a.NextRetryDelay()
}

func TestNewsEndsThePollAtOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		have, seen lk.EgressStatus
		outlook    egress.Outlook
	}{
		{starting, active, egress.OutlookStarting},
		{starting, complete, egress.OutlookStarting},
		{starting, ending, egress.OutlookStarting},
		{active, lk.EgressStatus_EGRESS_FAILED, egress.OutlookActive},
		{active, lk.EgressStatus_EGRESS_ABORTED, egress.OutlookEnding},
		{ending, complete, egress.OutlookEnding},
		{ending, lk.EgressStatus_EGRESS_LIMIT_REACHED, egress.OutlookEnding},
	} {
		t.Run(fmt.Sprintf("%s after %s", tc.seen, tc.have), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onGet: is(tc.seen)}
				look, err := poll(t, a, question(have(tc.have, tc.outlook)))
				require.NoError(t, err)
				require.Equal(t, tc.seen, look.Info.Proto().GetStatus())
				require.Equal(t, egress.Look{Info: look.Info}, look)
				require.Equal(t, []string{"0s get EG_1"}, a.log)
			})
		})
	}
}

func TestWhatIsNoNewsIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		have lk.EgressStatus
		seen func(int) (*lk.EgressInfo, error)
		says string
	}{
		"the same status":               {active, is(active), "still EGRESS_ACTIVE"},
		"a status that regressed":       {ending, is(active), "still EGRESS_ACTIVE"},
		"a status of a newer LiveKit":   {starting, is(99), "still 99"},
		"not known, for the first time": {active, gets(because(egress.NotFound)), "does not know it"},
		"LiveKit is down":               {active, gets(because(egress.Ambiguous)), "LiveKit said ambiguous"},
		"LiveKit cannot be reached":     {active, gets(because(egress.Unreachable)), "LiveKit said unreachable"},
		"our key is refused":            {active, gets(because(egress.Denied)), "LiveKit said denied"},
		"too many requests":             {active, gets(because(egress.RateLimited)), "LiveKit said rate_limited"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				_, err := poll(t, &api{onGet: tc.seen, live: true}, question(have(tc.have, egress.OutlookEnding)))
				require.Equal(t, 40*time.Second, stillGoing(t, err))
				require.ErrorContains(t, err, tc.says)
			})
		})
	}
}

func TestTheNextLookIsWhenThePolicySays(t *testing.T) {
	t.Parallel()
	about5m := time.Duration(float64(5*time.Minute) * (0.9 + 0.2*egress.Spread(egressID)))
	require.InDelta(t, 5*time.Minute, about5m, float64(30*time.Second))
	for name, tc := range map[string]struct {
		outlook egress.Outlook
		change  func(*activities.PollRequest)
		want    []time.Duration
	}{
		// The workflow's own timer already waited before the first look.
		"soon after a start":          {egress.OutlookStarting, web, []time.Duration{30 * time.Second, time.Minute, time.Minute, time.Minute}},
		"seldom while it is active":   {egress.OutlookActive, web, []time.Duration{about5m, about5m, about5m, about5m}},
		"soon again near its end":     {egress.OutlookEnding, web, []time.Duration{40 * time.Second, time.Minute, time.Minute, time.Minute}},
		"not before it was asked for": {egress.OutlookEnding, from(time.Minute), []time.Duration{time.Minute, 40 * time.Second, time.Minute, time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onGet: is(starting), live: true}
				act := activitiesOf(t, a)
				var waits []time.Duration
				_ = newAttempts(a).run(func(ctx context.Context, in activities.PollRequest) (egress.Look, error) {
					_, err := act.Poll(ctx, in)
					var a *temporal.ApplicationError
					if !errors.As(err, &a) || len(waits) == len(tc.want) {
						return egress.Look{}, err
					}
					waits = append(waits, a.NextRetryDelay())
					pass(a.NextRetryDelay()) // the workflow's clock is not the bubble's
					return egress.Look{}, errors.New("the server's to repeat")
				}, question(have(starting, tc.outlook), tc.change), nil)
				require.Equal(t, tc.want, waits)
			})
		})
	}
}

func TestTheNextLookIsNoLaterThanTheAnswerIsDue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ until, want time.Duration }{
		"soon":     {7 * time.Second, 7 * time.Second},
		"at once":  {time.Nanosecond, time.Millisecond},
		"far away": {time.Hour, 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				_, err := poll(t, &api{onGet: is(active)}, question(have(active, egress.OutlookEnding), until(tc.until)))
				require.Equal(t, tc.want, stillGoing(t, err))
			})
		})
	}
}

func TestTheAnswerThatIsDueIsGivenWithoutNews(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		seen    func(int) (*lk.EgressInfo, error)
		known   bool
		missing bool
	}{
		"as it was":       {is(active), true, false},
		"LiveKit is down": {gets(because(egress.Ambiguous)), false, false}, // that LiveKit did not know it before must not count
		"LiveKit forgot":  {gets(because(egress.NotFound)), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				since := time.Now().Add(-time.Second)
				look, err := poll(t, &api{onGet: tc.seen, live: true}, question(until(0), func(in *activities.PollRequest) { in.MissingSince = since }))
				require.NoError(t, err)
				require.Equal(t, tc.known, look.Info.Known())
				require.Equal(t, tc.missing, look.MissingSince.Equal(since))
			})
		})
	}
}

func TestBeforeItsTimeNothingIsAsked(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{}
		_, err := poll(t, a, question(from(90*time.Second), until(time.Second)))
		require.Equal(t, 90*time.Second, stillGoing(t, err))
		require.Empty(t, a.log)
	})
}

func TestAPollJudgesByTemporalsClock(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onGet: is(active)}
		act := activitiesOf(t, a, func(c *activities.Config) { c.Clock = nil })
		var wait time.Duration
		require.NoError(t, newAttempts(a).run(func(ctx context.Context, in activities.PollRequest) (egress.Look, error) {
			pass(40 * time.Second) // the lead of this worker's clock over Temporal's
			look, err := act.Poll(ctx, in)
			wait = stillGoing(t, err)
			return look, nil
		}, question(from(time.Second)), nil))
		require.Equal(t, time.Second, wait)
		require.Empty(t, a.log)
	})
}

// An end in sight is not news: the poll goes on by itself, since each piece of news would cost
// history, and answers when the workflow must act.
func TestAPollGoesOnOverAnEndInSight(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		looks []func(int) (*lk.EgressInfo, error) // about 5 min apart, then 20, 40, 60 s; one that does not find the room takes 1 s
		gone  bool
		end   time.Duration // expected, from the first look
		done  time.Duration
		at    lk.EgressStatus
	}{
		"the room is gone, and then it ends": {looks(is(active), is(active), is(complete)), true, 0, time.Minute, complete},
		"it uploads, and then it ends":       {looks(is(ending), is(complete)), false, 0, 20 * time.Second, complete},
		"the room is gone, and nothing more": {looks(is(active)), true, 0, time.Minute + time.Second, active},
		"the room is gone, and LiveKit down": {looks(is(active), gets(because(egress.Unreachable))), true, 0, time.Minute, starting},
		"an upload takes as long as it does": {looks(is(ending)), false, 0, 5 * time.Minute, ending},
		"an upload in a room that was gone":  {looks(is(active), is(ending), is(ending), is(ending), is(complete)), true, 0, 3*time.Minute + time.Second, complete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				began := time.Now()
				look := pollUntilNews(t, &api{onGet: answered(tc.looks...), live: !tc.gone}, question(func(in *activities.PollRequest) {
					in.Policy.GiveUpAfter = egress.Duration(5 * time.Minute)
				}))
				require.Equal(t, tc.done, time.Since(began))
				require.Equal(t, tc.end, look.EndExpected.Sub(began))
				require.Equal(t, tc.gone, look.RoomGone.Equal(began))
				require.Equal(t, tc.at, look.Info.Proto().GetStatus())
			})
		})
	}
}

func TestARoomIsOnlyAskedForWhereItCouldTellAnything(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		api   *api
		in    func(*activities.PollRequest)
		rooms int
	}{
		"it is there":                  {&api{onGet: is(active), live: true}, func(*activities.PollRequest) {}, 1},
		"it cannot be asked for":       {&api{onGet: is(active), liveErr: because(egress.Ambiguous)}, func(*activities.PollRequest) {}, 1},
		"a web egress has none":        {&api{onGet: is(active)}, web, 0},
		"an end is expected already":   {&api{onGet: is(active)}, have(active, egress.OutlookEnding), 0},
		"LiveKit could not be asked":   {&api{onGet: gets(because(egress.Ambiguous))}, web, 0},
		"LiveKit does not know it now": {&api{onGet: gets(because(egress.NotFound))}, web, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				_, err := poll(t, tc.api, question(tc.in))
				stillGoing(t, err)
				require.Equal(t, tc.rooms, tc.api.count["rooms"])
			})
		})
	}
}

func TestWhatDoesNotBeginThoughSomebodyPublishesIsNews(t *testing.T) {
	t.Parallel()
	unified := &lk.EgressInfo_Egress{Egress: &lk.StartEgressRequest{Source: &lk.StartEgressRequest_Template{Template: &lk.TemplateSource{}}}}
	for name, tc := range map[string]struct {
		status     lk.EgressStatus
		since      time.Duration
		publishers uint32
		change     func(*lk.EgressInfo)
		marked     bool
		before     time.Duration // since when an earlier look has found it so; 0: it has not
		want       bool
	}{
		"for five minutes":           {status: starting, since: 5 * time.Minute, publishers: 1, before: 30 * time.Second, want: true},
		"of a unified request":       {status: starting, since: 5 * time.Minute, publishers: 1, change: func(m *lk.EgressInfo) { m.Request = unified }, before: time.Minute, want: true},
		"for less":                   {status: starting, since: 5*time.Minute - time.Second, publishers: 1, before: time.Hour},
		"somebody has just begun to": {status: starting, since: time.Hour, publishers: 1, before: 29 * time.Second},
		"nobody has looked before":   {status: starting, since: time.Hour, publishers: 1},
		"nobody publishes":           {status: starting, since: time.Hour, before: time.Hour},
		"it has begun":               {status: active, since: time.Hour, publishers: 1, before: time.Hour},
		"a participant's may wait":   {status: starting, since: time.Hour, publishers: 1, before: time.Hour, change: func(m *lk.EgressInfo) { m.Request = &lk.EgressInfo_Participant{} }},
		"a person is called for":     {status: starting, since: time.Hour, publishers: 1, before: time.Hour, marked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				m := status(tc.status)
				m.StartedAt = time.Now().Add(-tc.since).UnixNano()
				if tc.change != nil {
					tc.change(m)
				}
				a := &api{onGet: func(int) (*lk.EgressInfo, error) { return m, nil }, live: true, here: true, publishers: tc.publishers}
				var since time.Time
				if tc.before > 0 {
					since = time.Now().Add(-tc.before)
				}
				look, err := poll(t, a, question(have(tc.status, egress.OutlookStarting), func(in *activities.PollRequest) { in.Marked = tc.marked }), seen{IdleSince: since})
				if !tc.want {
					stillGoing(t, err)
					return
				}
				require.NoError(t, err)
				require.True(t, look.Idle)
				require.Equal(t, 1, a.count["rooms"])
			})
		})
	}
}

func TestAPollShowsNoSecretOfTheRequestThatLiveKitEchoes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		m := status(complete)
		m.Request = &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{
			FileOutputs: []*lk.EncodedFileOutput{{Output: &lk.EncodedFileOutput_S3{S3: &lk.S3Upload{Secret: "CANARY"}}}},
		}}
		look, err := poll(t, &api{onGet: func(int) (*lk.EgressInfo, error) { return m, nil }}, question())
		require.NoError(t, err)
		require.NotContains(t, string(look.Info.Raw()), "CANARY")
	})
}
