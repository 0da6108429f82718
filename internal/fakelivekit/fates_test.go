package fakelivekit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

func TestEachEndHasItsStatusAndCode(t *testing.T) {
	t.Parallel()
	for fault, c := range map[fakelivekit.Fault]struct {
		status   livekit.EgressStatus
		code     int32
		message  string
		recorded bool
		media    bool
	}{
		fakelivekit.Failed:       {livekit.EgressStatus_EGRESS_FAILED, 500, "signal: killed", true, false},
		fakelivekit.UploadFailed: {livekit.EgressStatus_EGRESS_FAILED, 400, "Local upload failed: open rec/daily.mp4: permission denied", true, false},
		fakelivekit.Aborted:      {livekit.EgressStatus_EGRESS_ABORTED, 412, "Start signal not received", false, false},
		fakelivekit.LimitReached: {livekit.EgressStatus_EGRESS_LIMIT_REACHED, 413, "Session limit reached", true, true},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			f := start(t, nil)
			f.room("daily", always(fault))
			id := f.record("daily")
			if c.recorded {
				f.active(id)
			}
			if fault != fakelivekit.Failed && fault != fakelivekit.LimitReached { // those end by themselves
				f.endCall("daily")
			}
			got := f.ended(id).EgressInfo
			if got.Status != c.status || got.ErrorCode != c.code || got.Error != c.message {
				t.Errorf("got %v", got)
			}
			if media := got.FileResults[0].Location != ""; media != c.media {
				t.Errorf("media: %v", got.FileResults[0])
			}
			f.waitUntil("LiveKit knows it is delivered", func() bool { return f.Egresses()[0].Told == 1 })
			if truth := f.Egresses()[0]; truth.Recorded != c.recorded || truth.Ended.IsZero() {
				t.Errorf("in truth %+v", truth)
			}
		})
	}
}

func TestWhatIsToStrikeInMidRecordingStrikesAtItsEndAtTheLatest(t *testing.T) {
	t.Parallel()
	for fault, status := range map[fakelivekit.Fault]livekit.EgressStatus{
		fakelivekit.Failed:       livekit.EgressStatus_EGRESS_FAILED,
		fakelivekit.LimitReached: livekit.EgressStatus_EGRESS_LIMIT_REACHED,
		fakelivekit.Rerun:        livekit.EgressStatus_EGRESS_COMPLETE,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.MidRecording = time.Hour })
			f.room("daily", always(fault))
			id := f.record("daily")
			f.active(id)
			f.deleteRoom("daily")
			if got := f.ended(id).EgressInfo.Status; got != status {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAZombieIsActiveForEverAndDoesNotAnswer(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.Zombie)
	id := f.record("daily")
	f.active(id)
	left := f.await(1, isRecorder("participant_left"))[0]
	if left.Participant.Identity != id || left.Participant.DisconnectReason != livekit.DisconnectReason_CONNECTION_TIMEOUT {
		t.Errorf("left: %v", left.Participant)
	}
	if _, err := f.rooms.GetParticipant(t.Context(), &livekit.RoomParticipantIdentity{Room: "daily", Identity: id}); codeOf(err) != twirp.NotFound {
		t.Errorf("participant: %v", err)
	}
	if _, err := f.stop(id); codeOf(err) != twirp.DeadlineExceeded {
		t.Errorf("stop: %v", err)
	}
	f.deleteRoom("daily")
	f.await(1, named(webhook.EventRoomFinished, ""))
	if got := f.listed(id); got.Status != livekit.EgressStatus_EGRESS_ACTIVE {
		t.Errorf("listed %v", got)
	}
	if got := f.Egresses()[0]; !got.Recorded || !got.Ended.IsZero() {
		t.Errorf("in truth %+v", got)
	}
}

func TestAZombieThatIsStoppedEarlyDiesThen(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.MidRecording = time.Hour })
	f.room("daily", always(fakelivekit.Zombie))
	id := f.record("daily")
	f.active(id)
	if _, err := f.stop(id); codeOf(err) != twirp.DeadlineExceeded {
		t.Errorf("stop: %v", err)
	}
	f.await(1, isRecorder("participant_left"))
}

func TestOneIDMayRunTwice(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", always(fakelivekit.Rerun))
	id := f.record("daily")
	f.await(1, named(webhook.EventEgressEnded, id))
	f.await(2, isRecorder("participant_joined"))
	f.endCall("daily")
	ends := f.await(2, named(webhook.EventEgressEnded, id))
	first, second := ends[0].EgressInfo, ends[1].EgressInfo
	if first.Status != livekit.EgressStatus_EGRESS_FAILED || first.RetryCount != 0 {
		t.Errorf("first end %v", first)
	}
	if second.Status != livekit.EgressStatus_EGRESS_COMPLETE || second.RetryCount != 1 || second.Error != "" || second.ErrorCode != 0 {
		t.Errorf("second end %v", second)
	}
	if second.StartedAt <= first.EndedAt || second.FileResults[0].Location == "" {
		t.Errorf("second run %v", second)
	}
	if got := f.await(2, isRecorder("participant_joined")); got[1].Participant.Identity != id {
		t.Errorf("came back: %v", got[1].Participant)
	}
	if got := f.Egresses()[0].Runs; got != 2 {
		t.Errorf("%d runs", got)
	}
}

func TestASecondRunNeedsALiveRoom(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.RerunGap = time.Hour })
	f.room("daily", always(fakelivekit.Rerun))
	id := f.record("daily")
	f.ended(id)
	f.deleteRoom("daily")
	f.await(1, named(webhook.EventRoomFinished, ""))
	if got := f.listed(id); got.Status != livekit.EgressStatus_EGRESS_FAILED {
		t.Errorf("listed %v", got)
	}
}

func TestAForgottenEgressIsNotFoundAndSilent(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.Forgotten)
	id := f.record("daily")
	f.active(id)
	f.waitUntil("forgotten", func() bool {
		_, err := f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{EgressId: id})
		return codeOf(err) == twirp.NotFound
	})
	resp, err := f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{RoomName: "daily"})
	if err != nil || len(resp.Items) != 0 {
		t.Errorf("listed %v, %v", resp, err)
	}
	if _, err := f.stop(id); codeOf(err) != twirp.NotFound {
		t.Errorf("stop: %v", err)
	}
	f.deleteRoom("daily")
	f.waitUntil("its end, unseen", func() bool { return !f.Egresses()[0].Ended.IsZero() })
	if got, _ := f.endpoint.all(named(webhook.EventEgressEnded, id)); len(got) != 0 {
		t.Errorf("told: %v", names(got))
	}
}

func TestAnOldServerEchoesNoWebhooks(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.NoEcho)
	req := person("daily")
	req.Webhooks = []*livekit.WebhookConfig{{Url: f.endpoint.URL + "/mine", SigningKey: apiKey}}
	info, err := f.egress.StartParticipantEgress(t.Context(), req)
	require.NoError(t, err)
	if got := info.GetParticipant().Webhooks; len(got) != 0 {
		t.Errorf("echoed %v", got)
	}
	f.active(info.EgressId)
	if got, _ := f.endpoint.all(func(r received) bool { return r.path == "/mine" }); len(got) != 0 {
		t.Errorf("sent: %v", names(got))
	}
	if got := f.Egresses()[0].Request.(*livekit.ParticipantEgressRequest); len(got.Webhooks) != 1 {
		t.Errorf("as received: %v", got)
	}
}
