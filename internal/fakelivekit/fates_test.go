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
			require.Equal(t, c.status, got.Status)
			require.Equal(t, c.code, got.ErrorCode)
			require.Equal(t, c.message, got.Error)
			require.Equal(t, c.media, got.FileResults[0].Location != "")
			f.waitUntil("LiveKit knows it is delivered", func() bool { return f.Egresses()[0].Told == 1 })
			truth := f.Egresses()[0]
			require.Equal(t, c.recorded, truth.Recorded)
			require.NotZero(t, truth.Ended)
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
			require.Equal(t, status, f.ended(id).EgressInfo.Status)
		})
	}
}

func TestAZombieIsActiveForEverAndDoesNotAnswer(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.Zombie)
	id := f.record("daily")
	f.active(id)
	left := f.await(1, isRecorder("participant_left"))[0]
	require.Equal(t, id, left.Participant.Identity)
	require.Equal(t, livekit.DisconnectReason_CONNECTION_TIMEOUT, left.Participant.DisconnectReason)
	require.Equal(t, twirp.NotFound, codeOf(errorOf(f.rooms.GetParticipant(t.Context(), &livekit.RoomParticipantIdentity{Room: "daily", Identity: id}))))
	require.Equal(t, twirp.DeadlineExceeded, codeOf(errorOf(f.stop(id))))
	require.Equal(t, twirp.Unavailable, codeOf(f.ask(id)))
	f.deleteRoom("daily")
	f.await(1, named(webhook.EventRoomFinished, ""))
	require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, f.listed(id).Status)
	truth := f.Egresses()[0]
	require.True(t, truth.Recorded)
	require.Zero(t, truth.Ended)
}

func TestARoomThatIsGoneDoesNotAnswerWhereItIsAsked(t *testing.T) {
	t.Parallel()
	for asks, gone := range map[bool]twirp.ErrorCode{false: twirp.NotFound, true: twirp.Unavailable} {
		f := start(t, func(cfg *fakelivekit.Config) { cfg.AsksRoom = asks })
		f.room("daily", fakelivekit.RoomScript{})
		look := func(identity string) error {
			return errorOf(f.rooms.GetParticipant(t.Context(), &livekit.RoomParticipantIdentity{Room: "daily", Identity: identity}))
		}
		require.NoError(t, look("alice"))
		require.Equal(t, twirp.NotFound, codeOf(look("bob")))
		f.deleteRoom("daily")
		require.Equal(t, gone, codeOf(look("bob")))
	}
}

// ask sends the worker an update that changes nothing.
func (f *fake) ask(id string) error {
	f.Helper()
	return errorOf(f.egress.UpdateStream(f.Context(), &livekit.UpdateStreamRequest{EgressId: id}))
}

func TestARecorderMayBeAtWorkThoughItsRoomDoesNotShowIt(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.RecorderUnlisted)
	id := f.record("daily")
	f.active(id)
	f.waitUntil("unlisted", func() bool {
		_, err := f.rooms.GetParticipant(t.Context(), &livekit.RoomParticipantIdentity{Room: "daily", Identity: id})
		return codeOf(err) == twirp.NotFound
	})
	require.ErrorContains(t, f.ask(id), "UpdateStream called on non-streaming egress")
	require.Equal(t, twirp.InvalidArgument, codeOf(f.ask(id)))
	require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, f.listed(id).Status)
	f.untold(isRecorder("participant_left"))
	f.endCall("daily")
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, f.ended(id).EgressInfo.Status)
	require.Equal(t, twirp.FailedPrecondition, codeOf(f.ask(id)))
}

func TestAZombieThatIsStoppedEarlyDiesThen(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.MidRecording = time.Hour })
	f.room("daily", always(fakelivekit.Zombie))
	id := f.record("daily")
	f.active(id)
	require.Equal(t, twirp.DeadlineExceeded, codeOf(errorOf(f.stop(id))))
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
	require.Equal(t, livekit.EgressStatus_EGRESS_FAILED, first.Status)
	require.Zero(t, first.RetryCount)
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, second.Status)
	require.EqualValues(t, 1, second.RetryCount)
	require.Empty(t, second.Error)
	require.Zero(t, second.ErrorCode)
	require.Greater(t, second.StartedAt, first.EndedAt)
	require.NotEmpty(t, second.FileResults[0].Location)
	require.Equal(t, id, f.await(2, isRecorder("participant_joined"))[1].Participant.Identity)
	require.Equal(t, 2, f.Egresses()[0].Runs)
}

func TestASecondRunNeedsALiveRoom(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.RerunGap = time.Hour })
	f.room("daily", always(fakelivekit.Rerun))
	id := f.record("daily")
	f.ended(id)
	f.deleteRoom("daily")
	f.await(1, named(webhook.EventRoomFinished, ""))
	require.Equal(t, livekit.EgressStatus_EGRESS_FAILED, f.listed(id).Status)
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
	require.NoError(t, err)
	require.Empty(t, resp.Items)
	require.Equal(t, twirp.NotFound, codeOf(errorOf(f.stop(id))))
	f.deleteRoom("daily")
	f.waitUntil("its end, unseen", func() bool { return !f.Egresses()[0].Ended.IsZero() })
	f.untold(named(webhook.EventEgressEnded, id))
}

func TestAnOldServerEchoesNoWebhooks(t *testing.T) {
	t.Parallel()
	f := faulty(t, fakelivekit.NoEcho)
	req := person("daily")
	req.Webhooks = []*livekit.WebhookConfig{{Url: f.endpoint.URL + "/mine", SigningKey: apiKey}}
	info, err := f.egress.StartParticipantEgress(t.Context(), req)
	require.NoError(t, err)
	require.Empty(t, info.GetParticipant().Webhooks)
	f.active(info.EgressId)
	f.untold(func(r received) bool { return r.path == "/mine" })
	require.Len(t, f.Egresses()[0].Request.(*livekit.ParticipantEgressRequest).Webhooks, 1, "as received")
}

// As in tc-kill-handler: the service reports the names of the start, before the publisher was known.
func TestAKilledRecordersEndHasTheNamesOfItsStart(t *testing.T) {
	t.Parallel()
	stored := make(chan string, 100)
	f := start(t, func(cfg *fakelivekit.Config) {
		cfg.Store = func(name string, _ []byte) error {
			stored <- name
			return nil
		}
	})
	f.room("daily", always(fakelivekit.Failed))
	request := &livekit.ParticipantEgressRequest{
		RoomName: "daily", Identity: "alice",
		SegmentOutputs: []*livekit.SegmentedFileOutput{{PlaylistName: "{publisher_identity}.m3u8", LivePlaylistName: "live.m3u8"}},
		ImageOutputs:   []*livekit.ImageOutput{{FilenamePrefix: "img"}},
	}
	started, err := f.egress.StartParticipantEgress(f.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "{publisher_identity}.m3u8", started.SegmentResults[0].PlaylistName)

	ended := f.ended(started.EgressId).EgressInfo

	active := f.await(1, func(r received) bool { return r.EgressInfo.GetStatus() == livekit.EgressStatus_EGRESS_ACTIVE })[0].EgressInfo
	require.Equal(t, "alice.m3u8", active.SegmentResults[0].PlaylistName)
	require.Equal(t, "live.m3u8", active.SegmentResults[0].LivePlaylistName)
	require.Equal(t, "img", active.ImageResults[0].FilenamePrefix)
	require.Equal(t, "alice_00000.ts", <-stored)
	require.EqualExportedValues(t, started.SegmentResults[0], ended.SegmentResults[0])
	require.EqualExportedValues(t, started.ImageResults[0], ended.ImageResults[0])
}
