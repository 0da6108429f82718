package activities_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

var theirs = &lk.WebhookConfig{Url: "https://consumer.example.com/hook?key=theirs", SigningKey: "their-key"}

func roomRequest() egress.Request {
	return &lk.RoomCompositeEgressRequest{RoomName: room, Webhooks: []*lk.WebhookConfig{theirs}}
}

func webRequest() egress.Request { return &lk.WebEgressRequest{Url: "https://example.com"} }

func plain(r egress.Request) activities.StartRequest {
	return activities.StartRequest{RequestID: requestID, Part: 1, Input: egress.Input{Plain: r}}
}

// echo returns an egress whose EgressInfo shows a request, as LiveKit echoes it.
func echo(id string, r egress.Request) *lk.EgressInfo {
	m := &lk.EgressInfo{EgressId: id, RoomName: room}
	switch r := r.(type) {
	case *lk.RoomCompositeEgressRequest:
		m.Request = &lk.EgressInfo_RoomComposite{RoomComposite: r}
	case *lk.WebEgressRequest:
		m.Request = &lk.EgressInfo_Web{Web: r}
	}
	return m
}

// ours returns an egress that an earlier attempt of this request has started.
func ours(t *testing.T, id string) *lk.EgressInfo { return withToken(t, id, requestID, 1) }

func withToken(t *testing.T, id, requestID string, part int) *lk.EgressInfo {
	t.Helper()
	hook := &lk.WebhookConfig{Url: "https://reel.example.com" + keys(t).Token(requestID, part).Path(), SigningKey: "devkey"}
	return echo(id, egress.AddWebhook(&lk.RoomCompositeEgressRequest{RoomName: room}, hook))
}

// neighbours returns an egress of another Reelkeeper under our request ID.
func neighbours(t *testing.T, id string) *lk.EgressInfo {
	t.Helper()
	k, err := seal.New(seal.Config{Secret: "another-secret-of-32-characters-or-more"})
	require.NoError(t, err)
	return echo(id, egress.AddWebhook(&lk.RoomCompositeEgressRequest{RoomName: room}, &lk.WebhookConfig{Url: k.Token(requestID, 1).URL(publicURL)}))
}

// accepts starts an egress at every call.
func accepts(_ int, r egress.Request) (*lk.EgressInfo, error) { return echo(egressID, r), nil }

// fails answers the first starts with errors, and accepts the next.
func fails(errs ...error) func(int, egress.Request) (*lk.EgressInfo, error) {
	return func(n int, r egress.Request) (*lk.EgressInfo, error) {
		if n <= len(errs) {
			return nil, errs[n-1]
		}
		return echo(egressID, r), nil
	}
}

// lists gives every look the same answer.
func lists(items ...*lk.EgressInfo) func(int) ([]*lk.EgressInfo, error) {
	return func(int) ([]*lk.EgressInfo, error) { return items, nil }
}

// start runs the first attempt.
func start(t *testing.T, a *api, in activities.StartRequest, change ...func(*activities.Config)) (activities.Started, error) {
	t.Helper()
	return startIn(t, newEnv(a), a, in, change...)
}

func startIn(t *testing.T, env *testsuite.TestActivityEnvironment, a *api, in activities.StartRequest, change ...func(*activities.Config)) (activities.Started, error) {
	t.Helper()
	act := activitiesOf(t, a, change...)
	env.RegisterActivity(act.Start)
	v, err := env.ExecuteActivity(act.Start, in)
	if err != nil {
		return activities.Started{}, err
	}
	var s activities.Started
	return s, v.Get(&s)
}

// Another meeting may have the room's name by then.
func TestALaterPartIsStartedInTheRoomOfTheFirstAlone(t *testing.T) {
	t.Parallel()
	in := plain(roomRequest())
	in.Part, in.RoomID = 2, "RM_1"
	for name, tc := range map[string]struct {
		api       *api
		published bool
		want      egress.Reason
		log       []string
	}{
		"it is there": {&api{live: true}, false, "", []string{"0s rooms " + room + " RM_1", "0s start"}},
		"it is gone":  {&api{}, false, egress.NotFound, []string{"0s rooms " + room + " RM_1", "1s rooms " + room + " RM_1"}},
		"it is listed after all": {&api{live: true, unlisted: 1}, false, "", []string{
			"0s rooms " + room + " RM_1", "1s rooms " + room + " RM_1", "1s start",
		}},
		"nobody can say":     {&api{liveErr: because(egress.Unreachable)}, true, "", []string{"0s rooms " + room + " RM_1", "0s start"}},
		"somebody publishes": {&api{live: true, publishers: 1}, true, "", []string{"0s rooms " + room + " RM_1", "0s start"}},
		"somebody does in a while": {&api{live: true, publishers: 1, quiet: 2}, true, "", []string{
			"0s rooms " + room + " RM_1", "1s rooms " + room + " RM_1", "3s rooms " + room + " RM_1", "3s start",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				in := in
				in.Published, tc.api.onStart = tc.published, accepts
				_, err := start(t, tc.api, in)
				require.Equal(t, tc.log, tc.api.log)
				if tc.want != "" {
					_, e := failed(t, err)
					require.Equal(t, tc.want, e.Reason)
					return
				}
				require.NoError(t, err)
			})
		})
	}
}

func TestNoPartIsStartedAfterTheLongestDuration(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		after time.Duration // 0: there is no longest duration
		want  egress.Reason
	}{
		"it is over before somebody publishes": {2 * time.Second, egress.TooLate},
		"it is not":                            {4 * time.Second, ""},
		"there is none":                        {0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				in := plain(roomRequest())
				in.Part, in.RoomID, in.Published = 2, "RM_1", true
				if tc.after > 0 {
					in.NotAfter = time.Now().Add(tc.after)
				}
				a := &api{live: true, publishers: 1, quiet: 2, onStart: accepts} // somebody publishes after 3 s
				_, err := start(t, a, in)
				if tc.want == "" {
					require.NoError(t, err)
					return
				}
				_, e := failed(t, err)
				require.Equal(t, tc.want, e.Reason)
				require.Empty(t, a.sent)
			})
		})
	}
}

// By then, a worker whose clock is behind would still ask for it.
func TestTheSearchAfterAStartThatWasTakenBackStartsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in := plain(roomRequest())
		in.Part, in.RoomID, in.OnlyLook, in.NotAfter = 2, "RM_1", true, time.Now().Add(time.Hour)
		a := &api{live: true, publishers: 1, onList: lists(), onStart: accepts}
		_, err := start(t, a, in)
		_, e := failed(t, err)
		require.Equal(t, egress.TooLate, e.Reason)
		require.Empty(t, a.sent)
	})
}

// The workflow takes back the start of a part, or the worker ends, after two seconds.
func TestAStartThatIsTakenBackAsksForNothingAndSeesThroughWhatItAskedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		api   *api
		cause error
		want  egress.Reason
	}{
		"while it waits for somebody who publishes": {&api{live: true, publishers: 1, quiet: 2}, temporal.NewCanceledError(), egress.TooLate},
		"while LiveKit starts it":                   {&api{live: true, publishers: 1, answers: 10 * time.Second}, temporal.NewCanceledError(), ""},
		"the worker ends":                           {&api{live: true, publishers: 1, quiet: 2}, worker.ErrWorkerShutdown, egress.Ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				in := plain(roomRequest())
				in.Part, in.RoomID, in.Published, tc.api.onStart = 2, "RM_1", true, accepts
				act, env := activitiesOf(t, tc.api), newEnv(tc.api)
				env.RegisterActivityWithOptions(func(ctx context.Context, in activities.StartRequest) (activities.Started, error) {
					ctx, cancel := context.WithCancelCause(ctx)
					time.AfterFunc(2*time.Second, func() { cancel(tc.cause) })
					return act.Start(ctx, in)
				}, activity.RegisterOptions{Name: "Start"})
				_, err := env.ExecuteActivity("Start", in)
				if tc.want == "" {
					require.NoError(t, err)
					return
				}
				_, e := failed(t, err)
				require.Equal(t, tc.want, e.Reason)
				require.Empty(t, tc.api.sent)
			})
		})
	}
}

func TestARoomThatThereIsNoTimeToAskForTwiceIsNotGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in := plain(roomRequest())
		in.Part, in.RoomID = 2, "RM_1"
		_, err := start(t, &api{live: true, unlisted: 2, onStart: accepts}, in, func(c *activities.Config) { c.CallTimeout = time.Second / 2 })
		require.NoError(t, err)
	})
}

func TestTheFirstAttemptAsksOnceAndLooksForNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: accepts}
		s, err := start(t, a, plain(roomRequest()))
		require.NoError(t, err)
		require.Equal(t, []string{"0s start"}, a.log)
		require.Equal(t, egressID, s.Info.Proto().GetEgressId())
		require.Equal(t, egress.Terms{Policy: egress.DefaultPolicy(), Steps: []string{egress.StepAnnounce}}, s.Terms, "the worker's own")
	})
}

func TestOurWebhookTakesThePlaceOfTheCallersAndIsSignedWithOurKey(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := &api{onStart: accepts}
		in := plain(roomRequest())
		in.Part, in.Input.MaxDuration = 3, egress.Duration(3*time.Hour)
		s, err := start(t, a, in)
		require.NoError(t, err)

		hooks := a.sent[0].GetWebhooks()
		require.Len(t, hooks, 1)
		address, _, _ := strings.Cut(hooks[0].GetUrl(), "?")
		require.Equal(t, "https://reel.example.com/base"+keys(t).Token(requestID, 3).Path(), address)
		extras := egress.ExtrasIn(hooks[0])
		require.Equal(t, in.Input.MaxDuration, extras.MaxDuration, "whoever adopts it goes by it")
		opened, err := keys(t).OpenWebhooks(requestID, extras.Webhooks)
		require.NoError(t, err)
		require.Len(t, opened, 1)
		require.Equal(t, theirs.String(), opened[0].String(), "whoever lists it is shown the caller's own")
		require.Equal(t, "devkey", hooks[0].GetSigningKey())

		token, ok := egress.ParseToken(hooks[0].GetUrl())
		require.True(t, ok)
		require.True(t, keys(t).Verify(token))
		require.Len(t, in.Input.Plain.GetWebhooks(), 1, "the input stays as it was")
		require.Empty(t, egress.Webhooks(s.Info.Proto()), "our own is not shown")
	})
}

func TestASealedRequestIsSentWithItsSecretsAndAnsweredWithout(t *testing.T) {
	const canary = "CANARY"
	t.Parallel()
	bubble(t, func(t *testing.T) {
		secretive := &lk.RoomCompositeEgressRequest{
			RoomName: room, CustomBaseUrl: "https://user:" + canary + "@example.com/?token=" + canary,
			FileOutputs:   []*lk.EncodedFileOutput{{Filepath: "a.mp4", Output: &lk.EncodedFileOutput_S3{S3: &lk.S3Upload{AccessKey: canary, Secret: canary}}}},
			StreamOutputs: []*lk.StreamOutput{{Urls: []string{"rtmp://live.example.com/" + canary}}},
			Webhooks:      []*lk.WebhookConfig{{Url: "https://consumer.example.com/?key=" + canary}},
		}
		sealed, err := keys(t).SealRequest(requestID, secretive, "", "")
		require.NoError(t, err)
		a := &api{onStart: func(_ int, r egress.Request) (*lk.EgressInfo, error) {
			m := echo(egressID, r)
			m.Result = &lk.EgressInfo_Stream{Stream: &lk.StreamInfoList{Info: []*lk.StreamInfo{{Url: "rtmp://live.example.com/" + canary}}}}
			return m, nil
		}}
		s, err := start(t, a, activities.StartRequest{RequestID: requestID, Part: 1, Input: sealed})
		require.NoError(t, err)
		require.Contains(t, a.sent[0].(*lk.RoomCompositeEgressRequest).String(), canary, "LiveKit gets the whole request")
		require.Equal(t, egressID, s.Info.Proto().GetEgressId())
		b, err := json.Marshal(s)
		require.NoError(t, err)
		require.NotContains(t, string(b), canary)
	})
}

func TestARequestThatCannotBeOpenedFailsForGoodAndAsksNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in, err := keys(t).SealRequest("another-request", roomRequest(), "", "")
		require.NoError(t, err)
		a := &api{}
		_, err = start(t, a, activities.StartRequest{RequestID: requestID, Part: 1, Input: in})
		ae, e := failed(t, err)
		require.Equal(t, egress.Sealed, e.Reason)
		require.True(t, ae.NonRetryable())
		require.Empty(t, a.log)
	})
}

// Another worker could open it, and may have asked LiveKit.
func TestARequestThatALaterAttemptCannotOpenIsNoneThatWasNeverAskedFor(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		in, err := keys(t).SealRequest("another-request", roomRequest(), "", "")
		require.NoError(t, err)
		a := &api{}
		_, err = secondAttempt(t, a, activities.StartRequest{RequestID: requestID, Part: 1, Input: in})
		ae, e := failed(t, err)
		require.Equal(t, egress.TooLate, e.Reason)
		require.Contains(t, e.Message, "cannot be looked for")
		require.True(t, ae.NonRetryable())
		require.Empty(t, a.log)
	})
}

func TestAnAnswerThatSaysNoIsPassedOnAtOnce(t *testing.T) {
	t.Parallel()
	final := map[egress.Reason]bool{
		egress.Refused: true, egress.Denied: true, egress.NotFound: true, egress.AlreadyOver: true, egress.NoEcho: true,
		egress.TooLate: true, egress.HandedBack: true, egress.Invalid: true, egress.Conflict: true, egress.Sealed: true,
		// Another attempt of the activity first searches for what this one may have started.
		egress.Unanswered: false, egress.Unavailable: false, egress.StillGoing: false, egress.ConsumerFailed: false, egress.HeldBack: false, egress.Internal: false,
	}
	require.Len(t, final, len(egress.Reasons())-3, "unreachable, rate_limited and ambiguous are tried again by the attempt itself")
	for reason, final := range final {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				a := &api{onStart: fails(because(reason))}
				_, err := start(t, a, plain(roomRequest()))
				ae, e := failed(t, err)
				require.Equal(t, egress.Error{Reason: reason, Code: "a_code", Message: "LiveKit said " + string(reason)}, e)
				require.Equal(t, final, ae.NonRetryable())
				require.Equal(t, []string{"0s start"}, a.log)
			})
		})
	}
}

// Nobody could sign it at the end.
func TestAWebhookWhoseKeyIsNoneOfOursIsRefusedBeforeLiveKitIsAsked(t *testing.T) {
	t.Parallel()
	of := func(key string) activities.StartRequest {
		return plain(&lk.RoomCompositeEgressRequest{RoomName: room, Webhooks: []*lk.WebhookConfig{{Url: "https://a.example.com"}, {Url: "https://b.example.com", SigningKey: key}}})
	}
	for _, key := range []string{"", "their-key"} {
		_, err := start(t, &api{onStart: accepts}, of(key))
		require.NoError(t, err)
	}
	a := &api{} // a start would panic
	_, err := start(t, a, of("APIwho"))
	_, e := failed(t, err)
	require.Equal(t, egress.Error{Reason: egress.Invalid, Field: "webhooks[1].signing_key", Message: `"APIwho" is not an API key of this project`}, e)
	require.Empty(t, a.log)

	in := of("APIwho")
	in.Part = 2
	_, err = start(t, &api{onStart: accepts}, in)
	require.NoError(t, err, "a later part is recorded all the same")
}
