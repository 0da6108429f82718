package fakelivekit_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

func (f *fake) create(req *livekit.CreateRoomRequest) *livekit.Room {
	f.Helper()
	room, err := f.rooms.CreateRoom(f.Context(), req)
	require.NoError(f, err)
	return room
}

func (f *fake) endCall(room string) {
	f.Helper()
	require.NoError(f, f.EndCall(room))
}

func TestOnlyALiveRoomsCallEnds(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	require.ErrorContains(t, f.EndCall("nowhere"), `room "nowhere"`)
}

func TestARoomsMetadataIsItsScript(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	room := f.create(&livekit.CreateRoomRequest{
		Name: "daily", EmptyTimeout: 7, DepartureTimeout: 8, MaxParticipants: 9,
		Metadata: `{"topic":"ours","fake":{"call":"10s","people":["bob","carol"],"audio_only":true,"faults":["reply-5xx"]}}`,
	})
	require.Equal(t, []uint32{7, 8, 9}, []uint32{room.EmptyTimeout, room.DepartureTimeout, room.MaxParticipants})
	require.Contains(t, room.Metadata, "ours")
	resp, err := f.rooms.ListParticipants(t.Context(), &livekit.ListParticipantsRequest{Room: "daily"})
	require.NoError(t, err)
	var people []string
	for _, p := range resp.Participants {
		people = append(people, p.Identity)
		require.Len(t, p.Tracks, 1)
		require.Equal(t, livekit.TrackType_AUDIO, p.Tracks[0].Type)
	}
	require.ElementsMatch(t, []string{"bob", "carol"}, people)
	require.Error(t, errorOf(f.egress.StartRoomCompositeEgress(t.Context(), composite("daily"))), "the forced fault did not strike")
	f.await(1, named(webhook.EventRoomFinished, ""))
}

func TestMetadataThatIsNotOursMeansAPlainRoom(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for _, metadata := range []string{"", "free text", `{"topic":"theirs"}`, `[1]`, `{"fake":null}`} {
		name := "room " + metadata
		f.create(&livekit.CreateRoomRequest{Name: name, Metadata: metadata})
		require.NoError(t, errorOf(f.rooms.GetParticipant(t.Context(), &livekit.RoomParticipantIdentity{Room: name, Identity: "alice"})), metadata)
	}
}

func TestAWrongScriptIsRefusedByName(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for metadata, want := range map[string]string{
		`{"fake":{"call":"long"}}`:         `metadata fake.call: time: invalid duration "long"`,
		`{"fake":{"call":"-1s"}}`:          `metadata fake: call -1s is negative`,
		`{"fake":{"faults":["nonsense"]}}`: `metadata fake: unknown fault "nonsense"`,
	} {
		_, err := f.rooms.CreateRoom(t.Context(), &livekit.CreateRoomRequest{Name: "x", Metadata: metadata})
		require.Equal(t, twirp.InvalidArgument, codeOf(err), metadata)
		require.ErrorContains(t, err, want)
	}
	require.Equal(t, twirp.InvalidArgument, codeOf(errorOf(f.rooms.CreateRoom(t.Context(), &livekit.CreateRoomRequest{}))))
}

func TestAddRoomSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	for want, err := range map[string]error{
		"no room name":             f.AddRoom("", fakelivekit.RoomScript{}),
		"exists already":           f.AddRoom("daily", fakelivekit.RoomScript{}),
		"is negative":              f.AddRoom("x", fakelivekit.RoomScript{Call: -1}),
		`unknown fault "nonsense"`: f.AddRoom("x", always("nonsense")),
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestCreatingARoomTwiceGivesTheSameRoom(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	first := f.create(&livekit.CreateRoomRequest{Name: "daily"})
	second := f.create(&livekit.CreateRoomRequest{Name: "daily"})
	require.Equal(t, first.Sid, second.Sid)
	require.EqualValues(t, 1, second.NumParticipants)
	require.EqualValues(t, 1, second.NumPublishers)
}

func TestRoomsAreListedByName(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("one", fakelivekit.RoomScript{})
	f.room("two", fakelivekit.RoomScript{Empty: true})
	for want, names := range map[int][]string{2: nil, 1: {"two", "three"}} {
		resp, err := f.rooms.ListRooms(t.Context(), &livekit.ListRoomsRequest{Names: names})
		require.NoError(t, err)
		require.Len(t, resp.Rooms, want, names)
	}
}

func TestADeletedRoomIsGone(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.deleteRoom("daily")
	require.Equal(t, twirp.NotFound, codeOf(errorOf(f.rooms.DeleteRoom(t.Context(), &livekit.DeleteRoomRequest{Room: "daily"}))))
	resp, err := f.rooms.ListParticipants(t.Context(), &livekit.ListParticipantsRequest{Room: "daily"})
	require.NoError(t, err)
	require.Empty(t, resp.Participants)
}

func TestARoomThatNobodyJoinsCloses(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.EmptyTimeout = 6 * time.Second })
	var room string
	var info *livekit.EgressInfo
	for tries, err := 0, error(nil); info == nil; tries++ { // on a machine that stalls, a room may close before its start
		require.Less(t, tries, 3, "%v", err)
		room = fmt.Sprintf("daily-%d", tries)
		f.room(room, fakelivekit.RoomScript{Empty: true})
		info, err = f.egress.StartRoomCompositeEgress(t.Context(), composite(room))
	}
	f.await(1, func(r received) bool { return r.Event == webhook.EventRoomFinished && r.Room.Name == room })
	require.Equal(t, livekit.EgressStatus_EGRESS_ABORTED, f.ended(info.EgressId).EgressInfo.Status)
}

func TestACompositeRecordsUntilTheRoomClosesAndATrackUntilItsEnd(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.DepartureTimeout = 8 * time.Second })
	f.room("daily", fakelivekit.RoomScript{})
	info, err := f.egress.StartRoomCompositeEgress(t.Context(), composite("daily"))
	require.NoError(t, err)
	person := f.record("daily")
	f.active(person)
	f.active(info.EgressId)
	f.endCall("daily")
	track, whole := f.ended(person).EgressInfo, f.ended(info.EgressId).EgressInfo
	require.InDelta(t, 8, time.Duration(whole.EndedAt-track.EndedAt).Seconds(), 1, "the room lasts so much longer than the track")
	require.Equal(t, livekit.EgressStatus_EGRESS_COMPLETE, whole.Status)
	f.await(1, named(webhook.EventRoomFinished, ""))
	for identity, want := range map[string]livekit.DisconnectReason{
		"alice": livekit.DisconnectReason_CLIENT_INITIATED, info.EgressId: livekit.DisconnectReason_ROOM_CLOSED,
	} {
		left := f.await(1, func(r received) bool {
			return r.Event == webhook.EventParticipantLeft && r.Participant.Identity == identity
		})
		require.Equal(t, want, left[0].Participant.DisconnectReason, identity)
	}
}

func TestAnyRoomExistsWhereItIsWanted(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.AnyRoom = true })
	info, err := f.egress.StartTrackCompositeEgress(t.Context(), &livekit.TrackCompositeEgressRequest{
		RoomName: "whatever", AudioTrackId: "TR_AMwhatever", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "rec/"}},
	})
	require.NoError(t, err)
	f.active(info.EgressId)
	require.Equal(t, twirp.NotFound, codeOf(errorOf(f.egress.StartParticipantEgress(t.Context(), person("")))))
}

func TestWhatEgressDoesNotNeedIsUnimplemented(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	_, mute := f.rooms.MutePublishedTrack(t.Context(), &livekit.MuteRoomTrackRequest{Room: "x"})
	_, remove := f.rooms.RemoveParticipant(t.Context(), &livekit.RoomParticipantIdentity{Room: "x"})
	_, update := f.rooms.UpdateParticipant(t.Context(), &livekit.UpdateParticipantRequest{Room: "x"})
	_, subscribe := f.rooms.UpdateSubscriptions(t.Context(), &livekit.UpdateSubscriptionsRequest{Room: "x"})
	_, metadata := f.rooms.UpdateRoomMetadata(t.Context(), &livekit.UpdateRoomMetadataRequest{Room: "x"})
	for method, err := range map[string]error{
		"MutePublishedTrack": mute, "RemoveParticipant": remove, "UpdateParticipant": update,
		"UpdateSubscriptions": subscribe, "UpdateRoomMetadata": metadata,
	} {
		require.Equal(t, twirp.Unimplemented, codeOf(err), method)
		require.ErrorContains(t, err, method)
	}
}

func TestAutomaticEgressBeginsWithTheRoom(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.create(&livekit.CreateRoomRequest{Name: "daily", Egress: &livekit.RoomEgress{
		Room:        &livekit.RoomCompositeEgressRequest{FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "room.mp4"}}},
		Participant: &livekit.AutoParticipantEgress{FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "{publisher_identity}.mp4"}}},
		Tracks:      &livekit.AutoTrackEgress{Filepath: "{publisher_identity}-{track_id}"},
	}})
	active := f.await(4, func(r received) bool { return r.EgressInfo.GetStatus() == livekit.EgressStatus_EGRESS_ACTIVE })
	var files []string
	for _, r := range active {
		name := ids.ReplaceAllString(r.EgressInfo.FileResults[0].Filename, "TR")
		files = append(files, name)
	}
	slices.Sort(files)
	require.Equal(t, []string{"alice-TR.ogg", "alice-TR.webm", "alice.mp4", "room.mp4"}, files)
}

func TestAFailedAutomaticStartIsAnnouncedWithoutAnID(t *testing.T) {
	t.Parallel()
	f := start(t, withoutWorkers)
	f.create(&livekit.CreateRoomRequest{
		Name: "daily", Metadata: `{"fake":{"faults":["start-refused"]}}`,
		Egress: &livekit.RoomEgress{
			Room: &livekit.RoomCompositeEgressRequest{FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "room.mp4"}}},
			Participant: &livekit.AutoParticipantEgress{FileOutputs: []*livekit.EncodedFileOutput{{
				Filepath: "a.mp4", Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Secret: "in the clear"}},
			}}},
		},
	})
	got := f.await(1, func(r received) bool { return r.Event == webhook.EventEgressEnded })[0].EgressInfo
	require.Empty(t, got.EgressId)
	require.Equal(t, livekit.EgressStatus_EGRESS_FAILED, got.Status)
	require.Equal(t, "no response from servers", got.Error)
	require.Zero(t, got.StartedAt)
	require.Equal(t, "in the clear", got.GetParticipant().FileOutputs[0].GetS3().Secret, "LiveKit does not redact these")
}
