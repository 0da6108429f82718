package gateway_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

func TestAStopGoesThroughTheWorkflowWhereThereIsOne(t *testing.T) {
	t.Parallel()
	unknown := func(context.Context, string, string) (egress.Info, error) {
		return egress.Info{}, &egress.Error{Reason: egress.NotFound, Message: "no recording has the ID"}
	}
	for name, tc := range map[string]struct {
		at      func(b *bench)
		durable []string
		direct  []string
		outcome string
	}{
		"by LiveKit's echo": {func(b *bench) { b.liveKit.add(running("EG_1", "call-1")) }, []string{"call-1"}, nil, "durable"},
		"by Temporal, where LiveKit has forgotten it": {func(b *bench) {
			b.recordings.requestOf = func(context.Context, string) (string, error) { return "call-1", nil }
		}, []string{"call-1"}, nil, "durable"},
		"directly, where it is not ours": {func(b *bench) { b.liveKit.add(running("EG_1", "")) }, nil, []string{"EG_1"}, "direct"},
		"directly, where Temporal is away": {func(b *bench) {
			b.liveKit.add(running("EG_1", "call-1"))
			b.recordings.stop = func(context.Context, string, string) (egress.Info, error) { return egress.Info{}, away }
		}, []string{"call-1"}, []string{"EG_1"}, "direct"},
		"directly, where Temporal cannot be asked": {func(b *bench) {
			b.recordings.requestOf = func(context.Context, string) (string, error) { return "", away }
		}, nil, []string{"EG_1"}, "direct"},
		"directly, where its workflow is not there": {func(b *bench) {
			b.liveKit.add(running("EG_1", "call-1"))
			b.recordings.stop = unknown
		}, []string{"call-1"}, []string{"EG_1"}, "direct"},
		"directly, where its workflow can not be made": {func(b *bench) {
			b.liveKit.add(running("EG_1", "call-1"))
			b.recordings.stop = unknown
			b.recordings.adopt = func(context.Context, string, *livekit.EgressInfo) (bool, error) { return true, away }
		}, []string{"call-1"}, []string{"EG_1"}, "direct"},
		"through the workflow that the stop makes": {func(b *bench) {
			b.liveKit.add(running("EG_1", "call-1"))
			b.recordings.stop = unknown
			b.recordings.adopt = func(_ context.Context, id string, m *livekit.EgressInfo) (bool, error) {
				b.recordings.stop = func(context.Context, string, string) (egress.Info, error) { return egress.NewInfo(ending("EG_1")) }
				return id == "call-1" && m.GetEgressId() == "EG_1", nil
			}
		}, []string{"call-1", "call-1"}, nil, "durable"},
		"through the workflow that the stop makes, of a LiveKit that does not echo": {func(b *bench) {
			b.liveKit.add(running("EG_1", ""))
			b.recordings.requestOf = func(context.Context, string) (string, error) { return "call-1", nil }
			b.recordings.stop = unknown
			b.recordings.adopt = func(_ context.Context, id string, m *livekit.EgressInfo) (bool, error) {
				b.recordings.stop = func(context.Context, string, string) (egress.Info, error) { return egress.NewInfo(ending("EG_1")) }
				return id == "call-1" && m.GetEgressId() == "EG_1", nil
			}
		}, []string{"call-1", "call-1"}, nil, "durable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			tc.at(b)
			m, err := b.sdk(t).StopEgress(t.Context(), &livekit.StopEgressRequest{EgressId: "EG_1"})
			require.NoError(t, err)
			require.Equal(t, livekit.EgressStatus_EGRESS_ENDING, m.GetStatus())
			require.Equal(t, tc.durable, b.recordings.stopped())
			require.Equal(t, tc.direct, b.liveKit.stopped())
			require.Equal(t, map[string]int64{"StopEgress " + tc.outcome: 1}, b.counts(t))
		})
	}
}

// A hanging call gets only its share of the caller's time, so that LiveKit has its own.
func TestAStopThatHangsIsLiveKitsBeforeTheCallersTimeIsOver(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		at    func(b *bench)
		after time.Duration
		asked []string // of the workflows
	}{
		"in its workflow": {func(b *bench) {
			b.recordings.stop = func(ctx context.Context, _, _ string) (egress.Info, error) { return egress.Info{}, over(ctx) }
		}, 5400 * time.Millisecond, []string{"call-1"}},
		"where its request is looked for": {func(b *bench) {
			b.liveKit.list = over
			b.recordings.requestOf = func(ctx context.Context, _ string) (string, error) { return "", over(ctx) }
		}, 1800 * time.Millisecond, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.liveKit.add(running("EG_1", "call-1"))
				tc.at(b)
				began, left := time.Now(), time.Duration(0)
				b.liveKit.stop = func(ctx context.Context, id string) (*livekit.EgressInfo, error) {
					by, _ := ctx.Deadline()
					left = time.Until(by)
					return ending(id), nil
				}
				require.Equal(t, "EG_1", infoIn(t, b.call(t, "StopEgress", `{"egress_id":"EG_1"}`)).GetEgressId())
				require.Equal(t, tc.after, time.Since(began))
				require.Equal(t, requestTimeout-tc.after, left)
				require.Equal(t, tc.asked, b.recordings.stopped())
				require.Equal(t, map[string]int64{"StopEgress direct": 1}, b.counts(t))
			})
		})
	}
}

// Temporal knows the egress, too, and is asked while there is time.
func TestAStopReachesItsWorkflowWhereLiveKitsListHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.liveKit.list = over
		b.recordings.requestOf = func(ctx context.Context, _ string) (string, error) { return "call-1", ctx.Err() }
		infoIn(t, b.call(t, "StopEgress", `{"egress_id":"EG_1"}`))
		require.Equal(t, []string{"call-1"}, b.recordings.stopped())
		require.Equal(t, map[string]int64{"StopEgress durable": 1}, b.counts(t))
	})
}

// over is a call that nobody answers.
func over(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// The request's workflow may hold a twin, or an earlier part: the egress that was asked for is
// stopped, too, and a stop that nobody has accepted is never answered as a success.
func TestAStopThatTheWorkflowSpentOnAnotherEgressReachesTheOneAskedForToo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		liveKit error
		want    string // egress ID, or a Twirp code
	}{
		"it records beside the bound one": {nil, "EG_1"},
		"it is an earlier part":           {&egress.Error{Reason: egress.AlreadyOver, Code: "failed_precondition"}, "EG_2"},
		"LiveKit has forgotten it":        {&egress.Error{Reason: egress.NotFound, Code: "not_found"}, "EG_2"},
		"LiveKit does not answer":         {&egress.Error{Reason: egress.Unreachable, Code: "internal", Message: "failed to do request: EOF"}, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.liveKit.add(running("EG_1", "call-1"))
			b.recordings.stop = func(context.Context, string, string) (egress.Info, error) { return egress.NewInfo(ending("EG_2")) }
			b.liveKit.stop = func(_ context.Context, id string) (*livekit.EgressInfo, error) { return ending(id), tc.liveKit }
			m, err := b.sdk(t).StopEgress(t.Context(), &livekit.StopEgressRequest{EgressId: "EG_1"})
			got := m.GetEgressId()
			if te, ok := errors.AsType[twirp.Error](err); ok {
				got = string(te.Code())
			}
			require.Equal(t, tc.want, got)
			require.Equal(t, []string{"EG_1"}, b.liveKit.stopped())
		})
	}
}

func TestTheAnswerToSuchAStopShowsNothingOfOurs(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.liveKit.add(running("EG_1", "call-1"))
	b.recordings.stop = func(context.Context, string, string) (egress.Info, error) { return egress.NewInfo(ending("EG_2")) }
	b.liveKit.stop = func(_ context.Context, id string) (*livekit.EgressInfo, error) { return running(id, "call-1"), nil }
	m, err := b.sdk(t).StopEgress(t.Context(), &livekit.StopEgressRequest{EgressId: "EG_1"})
	require.NoError(t, err)
	require.Equal(t, "EG_1", m.GetEgressId())
	require.Empty(t, m.GetRoomComposite().GetWebhooks(), "ours, with the token")
}

func TestAStopThatNobodyTookIsLiveKitsErrorAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	down := &egress.Error{Reason: egress.Unreachable, Code: "internal", Message: "failed to do request: connection refused"}
	for name, hinders := range map[string]error{"it is listed, and then LiveKit is down": nil, "LiveKit is down": down} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.liveKit.add(running("EG_1", "call-1"))
			b.liveKit.list = func(context.Context) error { return hinders }
			b.recordings.stop = func(context.Context, string, string) (egress.Info, error) {
				return egress.Info{}, &egress.Error{Reason: egress.NotFound, Message: "no recording has the ID"}
			}
			b.liveKit.stop = func(context.Context, string) (*livekit.EgressInfo, error) { return nil, down }
			_, err := b.sdk(t).StopEgress(t.Context(), &livekit.StopEgressRequest{EgressId: "EG_1"})
			var te twirp.Error
			require.ErrorAs(t, err, &te)
			require.Equal(t, twirp.Unavailable, te.Code())
			require.Equal(t, []string{"EG_1"}, b.liveKit.stopped())
		})
	}
}

func TestLiveKitsRefusalOfAStopReachesTheCallerUnchanged(t *testing.T) {
	t.Parallel()
	refused := &egress.Error{Reason: egress.AlreadyOver, Code: "failed_precondition", Message: "egress with status EGRESS_COMPLETE cannot be stopped"}
	for name, id := range map[string]string{"through the workflow": "call-1", "directly": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.liveKit.add(running("EG_1", id))
			b.recordings.stop = func(context.Context, string, string) (egress.Info, error) { return egress.Info{}, refused }
			b.liveKit.stop = func(context.Context, string) (*livekit.EgressInfo, error) { return nil, refused }
			_, err := b.sdk(t).StopEgress(t.Context(), &livekit.StopEgressRequest{EgressId: "EG_1"})
			var te twirp.Error
			require.ErrorAs(t, err, &te)
			require.Equal(t, twirp.FailedPrecondition, te.Code())
			require.Equal(t, refused.Message, te.Msg())
		})
	}
}

// It failed, so its recording may continue as the next part, which only Temporal knows.
func TestAStopOfWhatFailedIsNotAnsweredByLiveKitWhereTemporalIsAway(t *testing.T) {
	t.Parallel()
	unknown := &egress.Error{Reason: egress.NotFound, Message: "no recording has the ID"} // and its workflow cannot be created
	for status, want := range map[livekit.EgressStatus]twirp.ErrorCode{
		livekit.EgressStatus_EGRESS_FAILED: twirp.Unavailable, livekit.EgressStatus_EGRESS_ABORTED: twirp.Unavailable,
		livekit.EgressStatus_EGRESS_COMPLETE: twirp.FailedPrecondition,
	} {
		for _, unheard := range []error{away, unknown} {
			t.Run(status.String(), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, nil)
				m := running("EG_1", "call-1")
				m.Status = status
				b.liveKit.add(m)
				b.recordings.stop = func(context.Context, string, string) (egress.Info, error) { return egress.Info{}, unheard }
				b.recordings.adopt = func(context.Context, string, *livekit.EgressInfo) (bool, error) { return false, away }
				b.liveKit.stop = func(context.Context, string) (*livekit.EgressInfo, error) {
					return nil, &egress.Error{Reason: egress.AlreadyOver, Code: "failed_precondition", Message: "cannot be stopped"}
				}
				_, err := b.sdk(t).StopEgress(t.Context(), &livekit.StopEgressRequest{EgressId: "EG_1"})
				var te twirp.Error
				require.ErrorAs(t, err, &te)
				require.Equal(t, want, te.Code())
				require.Equal(t, []string{"EG_1"}, b.liveKit.stopped())
			})
		}
	}
}

// swapped returns an egress of ours whose caller named a webhook, as LiveKit echoes it.
func swapped(egressID, requestID, sealed string) *livekit.EgressInfo {
	w := ours(requestID)
	w.Url += "?w=" + sealed
	m := running(egressID, "")
	m.GetRoomComposite().Webhooks = []*livekit.WebhookConfig{w}
	return m
}

func TestACallerIsShownItsOwnWebhooksWhereverLiveKitEchoesOurs(t *testing.T) {
	t.Parallel()
	up := &updates{listing: listing{answer: &livekit.ListEgressResponse{Items: []*livekit.EgressInfo{swapped("EG_1", "call-1", "https%3A%2F%2Ftheirs")}}}}
	b := newBench(t, livekit.NewEgressServer(up))
	b.liveKit.add(up.answer.Items[0])
	sdk := b.sdk(t)
	ask := map[string]func() (*livekit.EgressInfo, error){
		"list": func() (*livekit.EgressInfo, error) {
			list, err := sdk.ListEgress(t.Context(), &livekit.ListEgressRequest{})
			return list.GetItems()[0], err
		},
		"stop": func() (*livekit.EgressInfo, error) {
			b.recordings.stop = func(context.Context, string, string) (egress.Info, error) { return egress.NewInfo(up.answer.Items[0]) }
			return sdk.StopEgress(t.Context(), &livekit.StopEgressRequest{EgressId: "EG_1"})
		},
		"layout": func() (*livekit.EgressInfo, error) {
			return sdk.UpdateLayout(t.Context(), &livekit.UpdateLayoutRequest{EgressId: "EG_1", Layout: "grid"})
		},
		"stream": func() (*livekit.EgressInfo, error) {
			return sdk.UpdateStream(t.Context(), &livekit.UpdateStreamRequest{EgressId: "EG_1"})
		},
	}
	for name, call := range ask {
		m, err := call()
		require.NoError(t, err, name)
		hooks := m.GetRoomComposite().GetWebhooks()
		require.Len(t, hooks, 1, name)
		require.Equal(t, "https://theirs", hooks[0].GetUrl(), name)
	}
	require.Equal(t, "grid", up.layout)
}

func TestWebhooksThatCannotBeOpenedAreLeftOut(t *testing.T) {
	t.Parallel()
	b := newBench(t, livekit.NewEgressServer(&listing{answer: &livekit.ListEgressResponse{Items: []*livekit.EgressInfo{swapped("EG_1", "call-1", "broken")}}}))
	list, err := b.sdk(t).ListEgress(t.Context(), &livekit.ListEgressRequest{})
	require.NoError(t, err)
	require.Empty(t, list.GetItems()[0].GetRoomComposite().GetWebhooks())
	require.Contains(t, b.log.String(), "a caller's webhooks cannot be shown")
}

// updates serves LiveKit's list and updates at its own address.
type updates struct {
	listing
	layout string
}

func (u *updates) UpdateLayout(_ context.Context, r *livekit.UpdateLayoutRequest) (*livekit.EgressInfo, error) {
	u.layout = r.GetLayout()
	return u.answer.Items[0], nil
}

func (u *updates) UpdateStream(context.Context, *livekit.UpdateStreamRequest) (*livekit.EgressInfo, error) {
	return u.answer.Items[0], nil
}

func TestARoomThatIsDeletedHasItsRecordingsStoppedFirst(t *testing.T) {
	t.Parallel()
	deleted := &rooms{}
	b := newBench(t, livekit.NewRoomServiceServer(deleted), func(c *gateway.Config) { c.DeleteRoomWait = 3 * time.Second })
	deleted.stopped = b.recordings.stopped
	ended := running("EG_3", "call-3")
	ended.Status = livekit.EgressStatus_EGRESS_COMPLETE
	b.recordings.requestOf = func(_ context.Context, egressID string) (string, error) {
		return map[string]string{"EG_4": "EG_4"}[egressID], nil // adopted
	}
	b.liveKit.add(running("EG_1", "call-1"), running("EG_2", ""), ended, running("EG_4", ""))
	client := lksdk.NewRoomServiceClient(b.serve(t), apiKey, apiSecret)

	_, err := client.DeleteRoom(t.Context(), &livekit.DeleteRoomRequest{Room: "daily"})

	require.NoError(t, err)
	require.ElementsMatch(t, []string{"call-1", "EG_4"}, deleted.before, "what we know and runs was stopped before, and nobody else's")
	require.Empty(t, b.liveKit.stopped())
}

func TestARecordingIsStoppedBeforeItsRoomGoesWhoeverItsWorkflowHolds(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(context.Context, string, string) (egress.Info, error){
		"Temporal is away":  func(context.Context, string, string) (egress.Info, error) { return egress.Info{}, away },
		"no worker answers": func(ctx context.Context, _, _ string) (egress.Info, error) { return egress.Info{}, over(ctx) },
		"its workflow failed": func(context.Context, string, string) (egress.Info, error) {
			return egress.Info{}, &egress.Error{Reason: egress.NotFound, Message: "it is over"}
		},
		"another egress": func(context.Context, string, string) (egress.Info, error) { return egress.NewInfo(ending("EG_2")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stopsBeforeItsRoomGoes(t, answer)
		})
	}
}

func stopsBeforeItsRoomGoes(t *testing.T, answer func(context.Context, string, string) (egress.Info, error)) {
	t.Helper()
	b := newBench(t, livekit.NewRoomServiceServer(&rooms{stopped: func() []string { return nil }}), func(c *gateway.Config) { c.DeleteRoomWait = time.Second })
	b.liveKit.add(running("EG_1", "call-1"))
	b.recordings.stop = answer
	client := lksdk.NewRoomServiceClient(b.serve(t), apiKey, apiSecret)
	_, err := client.DeleteRoom(t.Context(), &livekit.DeleteRoomRequest{Room: "daily"})
	require.NoError(t, err)
	require.Equal(t, []string{"EG_1"}, b.liveKit.stopped())
}

func TestLiveKitHasHalfOfTheTimeThatADeletionWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, func(c *gateway.Config) { c.DeleteRoomWait = 4 * time.Second })
		b.liveKit.add(running("EG_1", "call-1"))
		b.recordings.stop = func(ctx context.Context, _, _ string) (egress.Info, error) { return egress.Info{}, over(ctx) }
		r := request(t.Context(), t, "", `{"room":"daily"}`)
		r.URL.Path = livekit.RoomServicePathPrefix + "DeleteRoom"
		r.Header.Set("Authorization", "Bearer "+token(t, apiKey, apiSecret, &auth.VideoGrant{RoomCreate: true}))
		began := time.Now()
		b.do(r)
		require.Equal(t, 2*time.Second, time.Since(began))
		require.Equal(t, []string{"EG_1"}, b.liveKit.stopped())
	})
}

// rooms is LiveKit's RoomService. It records what was stopped before a deletion.
type rooms struct {
	livekit.RoomService
	stopped func() []string
	before  []string
}

func (r *rooms) DeleteRoom(context.Context, *livekit.DeleteRoomRequest) (*livekit.DeleteRoomResponse, error) {
	r.before = r.stopped()
	return &livekit.DeleteRoomResponse{}, nil
}
