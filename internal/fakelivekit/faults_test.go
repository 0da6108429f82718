package fakelivekit_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// faulty starts a server on which one fault always occurs, with a room that lasts until it is deleted.
func faulty(t *testing.T, fault fakelivekit.Fault) *fake {
	t.Helper()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Faults = map[fakelivekit.Fault]float64{fault: 1} })
	f.room("daily", fakelivekit.RoomScript{})
	return f
}

// only returns the one accepted egress, once there is one.
func (f *fake) only() fakelivekit.Recording {
	f.Helper()
	f.waitUntil("an accepted egress", func() bool { return len(f.Egresses()) == 1 })
	return f.Egresses()[0]
}

func (f *fake) stop(id string) (*livekit.EgressInfo, error) {
	return f.egress.StopEgress(f.Context(), &livekit.StopEgressRequest{EgressId: id})
}

func (f *fake) deleteRoom(name string) {
	f.Helper()
	_, err := f.rooms.DeleteRoom(f.Context(), &livekit.DeleteRoomRequest{Room: name})
	require.NoError(f, err)
}

func (f *fake) finished(id string) {
	f.Helper()
	f.waitUntil("the end of "+id, func() bool { return f.listed(id).Status >= livekit.EgressStatus_EGRESS_COMPLETE })
}

// errorOf returns the error of a call.
func errorOf[T any](_ T, err error) error { return err }

func codeOf(err error) twirp.ErrorCode {
	if e, ok := errors.AsType[twirp.Error](err); ok {
		return e.Code()
	}
	return twirp.NoError
}

func TestAnAcceptedStartMayLookLikeAFailure(t *testing.T) {
	t.Parallel()
	for _, fault := range []fakelivekit.Fault{fakelivekit.ReplyLost, fakelivekit.Reply5xx} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			f := faulty(t, fault)
			require.Error(t, errorOf(f.egress.StartParticipantEgress(t.Context(), person("daily"))), "the reply came")
			id := f.only().Info.EgressId
			f.active(id)
			f.deleteRoom("daily")
			require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, f.ended(id).EgressInfo.Status)
		})
	}
}

func TestAClientThatDoesNotWaitForAHangingReplyHasARecording(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.ReplyHang = time.Hour })
	f.room("daily", always(fakelivekit.ReplyHang))
	giveUp := f.given("daily")
	id := f.only().Info.EgressId
	f.active(id)
	require.Error(t, giveUp(), "the reply came")
	f.deleteRoom("daily")
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, f.ended(id).EgressInfo.Status)
}

func TestAReplyThatHangsComesAfterAll(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.ReplyHang)
	begun := time.Now()
	f.record("daily")
	require.GreaterOrEqual(t, time.Since(begun), f.cfg.Timings.ReplyHang)
}

func TestARefusedStartLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   fakelivekit.Fault
		code    twirp.ErrorCode
		message string
	}{
		"no worker":    {fakelivekit.StartRefused, twirp.Unavailable, "no response from servers"},
		"no quota":     {fakelivekit.StartRefused, twirp.ResourceExhausted, "start refused: resource_exhausted"},
		"rate limited": {fakelivekit.RateLimited, twirp.ResourceExhausted, "rate limit exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, func(cfg *fakelivekit.Config) {
				cfg.Faults = map[fakelivekit.Fault]float64{c.fault: 1}
				cfg.RefuseWith = []twirp.ErrorCode{c.code}
			})
			f.room("daily", fakelivekit.RoomScript{})
			_, err := f.egress.StartParticipantEgress(t.Context(), person("daily"))
			require.EqualError(t, err, "twirp error "+string(c.code)+": "+c.message)
			require.Equal(t, c.code, codeOf(err))
			require.Empty(t, f.Egresses())
		})
	}
}

func TestARoomMayForceWhatRefusesItsStarts(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for fault, code := range map[fakelivekit.Fault]twirp.ErrorCode{
		fakelivekit.APIDown: twirp.Unavailable, fakelivekit.RateLimited: twirp.ResourceExhausted,
	} {
		f.room(string(fault), always(fault))
		require.Equal(t, code, codeOf(errorOf(f.egress.StartParticipantEgress(t.Context(), person(string(fault))))), fault)
	}
	f.room("another", fakelivekit.RoomScript{})
	f.record("another")
}

func TestAnAPIThatIsDownAnswersNothingAndAcceptsNothing(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.APIDown)
	for range 6 { // some calls are cut, some answered 503
		require.Error(t, errorOf(f.egress.StartParticipantEgress(t.Context(), person("daily"))))
		require.Error(t, errorOf(f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{})))
	}
	require.NoError(t, f.SetFault(fakelivekit.APIDown, 0))
	require.Empty(t, f.Egresses())
	f.record("daily")
}

func TestASwitchTakesTheAPIDownAndUpAgain(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.SetDown(true)
	require.Error(t, errorOf(f.egress.StartParticipantEgress(t.Context(), person("daily"))))
	f.SetDown(false)
	f.record("daily")
}

func TestHeldStartsWaitBeforeAWorkerHasThem(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.HoldStarts()
	done := make(chan error, 1)
	go func() {
		_, err := f.egress.StartParticipantEgress(t.Context(), person("daily"))
		done <- err
	}()
	f.waitUntil("the call", func() bool { return f.Calls()["StartParticipantEgress"] == 1 })
	require.Empty(t, f.Egresses())
	f.ReleaseStarts()
	require.NoError(t, <-done)
}

func TestASlowStartIsUnlistedAndUnannounced(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.StartSlow = 6 * time.Second })
	f.room("daily", always(fakelivekit.StartSlow))
	done := make(chan *livekit.EgressInfo, 1)
	go func() {
		info, err := f.egress.StartParticipantEgress(f.Context(), person("daily"))
		assert.NoError(t, err)
		done <- info
	}()
	accepted := f.only()
	resp, err := f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{RoomName: "daily"})
	require.NoError(t, err)
	require.Empty(t, resp.Items)
	require.Equal(t, twirp.NotFound, codeOf(errorOf(f.stop(accepted.Info.EgressId))))
	f.untold(named(webhook.EventEgressStarted, ""))
	require.Equal(t, accepted.Info.EgressId, (<-done).GetEgressId())
	f.active(accepted.Info.EgressId)
}

func TestLostWebhooksAreCounted(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.WebhookLost)
	id := f.record("daily")
	f.waitUntil("active", func() bool { return f.listed(id).Status == livekit.EgressStatus_EGRESS_ACTIVE })
	f.deleteRoom("daily")
	f.finished(id)
	f.await(1, named(webhook.EventRoomFinished, ""))
	f.untold(func(r received) bool { return r.EgressInfo != nil })
	require.Equal(t, (fakelivekit.Deliveries{Events: 1, Suppressed: 1}), f.Deliveries()[webhook.EventEgressEnded])
	require.Zero(t, f.Egresses()[0].Told)
}

func TestRoomWebhooksMayBeLostToo(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.RoomWebhookLost)
	id := f.record("daily")
	f.active(id)
	f.deleteRoom("daily")
	f.ended(id)
	f.untold(func(r received) bool { return r.EgressInfo == nil })
}

func TestARepeatedWebhookComesWithTheSameAndWithAnotherID(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.WebhookRepeated)
	id := f.record("daily")
	got := f.await(3, named(webhook.EventEgressStarted, id))
	require.Equal(t, got[0].Id, got[1].Id)
	require.NotEqual(t, got[0].Id, got[2].Id)
	require.True(t, proto.Equal(got[0].EgressInfo, got[2].EgressInfo), "%v and %v", got[0], got[2])
}

func TestALateWebhookHoldsUpWhatFollows(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.WebhookLate = 300 * time.Millisecond })
	f.room("daily", always(fakelivekit.WebhookLate))
	begun := time.Now()
	id := f.record("daily")
	f.await(2, func(r received) bool { return r.EgressInfo.GetEgressId() == id })
	require.GreaterOrEqual(t, time.Since(begun), f.cfg.Timings.WebhookLate)
	got, _ := f.endpoint.all(func(r received) bool { return r.EgressInfo.GetEgressId() == id })
	require.Equal(t, []string{webhook.EventEgressStarted, webhook.EventEgressUpdated}, []string{got[0].Event, got[1].Event})
}

func TestWebhooksMayChangePlaces(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.WebhookLate = patience })
	f.room("daily", always(fakelivekit.WebhookOutOfOrder))
	id := f.record("daily")
	f.waitUntil("active", func() bool { return f.listed(id).Status == livekit.EgressStatus_EGRESS_ACTIVE })
	f.deleteRoom("daily")
	got := f.await(4, func(r received) bool { return r.EgressInfo.GetEgressId() == id })
	require.Equal(t, []string{
		"egress_updated EGRESS_ACTIVE", "egress_started EGRESS_STARTING", "egress_ended EGRESS_COMPLETE", "egress_updated EGRESS_ENDING",
	}, names(got[:4]))
}

func TestAWebhookOutOfOrderComesLateWhereNothingFollows(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.WebhookLate = 50 * time.Millisecond })
	f.room("empty", fakelivekit.RoomScript{Empty: true, Faults: []fakelivekit.Fault{fakelivekit.WebhookOutOfOrder}})
	info, err := f.egress.StartRoomCompositeEgress(t.Context(), composite("empty"))
	require.NoError(t, err)
	f.await(1, named(webhook.EventEgressStarted, info.EgressId))
}

func TestAHungEndpointMakesLiveKitDropWhatQueuesBehind(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) {
		cfg.Timings.WebhookTimeout, cfg.Timings.WebhookMaxAge = 2*time.Second, 2*time.Second // five attempts are 10 s
		cfg.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookHang: 1}
	})
	f.room("daily", fakelivekit.RoomScript{})
	id := f.record("daily")
	f.waitUntil("active", func() bool { return f.listed(id).Status == livekit.EgressStatus_EGRESS_ACTIVE })
	f.deleteRoom("daily")
	f.waitUntil("a dropped egress_ended", func() bool { return f.Deliveries()[webhook.EventEgressEnded].Dropped == 1 })
	got := f.Deliveries()[webhook.EventEgressStarted]
	require.Equal(t, 1, got.Failed)
	require.Zero(t, got.Sent)
	f.untold(func(r received) bool { return r.EgressInfo != nil })
}
