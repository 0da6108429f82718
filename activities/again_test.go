package activities_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

var (
	unreachable = because(egress.Unreachable)
	rateLimited = because(egress.RateLimited)
	ambiguous   = because(egress.Ambiguous)
)

// searched returns the looks of a whole search that begins at from: after 2, 4, 8 and then 16 s,
// and one at the end of its 90 s.
func searched(from time.Duration) (log []string) {
	for _, after := range []int{0, 2, 6, 14, 30, 46, 62, 78, 90} {
		log = append(log, fmt.Sprintf("%s list %s", from+time.Duration(after)*time.Second, room))
	}
	return log
}

func TestAStartThatWasNotTakenIsTriedAgainWithoutASearch(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		errs []error
		want []string
	}{
		"refused connections": {[]error{unreachable, unreachable}, []string{"0s start", "1s start", "3s start"}},
		"a rate limit":        {[]error{rateLimited}, []string{"0s start", "1s list " + room, "1s start"}},
		"one after the other": {[]error{rateLimited, unreachable, rateLimited, unreachable, rateLimited, unreachable},
			[]string{
				"0s start", "1s list " + room, "1s start", "3s start", "7s list " + room, "7s start", "15s start", "25s list " + room, "25s start", "35s start",
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: fails(tc.errs...), onList: lists()}
				s, err := start(t, a, plain(roomRequest()))
				require.NoError(t, err)
				require.Equal(t, egressID, s.Info.Proto().GetEgressId())
				require.Equal(t, tc.want, a.log)
			})
		})
	}
}

// If one of its workers has not answered, livekit-server asks them again under the same egress ID,
// and gives the answer of the last one asked.
func TestAStartThatHadNoRoomIsFoundWhereOneOfLiveKitsWorkersTookIt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: fails(rateLimited), onList: lists(ours(t, "EG_hidden"))}
		s, err := start(t, a, plain(roomRequest()))
		require.NoError(t, err)
		require.Equal(t, "EG_hidden", s.Info.Proto().GetEgressId())
		require.Equal(t, []string{"0s start", "1s list " + room}, a.log)
	})
}

// A look that takes its time comes first.
func TestAStartWhoseTimePassesWhileItIsLookedForIsHandedBack(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: fails(rateLimited), onList: func(int) ([]*lk.EgressInfo, error) {
			<-time.After(3 * time.Second) // by the bubble's own clock
			return nil, nil
		}}
		_, err := start(t, a, by(2*time.Second))
		_, e := failed(t, err)
		require.Equal(t, egress.HandedBack, e.Reason)
		require.Equal(t, []string{"0s start", "1s list " + room}, a.log)
	})
}

func TestAnEgressThatAnUnknownOutcomeHidIsFoundAndNotStartedTwice(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		listedAt int // the look that shows it
		want     time.Duration
	}{
		"at the first look":                        {1, 0},
		"once a slow start is listed":              {5, 30 * time.Second},
		"at the last look before another is begun": {9, 90 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				strangers := []*lk.EgressInfo{
					echo("EG_plain", roomRequest()), withToken(t, "EG_other", "standup-2", 1), withToken(t, "EG_part", requestID, 2), {EgressId: "EG_bare"},
					neighbours(t, "EG_neighbour"),
				}
				a := &api{onStart: fails(ambiguous), onList: func(n int) ([]*lk.EgressInfo, error) {
					return map[bool][]*lk.EgressInfo{false: strangers, true: append(strangers, ours(t, "EG_hidden"))}[n >= tc.listedAt], nil
				}}
				s, err := start(t, a, plain(roomRequest()))
				require.NoError(t, err)
				require.Equal(t, "EG_hidden", s.Info.Proto().GetEgressId())
				require.Equal(t, 1, a.count["start"])
				require.Equal(t, fmt.Sprintf("%s list %s", tc.want, room), a.log[len(a.log)-1])
			})
		})
	}
}

func TestOnlyAfterAWholeSearchIsAnotherStartSent(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: fails(ambiguous, ambiguous), onList: lists()}
		_, err := start(t, a, plain(roomRequest()))
		require.NoError(t, err)
		require.Equal(t, slices.Concat(
			[]string{"0s start"}, searched(0),
			[]string{"1m30s start"}, searched(90*time.Second),
			[]string{"3m0s start"},
		), a.log)
	})
}

func TestAnotherUnreachableAfterASearchNeedsNoSecondOne(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: fails(ambiguous, unreachable), onList: lists()}
		_, err := start(t, a, plain(roomRequest()))
		require.NoError(t, err)
		require.Equal(t, slices.Concat([]string{"0s start"}, searched(0), []string{"1m30s start", "1m32s start"}), a.log)
	})
}

func TestAListThatCannotBeReadIsNotOneThatLacksTheEgress(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		readable func(n int) bool
		second   string
	}{
		"never at first":               {func(n int) bool { return n >= 12 }, "2m18s start"},
		"once at first, then no more":  {func(n int) bool { return n == 1 || n >= 12 }, "2m18s start"},
		"but for the one that decides": {func(n int) bool { return n != 9 }, "1m46s start"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: fails(ambiguous), onList: func(n int) ([]*lk.EgressInfo, error) {
					return nil, map[bool]error{false: because(egress.Ambiguous)}[tc.readable(n)]
				}}
				_, err := start(t, a, plain(roomRequest()))
				require.NoError(t, err)
				require.Equal(t, 2, a.count["start"])
				require.Equal(t, tc.second, a.log[len(a.log)-1])
			})
		})
	}
}

func TestAStartIsGivenUpInTimeWithTheLastError(t *testing.T) {
	t.Parallel()
	never := func(err error) func(int, egress.Request) (*lk.EgressInfo, error) {
		return func(int, egress.Request) (*lk.EgressInfo, error) { return nil, err }
	}
	for name, tc := range map[string]struct {
		api    *api
		starts int
		says   []string
	}{
		"that cannot be reached": {&api{onStart: never(unreachable)}, 33, []string{"unreachable"}},
		"that may have happened, with lists that cannot be read": {&api{
			onStart: never(ambiguous), onList: func(int) ([]*lk.EgressInfo, error) { return nil, rateLimited },
		}, 1, []string{"ambiguous", "rate_limited"}},
		"that may have happened, four times": {&api{onStart: never(ambiguous), onList: lists()}, 4, []string{"ambiguous"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				_, err := start(t, tc.api, plain(roomRequest()), func(c *activities.Config) { c.StartFor = 5 * time.Minute })
				ae, e := failed(t, err)
				require.Equal(t, egress.TooLate, e.Reason)
				require.True(t, ae.NonRetryable())
				require.Equal(t, 5*time.Minute, time.Since(tc.api.began))
				require.Equal(t, tc.starts, tc.api.count["start"])
				for _, reason := range tc.says {
					require.Contains(t, e.Message, "LiveKit said "+reason)
				}
			})
		})
	}
}

func TestAWebEgressHasNoRoomAndIsLookedForAmongTheActive(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		token := &lk.WebhookConfig{Url: publicURL + keys(t).Token(requestID, 1).Path()[1:]}
		a := &api{onStart: fails(ambiguous), onList: lists(echo("EG_web", egress.AddWebhook(webRequest(), token)))}
		s, err := start(t, a, plain(webRequest()))
		require.NoError(t, err)
		require.Equal(t, "EG_web", s.Info.Proto().GetEgressId())
		require.Equal(t, []string{"0s start", "0s active"}, a.log)
	})
}

func webOurs(t *testing.T, id string) *lk.EgressInfo {
	t.Helper()
	return echo(id, egress.AddWebhook(webRequest(), &lk.WebhookConfig{Url: keys(t).Token(requestID, 1).URL(publicURL)}))
}

// Before it is started again, or if an earlier run of its key may have started one.
func TestAWebEgressThatHasEndedIsLookedForOnce(t *testing.T) {
	t.Parallel()
	ended := webOurs(t, "EG_over")
	ended.Status = lk.EgressStatus_EGRESS_LIMIT_REACHED
	for name, tc := range map[string]struct {
		input egress.Input
		first string // the look that shows it
		calls map[string]int
	}{
		"after a start without an answer": {egress.Input{}, "1m30s all", map[string]int{"start": 1, "active": 8, "all": 1}},
		"after an earlier run of its key": {egress.Input{Again: true}, "0s all", map[string]int{"all": 1}},
		"after one past Temporal without": {egress.Input{Unlisted: true}, "1m30s all", map[string]int{"active": 8, "all": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: fails(ambiguous)}
				a.onList = func(int) ([]*lk.EgressInfo, error) {
					if a.count["all"] > 0 {
						return []*lk.EgressInfo{ended}, nil
					}
					return nil, nil
				}
				in := plain(webRequest())
				in.Input.Again, in.Input.Unlisted = tc.input.Again, tc.input.Unlisted
				s, err := start(t, a, in)
				require.NoError(t, err)
				require.Equal(t, "EG_over", s.Info.Proto().GetEgressId())
				require.Equal(t, tc.first, a.log[len(a.log)-1])
				require.Equal(t, tc.calls, a.count)
			})
		})
	}
}

// Listing all that LiveKit remembers of a day may take longer than a start has.
func TestAPageAfterAnEarlierRunOfItsKeyIsRecordedHoweverLongItsListTakes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		door []*lk.EgressInfo // what the front door has asked for while that was being listed
		want map[string]int
	}{
		"nobody asked meanwhile": {nil, map[string]int{"all": 2, "active": 8, "start": 1}},
		"the door did":           {[]*lk.EgressInfo{webOurs(t, "EG_door")}, map[string]int{"all": 1, "active": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: accepts}
				a.onList = func(int) ([]*lk.EgressInfo, error) {
					if a.count["active"] == 0 {
						<-time.After(30 * time.Second)
						return nil, nil
					}
					return tc.door, nil
				}
				in := plain(webRequest())
				in.Input.StartBy, in.Input.Again = by(2*time.Second).Input.StartBy, true
				_, err := start(t, a, in)
				require.NoError(t, err)
				require.Equal(t, tc.want, a.count)
			})
		})
	}
}

func TestACallThatHangsIsEndedAndLookedFor(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &hanging{api: &api{onList: lists(ours(t, "EG_slow"))}}
		env := newEnv(a.api)
		act := activities.NewLiveKit(activities.Config{PublicURL: publicURL, KeyNames: projectKeys}, a, keys(t))
		env.RegisterActivity(act.Start)
		v, err := env.ExecuteActivity(act.Start, plain(roomRequest()))
		require.NoError(t, err)
		var s activities.Started
		require.NoError(t, v.Get(&s))
		require.Equal(t, "EG_slow", s.Info.Proto().GetEgressId())
		require.Equal(t, []string{"0s start", "1m30s list " + room}, a.log)
	})
}

// hanging is a LiveKit that never answers a start, after some initial answers.
type hanging struct {
	*api
	after int
}

func (h *hanging) Start(ctx context.Context, r egress.Request) (*lk.EgressInfo, error) {
	if len(h.sent) < h.after {
		return h.api.Start(ctx, r)
	}
	h.note("start", "")
	<-ctx.Done()
	return nil, &egress.Error{Reason: egress.Ambiguous, Message: ctx.Err().Error(), Err: ctx.Err()}
}

// The next attempt first searches for what this one may have started.
func TestAStartWhoseWorkerStopsIsLeftToAnotherOne(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		errs []error // before it hangs
		stop time.Duration
		want []string
	}{
		"during a call":     {nil, time.Second, []string{"0s start", "1s list " + room}},
		"between two calls": {[]error{unreachable, unreachable}, 2 * time.Second, []string{"0s start", "1s start"}},
		"during a search":   {[]error{ambiguous}, 10 * time.Second, append([]string{"0s start"}, searched(0)[:3]...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &hanging{api: &api{onStart: fails(tc.errs...), onList: lists()}, after: len(tc.errs)}
				env := newEnv(a.api)
				ctx, stop := context.WithCancel(t.Context())
				env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
				time.AfterFunc(tc.stop, stop)
				act := activities.NewLiveKit(activities.Config{PublicURL: publicURL, KeyNames: projectKeys}, a, keys(t))
				env.RegisterActivity(act.Start)
				_, err := env.ExecuteActivity(act.Start, plain(roomRequest()))
				ae, e := failed(t, err)
				require.Equal(t, egress.Ambiguous, e.Reason)
				require.Contains(t, e.Message, "worker stopped during the start: ")
				require.False(t, ae.NonRetryable())
				require.Equal(t, tc.want, a.log)
			})
		})
	}
}

func TestAnErrorThatIsNoneOfTheDomainsEndsTheAttemptAndNotTheStart(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: fails(errors.New("a fault"))}
		_, err := start(t, a, plain(roomRequest()))
		ae, e := failed(t, err)
		require.Equal(t, egress.Internal, e.Reason)
		require.False(t, ae.NonRetryable())
		require.True(t, strings.HasSuffix(e.Message, "a fault"))
		require.Equal(t, []string{"0s start"}, a.log)
	})
}
