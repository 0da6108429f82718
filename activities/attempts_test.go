package activities_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// attempts runs an activity in a workflow that retries it, as Temporal does.
type attempts struct {
	*testsuite.TestWorkflowEnvironment
	options workflow.ActivityOptions
}

func newAttempts(a *api) *attempts {
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	env := s.NewTestWorkflowEnvironment()
	env.SetDataConverter(payload.Converter())
	env.SetTestTimeout(24 * time.Hour)
	a.began = time.Now()
	return &attempts{env, workflow.ActivityOptions{
		StartToCloseTimeout: time.Hour, HeartbeatTimeout: 30 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: 20},
	}}
}

// run executes the activity until it succeeds or fails for good.
func (e *attempts) run(fn, argument, result any) error {
	e.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: "activity"})
	e.ExecuteWorkflow(func(ctx workflow.Context) (any, error) {
		ctx = workflow.WithActivityOptions(ctx, e.options)
		return nil, workflow.ExecuteActivity(ctx, "activity", argument).Get(ctx, result)
	})
	return e.GetWorkflowError()
}

// secondAttempt runs a start whose first attempt died with its worker.
func secondAttempt(t *testing.T, a *api, in activities.StartRequest, change ...func(*activities.Config)) (s activities.Started, err error) {
	t.Helper()
	act := activitiesOf(t, a, change...)
	err = newAttempts(a).run(func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
		if activity.GetInfo(ctx).Attempt == 1 {
			return activities.Started{}, errors.New("the worker died")
		}
		return act.Start(ctx, in)
	}, in, &s)
	return s, err
}

func TestAnAttemptAfterOneThatDiedFindsWhatThatOneStarted(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onList: lists(ours(t, "EG_earlier"))}
		s, err := secondAttempt(t, a, plain(roomRequest()))
		require.NoError(t, err)
		require.Equal(t, "EG_earlier", s.Info.Proto().GetEgressId())
		require.Equal(t, []string{"0s list " + room}, a.log)
	})
}

func TestAnAttemptAfterOneThatDiedStartsOnlyWhatASearchDidNotFind(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: accepts, onList: lists()}
		_, err := secondAttempt(t, a, plain(roomRequest()))
		require.NoError(t, err)
		require.Equal(t, append(searched(0), "1m30s start"), a.log)
	})
}

// by returns a start with a StartBy that far from now.
func by(d time.Duration) activities.StartRequest {
	in := plain(roomRequest())
	at := time.Now().Add(d)
	in.Input.StartBy = &at
	return in
}

// The caller may still be waiting, and may ask LiveKit itself: a front door does.
func TestAStartWhoseTimeHasPassedIsHandedBackUnasked(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"of a new key": false, "after one that failed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onList: lists()} // a start would panic
				in := by(-time.Minute)
				in.Input.Again = again
				_, err := start(t, a, in)
				ae, e := failed(t, err)
				require.Equal(t, egress.HandedBack, e.Reason)
				require.Equal(t, "not started before 1999-12-31T23:59:00Z", e.Message)
				require.True(t, ae.NonRetryable())
				require.Equal(t, map[bool][]string{true: {"0s list " + room}}[again], a.log)
			})
		})
	}
}

// handedBack returns a start that an earlier activity has handed back.
func handedBack(left time.Duration) activities.StartRequest {
	in := by(left)
	in.OnlyLook = true
	return in
}

// The worker's clock may be behind that of the worker that handed it back.
func TestWhatWasHandedBackIsNotAskedForByAWorkerWhoseClockIsBehind(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onList: lists()}
		_, err := start(t, a, handedBack(time.Second))
		_, e := failed(t, err)
		require.Equal(t, egress.TooLate, e.Reason)
		require.Equal(t, searched(0), a.log)
	})
}

// A front door may have asked LiveKit: a worker that would refuse the start searches for it first.
func TestWhatWasHandedBackIsLookedForByAWorkerThatWouldRefuseIt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onList: lists(ours(t, "EG_door"))}
		in := handedBack(-time.Minute)
		in.Input.Pipeline = "unknown"
		s, err := start(t, a, in)
		require.NoError(t, err)
		require.Equal(t, "EG_door", s.Info.Proto().GetEgressId())
	})
}

func TestWhatWasHandedBackIsLookedForAndNotAskedFor(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onList: lists()}
		_, err := start(t, a, handedBack(-time.Minute))
		ae, e := failed(t, err)
		require.Equal(t, egress.TooLate, e.Reason)
		require.True(t, ae.NonRetryable())
		require.Equal(t, searched(0), a.log)
	})
}

func TestAStartAfterOneThatFailedLooksOnceBeforeItAsks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		list func(int) ([]*lk.EgressInfo, error)
		want []string
		id   string
	}{
		"and finds what came after all": {lists(ours(t, "EG_late")), []string{"0s list " + room}, "EG_late"},
		"and asks where there is none":  {lists(), []string{"0s list " + room, "0s start"}, egressID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: accepts, onList: tc.list}
				in := plain(roomRequest())
				in.Input.Again = true
				s, err := start(t, a, in)
				require.NoError(t, err)
				require.Equal(t, tc.id, s.Info.Proto().GetEgressId())
				require.Equal(t, tc.want, a.log)
			})
		})
	}
}

// Without that look nothing may be sent, and there is no time for another.
func TestAStartAfterOneThatFailedIsGivenUpAtOnceWhereItCannotBeLookedFor(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onList: func(int) ([]*lk.EgressInfo, error) { return nil, unreachable }} // a start would panic
		in := by(2 * time.Second)
		in.Input.Again = true
		_, err := start(t, a, in)
		_, e := failed(t, err)
		require.Equal(t, egress.TooLate, e.Reason)
		require.Equal(t, "LiveKit said unreachable", e.Message)
		require.Equal(t, []string{"0s list " + room}, a.log)
	})
}

func TestAStartAfterOneThatFailedIsLookedForUntilItCanBe(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]time.Duration{"whose time has passed": -time.Minute, "whose time is long": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onList: func(n int) ([]*lk.EgressInfo, error) {
					if n == 1 {
						return nil, unreachable
					}
					return []*lk.EgressInfo{ours(t, "EG_late")}, nil
				}}
				in := by(left)
				in.Input.Again = true
				s, err := start(t, a, in)
				require.NoError(t, err)
				require.Equal(t, "EG_late", s.Info.Proto().GetEgressId())
			})
		})
	}
}

func TestWhatTheDoorStartedWithoutUsIsFound(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onList: func(n int) ([]*lk.EgressInfo, error) {
			return map[bool][]*lk.EgressInfo{true: {ours(t, "EG_door")}}[n == 3], nil
		}}
		s, err := start(t, a, handedBack(-time.Minute))
		require.NoError(t, err)
		require.Equal(t, "EG_door", s.Info.Proto().GetEgressId())
	})
}

func TestAStartWhoseTimeHasNotPassedIsAskedFor(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: accepts}
		_, err := start(t, a, by(0))
		require.NoError(t, err)
		require.Equal(t, []string{"0s start"}, a.log)
	})
}

// There is nothing to search for: the caller should hear of it while waiting.
func TestAStartThatSurelyBeganNothingInItsTimeIsGivenUpAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		said error
		log  []string
	}{
		"unreachable":  {unreachable, []string{"0s start", "1s start"}},
		"rate limited": {rateLimited, []string{"0s start", "1s list " + room, "1s start"}},
	} {
		said := tc.said
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: fails(said, said, said), onList: lists()}
				_, err := start(t, a, by(2*time.Second))
				ae, e := failed(t, err)
				require.True(t, ae.NonRetryable())
				require.Equal(t, egress.TooLate, e.Reason)
				var was *egress.Error
				require.ErrorAs(t, said, &was)
				require.Equal(t, was.Code, e.Code, "LiveKit's own")
				require.Equal(t, was.Message, e.Message)
				require.Equal(t, tc.log, a.log)
			})
		})
	}
}

func TestAStartIsLookedForBeforeItIsGivenUpWhereAnEarlierCallMayHaveBegunIt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in := by(2 * time.Minute)
		a := &api{onStart: fails(ambiguous, rateLimited, rateLimited, rateLimited, rateLimited, rateLimited, rateLimited), onList: lists()}
		_, err := start(t, a, in)
		_, e := failed(t, err)
		require.Equal(t, egress.TooLate, e.Reason)
		require.Equal(t, slices.Concat([]string{"0s start"}, searched(0), []string{
			"1m30s start", "1m32s list " + room, "1m32s start", "1m36s list " + room, "1m36s start",
			"1m44s list " + room, "1m44s start", "1m54s list " + room, "1m54s start",
		}), a.log)
	})
}

func TestAStartWhoseTimePassesDuringTheSearchIsStillFound(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: fails(ambiguous), onList: func(n int) ([]*lk.EgressInfo, error) {
			return map[bool][]*lk.EgressInfo{true: {ours(t, "EG_late")}}[n == 5], nil
		}}
		s, err := start(t, a, by(2*time.Second))
		require.NoError(t, err)
		require.Equal(t, "EG_late", s.Info.Proto().GetEgressId())
		require.Equal(t, 1, a.count["start"])
	})
}

func TestAStartWhoseTimePassesDuringTheSearchIsNotSentAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: fails(ambiguous), onList: lists()}
		_, err := start(t, a, by(2*time.Second))
		_, e := failed(t, err)
		require.Equal(t, egress.TooLate, e.Reason)
		require.Equal(t, append([]string{"0s start"}, searched(0)...), a.log)
	})
}

func TestALaterAttemptAfterTheTimeHasPassedFindsButNeverStarts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		listed []*lk.EgressInfo
		want   string
	}{
		"what there is":    {[]*lk.EgressInfo{ours(t, "EG_earlier")}, ""},
		"what there isn't": {nil, string(egress.TooLate)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onList: lists(tc.listed...)} // a start would panic
				_, err := secondAttempt(t, a, by(-time.Hour))
				ae := &temporal.ApplicationError{}
				_ = errors.As(err, &ae)
				require.Equal(t, tc.want, ae.Type())
			})
		})
	}
}

func TestALongStartSaysThatItIsAlive(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &hanging{api: &api{onList: lists(ours(t, "EG_slow"))}}
		env := newAttempts(a.api)
		var beats atomic.Int32
		env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
		act := activities.NewLiveKit(activities.Config{PublicURL: publicURL, KeyNames: projectKeys}, a, keys(t))
		require.NoError(t, env.run(act.Start, plain(roomRequest()), nil))
		synctest.Wait()
		require.Positive(t, beats.Load())
	})
}

func TestAReplyWithoutOurTokenIsAStartAllTheSameAndCounted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reply func(egress.Request) *lk.EgressInfo
		want  int64
	}{
		"none":           {func(egress.Request) *lk.EgressInfo { return status(lk.EgressStatus_EGRESS_STARTING) }, 1},
		"only theirs":    {func(egress.Request) *lk.EgressInfo { return echo(egressID, roomRequest()) }, 1},
		"ours and their": {func(r egress.Request) *lk.EgressInfo { return echo(egressID, r) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: func(_ int, r egress.Request) (*lk.EgressInfo, error) { return tc.reply(r), nil }}
				var m metrics
				started, err := startIn(t, m.env(), a, plain(roomRequest()))
				require.NoError(t, err)
				require.Equal(t, egressID, started.Info.Proto().GetEgressId())
				require.Equal(t, tc.want, m.sum("reelkeeper_start_without_echo_total", nil))
			})
		})
	}
}

func TestAStartThatMayHaveBegunIsNotSentAgainWhereLiveKitWasSeenNotToEchoOurToken(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		bare := func(int, egress.Request) (*lk.EgressInfo, error) { return status(lk.EgressStatus_EGRESS_STARTING), nil }
		unclear := func(int, egress.Request) (*lk.EgressInfo, error) { return nil, because(egress.Ambiguous) }
		echoes := func(_ int, r egress.Request) (*lk.EgressInfo, error) { return echo(egressID, r), nil }
		a := &api{onList: lists()}
		act, env := activitiesOf(t, a), newEnv(a)
		env.RegisterActivity(act.Start)
		for i, step := range []struct {
			onStart func(int, egress.Request) (*lk.EgressInfo, error)
			want    egress.Reason
		}{{bare, ""}, {unclear, egress.NoEcho}, {echoes, ""}, {unclear, egress.NoEcho}} {
			a.onStart = step.onStart
			_, err := env.ExecuteActivity(act.Start, plain(roomRequest()))
			if step.want == "" {
				require.NoError(t, err, i)
				continue
			}
			_, e := failed(t, err)
			require.Equal(t, step.want, e.Reason, i)
		}
		require.Len(t, a.sent, 4, "each was sent once")
	})
}
