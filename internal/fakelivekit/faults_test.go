package fakelivekit_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// faulty starts a server on which one fault always strikes, with a room that lasts until it is deleted.
func faulty(t *testing.T, fault fakelivekit.Fault) *fake {
	t.Helper()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Faults = map[fakelivekit.Fault]float64{fault: 1} })
	f.room("daily", fakelivekit.RoomScript{})
	return f
}

// only is the one egress that was accepted, once there is one.
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
	if _, err := f.rooms.DeleteRoom(f.Context(), &livekit.DeleteRoomRequest{Room: name}); err != nil {
		f.Fatal(err)
	}
}

func (f *fake) finished(id string) {
	f.Helper()
	f.waitUntil("the end of "+id, func() bool { return f.listed(id).Status >= livekit.EgressStatus_EGRESS_COMPLETE })
}

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
			if info, err := f.egress.StartParticipantEgress(t.Context(), person("daily")); err == nil {
				t.Fatalf("the reply came: %v", info)
			}
			id := f.only().Info.EgressId
			f.active(id)
			f.deleteRoom("daily")
			if got := f.ended(id).EgressInfo.Status; got != livekit.EgressStatus_EGRESS_COMPLETE {
				t.Errorf("ended %v", got)
			}
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
	if err := giveUp(); err == nil {
		t.Error("the reply came")
	}
	f.deleteRoom("daily")
	if got := f.ended(id).EgressInfo.Status; got != livekit.EgressStatus_EGRESS_COMPLETE {
		t.Errorf("ended %v", got)
	}
}

func TestAReplyThatHangsComesAfterAll(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.ReplyHang)
	begun := time.Now()
	f.record("daily")
	if took := time.Since(begun); took < f.cfg.Timings.ReplyHang {
		t.Errorf("took %v", took)
	}
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
			if got := codeOf(err); got != c.code || err.Error() != "twirp error "+string(c.code)+": "+c.message {
				t.Errorf("got %v", err)
			}
			if got := f.Egresses(); len(got) != 0 {
				t.Errorf("accepted %v", got)
			}
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
		if _, err := f.egress.StartParticipantEgress(t.Context(), person(string(fault))); codeOf(err) != code {
			t.Errorf("%s: got %v", fault, err)
		}
	}
	f.room("another", fakelivekit.RoomScript{})
	f.record("another")
}

func TestAnAPIThatIsDownAnswersNothingAndAcceptsNothing(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.APIDown)
	for range 6 { // some calls are cut, some answered 503
		if _, err := f.egress.StartParticipantEgress(t.Context(), person("daily")); err == nil {
			t.Error("a start got through")
		}
		if _, err := f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{}); err == nil {
			t.Error("a list got through")
		}
	}
	require.NoError(t, f.SetFault(fakelivekit.APIDown, 0))
	if got := f.Egresses(); len(got) != 0 {
		t.Errorf("accepted %v", got)
	}
	f.record("daily")
}

func TestASwitchTakesTheAPIDownAndUpAgain(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.SetDown(true)
	if _, err := f.egress.StartParticipantEgress(t.Context(), person("daily")); err == nil {
		t.Error("a start got through")
	}
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
	if got := f.Egresses(); len(got) != 0 {
		t.Errorf("accepted %v", got)
	}
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
		if err != nil {
			t.Error(err)
		}
		done <- info
	}()
	accepted := f.only()
	resp, err := f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{RoomName: "daily"})
	if err != nil || len(resp.Items) != 0 {
		t.Errorf("listed %v, %v", resp, err)
	}
	if _, err := f.stop(accepted.Info.EgressId); codeOf(err) != twirp.NotFound {
		t.Errorf("stop: %v", err)
	}
	if got, _ := f.endpoint.all(named(webhook.EventEgressStarted, "")); len(got) != 0 {
		t.Errorf("announced: %v", names(got))
	}
	if info := <-done; info.GetEgressId() != accepted.Info.EgressId {
		t.Errorf("got %v", info)
	}
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
	if got, _ := f.endpoint.all(func(r received) bool { return r.EgressInfo != nil }); len(got) != 0 {
		t.Errorf("came: %v", names(got))
	}
	if got := f.Deliveries()[webhook.EventEgressEnded]; got != (fakelivekit.Deliveries{Events: 1, Suppressed: 1}) {
		t.Errorf("counted %+v", got)
	}
	if got := f.Egresses()[0].Told; got != 0 {
		t.Errorf("told %d", got)
	}
}

func TestRoomWebhooksMayBeLostToo(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.RoomWebhookLost)
	id := f.record("daily")
	f.active(id)
	f.deleteRoom("daily")
	f.ended(id)
	if got, _ := f.endpoint.all(func(r received) bool { return r.EgressInfo == nil }); len(got) != 0 {
		t.Errorf("came: %v", names(got))
	}
}

func TestARepeatedWebhookComesWithTheSameAndWithAnotherID(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.WebhookRepeated)
	id := f.record("daily")
	got := f.await(3, named(webhook.EventEgressStarted, id))
	if got[0].Id != got[1].Id || got[0].Id == got[2].Id {
		t.Errorf("IDs %s %s %s", got[0].Id, got[1].Id, got[2].Id)
	}
	got[2].Id = got[0].Id
	if a, b := string(protoText(t, got[0].EgressInfo)), string(protoText(t, got[2].EgressInfo)); normalSpace(a) != normalSpace(b) {
		t.Errorf("another state: %s %s", a, b)
	}
}

func TestALateWebhookHoldsUpWhatFollows(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.WebhookLate = 300 * time.Millisecond })
	f.room("daily", always(fakelivekit.WebhookLate))
	begun := time.Now()
	id := f.record("daily")
	f.await(2, func(r received) bool { return r.EgressInfo.GetEgressId() == id })
	if took := time.Since(begun); took < f.cfg.Timings.WebhookLate {
		t.Errorf("came after %v", took)
	}
	got, _ := f.endpoint.all(func(r received) bool { return r.EgressInfo.GetEgressId() == id })
	if got[0].Event != webhook.EventEgressStarted || got[1].Event != webhook.EventEgressUpdated {
		t.Errorf("came as %v", names(got))
	}
}

func TestWebhooksMayChangePlaces(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.WebhookLate = patience })
	f.room("daily", always(fakelivekit.WebhookOutOfOrder))
	id := f.record("daily")
	f.waitUntil("active", func() bool { return f.listed(id).Status == livekit.EgressStatus_EGRESS_ACTIVE })
	f.deleteRoom("daily")
	got := f.await(4, func(r received) bool { return r.EgressInfo.GetEgressId() == id })
	want := []string{
		"egress_updated EGRESS_ACTIVE", "egress_started EGRESS_STARTING", "egress_ended EGRESS_COMPLETE", "egress_updated EGRESS_ENDING",
	}
	for i := range want {
		if names(got)[i] != want[i] {
			t.Fatalf("came as %v", names(got))
		}
	}
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
	if got := f.Deliveries()[webhook.EventEgressStarted]; got.Failed != 1 || got.Sent != 0 {
		t.Errorf("egress_started: %+v", got)
	}
	if got, _ := f.endpoint.all(func(r received) bool { return r.EgressInfo != nil }); len(got) != 0 {
		t.Errorf("came: %v", names(got))
	}
}
