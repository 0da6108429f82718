package activities_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// waited has an attempt wait that long for its worker.
type waited struct {
	interceptor.WorkerInterceptorBase
	interceptor.ActivityInboundInterceptorBase
	interceptor.ActivityOutboundInterceptorBase
	d time.Duration
}

func (w *waited) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	w.ActivityInboundInterceptorBase.Next = next
	return w
}

func (w *waited) Init(next interceptor.ActivityOutboundInterceptor) error {
	w.ActivityOutboundInterceptorBase.Next = next
	return w.ActivityInboundInterceptorBase.Next.Init(w)
}

func (w *waited) GetInfo(ctx context.Context) activity.Info {
	i := w.ActivityOutboundInterceptorBase.Next.GetInfo(ctx)
	i.ScheduledTime = i.StartedTime.Add(-w.d)
	return i
}

// startAfter runs the first attempt as Temporal knows it, which a worker takes that late.
func startAfter(ctx context.Context, t *testing.T, d time.Duration, a *api, in activities.StartRequest, change ...func(*activities.Config)) (activities.Started, error) {
	t.Helper()
	env := newEnv(a)
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&waited{d: d}}, BackgroundActivityContext: ctx})
	return startIn(t, env, a, in, change...)
}

// Temporal's database failed over without its last transactions, after a worker had asked LiveKit.
func TestAStartOfWhichTemporalForgotAnAttemptIsLookedForBeforeItIsMade(t *testing.T) {
	t.Parallel()
	part := plain(roomRequest())
	part.Part = 2
	for name, tc := range map[string]struct {
		in     activities.StartRequest
		waited time.Duration
		listed *lk.EgressInfo
		want   []string
	}{
		"it was begun":                  {plain(roomRequest()), 20 * time.Second, ours(t, "EG_forgotten"), []string{"0s list " + room}},
		"its next part was":             {part, 20 * time.Second, withToken(t, "EG_forgotten", requestID, 2), []string{"0s list " + room}},
		"a page":                        {plain(webRequest()), 20 * time.Second, webOurs(t, "EG_forgotten"), []string{"0s active"}},
		"a page, after a restored copy": {plain(webRequest()), 2 * time.Minute, webOurs(t, "EG_forgotten"), []string{"0s all"}},
		"it was not":                    {plain(roomRequest()), 20 * time.Second, nil, []string{"0s list " + room, "0s start"}},
		"it was taken in time":          {plain(roomRequest()), 5 * time.Second, ours(t, "EG_other"), []string{"0s start"}},
		"it has time for hours":         {by(time.Hour), 20 * time.Second, ours(t, "EG_forgotten"), []string{"0s list " + room}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: accepts, onList: lists(tc.listed)}
				s, err := startAfter(t.Context(), t, tc.waited, a, tc.in)
				require.NoError(t, err)
				require.Equal(t, tc.want, a.log)
				require.Equal(t, a.count["start"] == 0, s.Info.Proto().GetEgressId() == "EG_forgotten")
			})
		})
	}
}

func TestAListThatMayShowAForgottenAttemptIsReadUntilLiveKitAnswers(t *testing.T) {
	t.Parallel()
	looks := func(at ...int) (log []string) {
		for _, s := range at {
			log = append(log, fmt.Sprintf("%s list %s", time.Duration(s)*time.Second, room))
		}
		return log
	}
	for name, tc := range map[string]struct {
		answers int           // the look that is answered
		ends    time.Duration // when its workflow takes it back; 0: never
		want    []string
		reason  egress.Reason
	}{
		"in a while":               {3, 0, append(looks(0, 1, 3), "3s start"), ""},
		"in vain":                  {100, 0, looks(0, 1, 3, 7, 15, 25), egress.TooLate},
		"… until it is taken back": {100, 2 * time.Second, looks(0, 1, 3), egress.TooLate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: accepts, onList: func(n int) ([]*lk.EgressInfo, error) {
					return nil, map[bool]error{true: rateLimited}[n < tc.answers]
				}}
				ctx, end := context.WithCancelCause(t.Context())
				defer end(nil)
				if tc.ends > 0 {
					time.AfterFunc(tc.ends, func() { end(temporal.NewCanceledError()) })
				}
				_, err := startAfter(ctx, t, 20*time.Second, a, plain(roomRequest()), func(c *activities.Config) { c.StartFor = 30 * time.Second })
				require.Equal(t, tc.want, a.log)
				if tc.reason == "" {
					require.NoError(t, err)
					return
				}
				_, e := failed(t, err)
				require.Equal(t, tc.reason, e.Reason)
			})
		})
	}
}

// What no other try mends is LiveKit's to say, and it says so of the start.
func TestAForgottenAttemptIsNotLookedForWhereThatIsInVain(t *testing.T) {
	t.Parallel()
	denied := &egress.Error{Reason: egress.Denied, Message: "no such key"}
	unknown := plain(roomRequest())
	unknown.Input.Pipeline = "unknown"
	for name, tc := range map[string]struct {
		in    func() activities.StartRequest
		lists error
		want  []string
		why   egress.Reason
	}{
		"our key is wrong":           {func() activities.StartRequest { return plain(roomRequest()) }, denied, []string{"0s list " + room, "0s start"}, egress.Denied},
		"its caller waits no longer": {func() activities.StartRequest { return by(-time.Second) }, rateLimited, nil, egress.HandedBack},
		"… while it is looked for":   {func() activities.StartRequest { return by(2 * time.Second) }, rateLimited, []string{"0s list " + room, "1s list " + room, "3s list " + room}, egress.HandedBack},
		"this worker refuses it":     {func() activities.StartRequest { return unknown }, rateLimited, []string{"0s list " + room}, egress.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{
					onStart: func(int, egress.Request) (*lk.EgressInfo, error) { return nil, denied },
					onList:  func(int) ([]*lk.EgressInfo, error) { return nil, tc.lists },
				}
				_, err := startAfter(t.Context(), t, 20*time.Second, a, tc.in())
				_, e := failed(t, err)
				require.Equal(t, tc.why, e.Reason)
				require.Equal(t, tc.want, a.log)
			})
		})
	}
}

// The same ID may record a second time, if its starter lets it.
func TestWhatAnEarlierRunRecordedIsNotTakenForThisOnes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		began time.Duration // before this run did
		over  bool
		since bool
		want  string
	}{
		"it began before, and is over":           {time.Hour, true, true, "EG_new"},
		"it still runs":                          {time.Hour, false, true, "EG_earlier"},
		"it is over":                             {-time.Second, true, true, "EG_earlier"},
		"LiveKit's clock is a minute behind":     {time.Minute, true, true, "EG_earlier"},
		"the caller says that it may be its own": {time.Hour, true, false, "EG_earlier"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				earlier, in := ours(t, "EG_earlier"), plain(roomRequest())
				earlier.StartedAt = time.Now().Add(-tc.began).UnixNano()
				if tc.over {
					earlier.Status, earlier.EndedAt = lk.EgressStatus_EGRESS_COMPLETE, time.Now().UnixNano()
				}
				if tc.since {
					in.Since = time.Now()
				}
				a := &api{onList: lists(earlier), onStart: func(_ int, r egress.Request) (*lk.EgressInfo, error) { return echo("EG_new", r), nil }}

				s, err := startAfter(t.Context(), t, 20*time.Second, a, in)

				require.NoError(t, err)
				require.Equal(t, tc.want, s.Info.Proto().GetEgressId())
			})
		})
	}
}

// A token names a recording's ID and part, and nothing else.
func TestAPartOfAnEarlierRecordingIsNotTakenForOneOfThisRecording(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		after time.Duration // the part before began
		want  string
	}{
		"yesterday's":                          {-24 * time.Hour, "EG_new"},
		"this one's, which Temporal forgot":    {10 * time.Minute, "EG_listed"},
		"… of a part before that did not last": {0, "EG_listed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				in, listed := plain(roomRequest()), withToken(t, "EG_listed", requestID, 2)
				in.Part, in.Input.Again, in.Since = 2, true, time.Now().Add(-time.Hour)
				began := in.Since.Add(tc.after)
				listed.Status, listed.StartedAt, listed.EndedAt = lk.EgressStatus_EGRESS_COMPLETE, began.UnixNano(), began.Add(time.Minute).UnixNano()
				a := &api{onList: lists(listed), onStart: func(_ int, r egress.Request) (*lk.EgressInfo, error) { return echo("EG_new", r), nil }}

				s, err := start(t, a, in)

				require.NoError(t, err)
				require.Equal(t, tc.want, s.Info.Proto().GetEgressId())
			})
		})
	}
}

// Its workflow was terminated, and the next one counts parts from the egress that it found.
func TestAPartThatWasToldIsNotTakenForTheNextOne(t *testing.T) {
	t.Parallel()
	for _, status := range []lk.EgressStatus{lk.EgressStatus_EGRESS_ACTIVE, lk.EgressStatus_EGRESS_FAILED} {
		t.Run(status.String(), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				told, in := withToken(t, "EG_told", requestID, 2), plain(roomRequest())
				told.Status = status
				in.Part, in.Input.Again, in.Parts = 2, true, []string{"EG_told"}
				a := &api{onList: lists(told), onStart: fails(ambiguous)}

				s, err := start(t, a, in)

				require.NoError(t, err)
				require.Equal(t, egressID, s.Info.Proto().GetEgressId())
				require.Equal(t, append(append([]string{"0s list " + room, "0s start"}, searched(0)...), "1m30s start"), a.log)
			})
		})
	}
}

// It failed before it began.
func TestAnEndWithoutAStartIsOfAnEarlierRunToo(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		earlier, in := ours(t, "EG_earlier"), plain(roomRequest())
		earlier.Status, earlier.EndedAt, in.Since = lk.EgressStatus_EGRESS_FAILED, time.Now().Add(-time.Hour).UnixNano(), time.Now()
		a := &api{onList: lists(earlier), onStart: accepts}
		_, err := startAfter(t.Context(), t, 20*time.Second, a, in)
		require.NoError(t, err)
		require.Equal(t, []string{"0s list " + room, "0s start"}, a.log)
	})
}

// Another version of the worker took it, before Temporal forgot that.
func TestAForgottenAttemptIsFoundByAWorkerThatWouldRefuseIt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in := plain(roomRequest())
		in.Input.Pipeline = "unknown"
		a := &api{onList: lists(ours(t, "EG_forgotten")), onStart: accepts}
		s, err := startAfter(t.Context(), t, 20*time.Second, a, in)
		require.NoError(t, err)
		require.Equal(t, "EG_forgotten", s.Info.Proto().GetEgressId())
		require.Equal(t, []string{"0s list " + room}, a.log)
	})
}

// Its search finds what a glance would.
func TestAStartThatIsSearchedForIsNotGlancedAt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in := plain(roomRequest())
		in.Input.Unlisted = true
		a := &api{onStart: accepts, onList: lists()}
		_, err := startAfter(t.Context(), t, 20*time.Second, a, in)
		require.NoError(t, err)
		require.Equal(t, append(searched(0), "1m30s start"), a.log)
	})
}

// Its first run had asked LiveKit over a day ago, and LiveKit no longer lists what ended since.
func TestAStartThatAResetSendsAgainIsOnlyLookedForOnceLiveKitMayHaveForgottenIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		age    time.Duration
		part   int
		listed []*lk.EgressInfo
		starts int
		want   string
	}{
		"a day after it began":        {egress.Remembered, 1, nil, 1, egressID},
		"later":                       {egress.Remembered + time.Second, 1, nil, 0, ""},
		"later, and it still records": {egress.Remembered + time.Second, 1, []*lk.EgressInfo{ours(t, "EG_long")}, 0, "EG_long"},
		"later, of another part":      {egress.Remembered + time.Second, 2, nil, 1, egressID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				in := plain(roomRequest())
				in.Part, in.RunID, in.Began = tc.part, "the-run-before", time.Now().Add(-tc.age)
				a := &api{onStart: accepts, onList: lists(tc.listed...)}
				s, err := start(t, a, in)
				require.Equal(t, tc.want == "", err != nil)
				require.Equal(t, tc.want, s.Info.Proto().GetEgressId())
				require.Equal(t, tc.starts, a.count["start"])
			})
		})
	}
}
