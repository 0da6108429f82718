package fakelivekit_test

import (
	"slices"
	"strings"
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
	if err != nil {
		f.Fatal(err)
	}
	return room
}

func (f *fake) endCall(room string) {
	f.Helper()
	if err := f.EndCall(room); err != nil {
		f.Fatal(err)
	}
}

func TestOnlyALiveRoomsCallEnds(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	if err := f.EndCall("nowhere"); err == nil || !strings.Contains(err.Error(), `room "nowhere"`) {
		t.Errorf("got %v", err)
	}
}

func TestARoomsMetadataIsItsScript(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	room := f.create(&livekit.CreateRoomRequest{
		Name: "daily", EmptyTimeout: 7, DepartureTimeout: 8, MaxParticipants: 9,
		Metadata: `{"topic":"ours","fake":{"call":"10s","people":["bob","carol"],"audio_only":true,"faults":["reply-5xx"]}}`,
	})
	if room.EmptyTimeout != 7 || room.DepartureTimeout != 8 || room.MaxParticipants != 9 || !strings.Contains(room.Metadata, "ours") {
		t.Errorf("created %v", room)
	}
	resp, err := f.rooms.ListParticipants(t.Context(), &livekit.ListParticipantsRequest{Room: "daily"})
	require.NoError(t, err)
	var people []string
	for _, p := range resp.Participants {
		people = append(people, p.Identity)
		if len(p.Tracks) != 1 || p.Tracks[0].Type != livekit.TrackType_AUDIO {
			t.Errorf("%s publishes %v", p.Identity, p.Tracks)
		}
	}
	slices.Sort(people)
	if !slices.Equal(people, []string{"bob", "carol"}) {
		t.Errorf("people %v", people)
	}
	if _, err := f.egress.StartRoomCompositeEgress(t.Context(), composite("daily")); err == nil {
		t.Error("the forced fault did not strike")
	}
	f.await(1, named(webhook.EventRoomFinished, ""))
}

func TestMetadataThatIsNotOursMeansAPlainRoom(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for _, metadata := range []string{"", "free text", `{"topic":"theirs"}`, `[1]`, `{"fake":null}`} {
		name := "room " + metadata
		f.create(&livekit.CreateRoomRequest{Name: name, Metadata: metadata})
		if _, err := f.rooms.GetParticipant(t.Context(), &livekit.RoomParticipantIdentity{Room: name, Identity: "alice"}); err != nil {
			t.Errorf("%q: %v", metadata, err)
		}
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
		if codeOf(err) != twirp.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", metadata, err)
		}
	}
	if _, err := f.rooms.CreateRoom(t.Context(), &livekit.CreateRoomRequest{}); codeOf(err) != twirp.InvalidArgument {
		t.Errorf("no name: %v", err)
	}
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
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestCreatingARoomTwiceGivesTheSameRoom(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	first := f.create(&livekit.CreateRoomRequest{Name: "daily"})
	second := f.create(&livekit.CreateRoomRequest{Name: "daily"})
	if first.Sid != second.Sid || second.NumParticipants != 1 || second.NumPublishers != 1 {
		t.Errorf("got %v, then %v", first, second)
	}
}

func TestRoomsAreListedByName(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("one", fakelivekit.RoomScript{})
	f.room("two", fakelivekit.RoomScript{Empty: true})
	for want, names := range map[int][]string{2: nil, 1: {"two", "three"}} {
		resp, err := f.rooms.ListRooms(t.Context(), &livekit.ListRoomsRequest{Names: names})
		if err != nil || len(resp.Rooms) != want {
			t.Errorf("%v: %v, %v", names, resp, err)
		}
	}
}

func TestADeletedRoomIsGone(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.deleteRoom("daily")
	if _, err := f.rooms.DeleteRoom(t.Context(), &livekit.DeleteRoomRequest{Room: "daily"}); codeOf(err) != twirp.NotFound {
		t.Errorf("again: %v", err)
	}
	resp, err := f.rooms.ListParticipants(t.Context(), &livekit.ListParticipantsRequest{Room: "daily"})
	if err != nil || len(resp.Participants) != 0 {
		t.Errorf("participants: %v, %v", resp, err)
	}
}

func TestARoomThatNobodyJoinsCloses(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings.EmptyTimeout = 6 * time.Second })
	f.room("daily", fakelivekit.RoomScript{Empty: true})
	info, err := f.egress.StartRoomCompositeEgress(t.Context(), composite("daily"))
	require.NoError(t, err)
	f.await(1, named(webhook.EventRoomFinished, ""))
	if got := f.ended(info.EgressId).EgressInfo; got.Status != livekit.EgressStatus_EGRESS_ABORTED {
		t.Errorf("ended %v", got)
	}
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
	f.ended(person)
	if got, _ := f.endpoint.all(named(webhook.EventEgressEnded, info.EgressId)); len(got) != 0 {
		t.Error("the composite ended with the people")
	}
	if got := f.ended(info.EgressId).EgressInfo; got.Status != livekit.EgressStatus_EGRESS_COMPLETE {
		t.Errorf("ended %v", got)
	}
	f.await(1, named(webhook.EventRoomFinished, ""))
	for identity, want := range map[string]livekit.DisconnectReason{
		"alice": livekit.DisconnectReason_CLIENT_INITIATED, info.EgressId: livekit.DisconnectReason_ROOM_CLOSED,
	} {
		left := f.await(1, func(r received) bool {
			return r.Event == webhook.EventParticipantLeft && r.Participant.Identity == identity
		})
		if got := left[0].Participant.DisconnectReason; got != want {
			t.Errorf("%s left: %v", identity, got)
		}
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
	if _, err := f.egress.StartParticipantEgress(t.Context(), person("")); codeOf(err) != twirp.NotFound {
		t.Errorf("no name: %v", err)
	}
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
		if codeOf(err) != twirp.Unimplemented || !strings.Contains(err.Error(), method) {
			t.Errorf("%s: %v", method, err)
		}
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
	if want := []string{"alice-TR.ogg", "alice-TR.webm", "alice.mp4", "room.mp4"}; !slices.Equal(files, want) {
		t.Errorf("records %v", files)
	}
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
	if got.EgressId != "" || got.Status != livekit.EgressStatus_EGRESS_FAILED || got.Error != "no response from servers" || got.StartedAt != 0 {
		t.Errorf("got %v", got)
	}
	if s3 := got.GetParticipant().FileOutputs[0].GetS3(); s3.Secret != "in the clear" {
		t.Errorf("LiveKit does not redact these: %v", s3)
	}
}
