package e2e

import (
	"net/http"
	"testing"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
)

// goAgent makes the same calls as node/agent.mjs, under the same names.
func goAgent(dial connect) agent {
	return func(t *testing.T, url string) report {
		t.Helper()
		a := &asking{t: t, clients: dial(t, url, apiKey, apiSecret, everything())}
		alice := a.makeRooms()
		kinds := a.startEveryKind(alice)
		a.whileTheyRecord(kinds)
		a.endThem(kinds)
		a.refused(url, dial)
		a.atTheDoor()
		return a.report
	}
}

const (
	call, empty, second, unknown = "agent-call", "agent-empty", "agent-second", "agent-unknown"
)

// everything returns the grants of a caller that has the secret.
func everything() *auth.VideoGrant {
	return &auth.VideoGrant{RoomRecord: true, RoomCreate: true, RoomList: true, RoomAdmin: true, Room: call}
}

// started are the agent's egresses, with the name of each, in order.
type started []struct {
	name string
	info *livekit.EgressInfo
}

func (s started) find(name string) *livekit.EgressInfo {
	for _, e := range s {
		if e.name == name {
			return e.info
		}
	}
	return nil
}

// makeRooms returns the one participant.
func (a *asking) makeRooms() *livekit.ParticipantInfo {
	a.t.Helper()
	ask(a, "create a room", a.rooms.CreateRoom, &livekit.CreateRoomRequest{Name: call, Metadata: "of the agent", EmptyTimeout: 600})
	ask(a, "create it again", a.rooms.CreateRoom, &livekit.CreateRoomRequest{Name: call})
	ask(a, "create an empty room", a.rooms.CreateRoom, &livekit.CreateRoomRequest{Name: empty, Metadata: `{"fake":{"empty":true}}`})
	ask(a, "create a room without a name", a.rooms.CreateRoom, &livekit.CreateRoomRequest{})
	ask(a, "list rooms", a.rooms.ListRooms, &livekit.ListRoomsRequest{Names: []string{call, empty}})
	ask(a, "list no rooms", a.rooms.ListRooms, &livekit.ListRoomsRequest{Names: []string{unknown}})
	people := ask(a, "list participants", a.rooms.ListParticipants, &livekit.ListParticipantsRequest{Room: call})
	ask(a, "get a participant", a.rooms.GetParticipant, &livekit.RoomParticipantIdentity{Room: call, Identity: "alice"})
	ask(a, "get an unknown participant", a.rooms.GetParticipant, &livekit.RoomParticipantIdentity{Room: call, Identity: "nobody"})
	ask(a, "update room metadata", a.rooms.UpdateRoomMetadata, &livekit.UpdateRoomMetadataRequest{Room: call, Metadata: "new"})
	require.Len(a.t, people.GetParticipants(), 1)
	require.Len(a.t, people.Participants[0].Tracks, 2)
	return people.Participants[0]
}

func files(path string, s3 *livekit.S3Upload) []*livekit.EncodedFileOutput {
	f := &livekit.EncodedFileOutput{Filepath: path}
	if s3 != nil {
		f.Output = &livekit.EncodedFileOutput_S3{S3: s3}
	}
	return []*livekit.EncodedFileOutput{f}
}

func (a *asking) startEveryKind(alice *livekit.ParticipantInfo) started {
	a.t.Helper()
	s3 := &livekit.S3Upload{AccessKey: "AKIAEXAMPLE", Secret: "example-secret", Bucket: "recordings", Region: "eu-west-1", Metadata: map[string]string{"team": "a"}}
	audio, video := alice.Tracks[0].Sid, alice.Tracks[1].Sid
	e := a.egress
	return started{
		{"composite", ask(a, "start a room composite", e.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{
			RoomName: call, Layout: "speaker", FileOutputs: files("{room_name}-{time}.mp4", nil),
			Options: &livekit.RoomCompositeEgressRequest_Preset{Preset: livekit.EncodingOptionsPreset_H264_1080P_30},
		})},
		{"old", ask(a, "start a room composite with its deprecated output", e.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{
			RoomName: call, Layout: "grid", AudioOnly: true,
			Output: &livekit.RoomCompositeEgressRequest_File{File: files("agent-old.mp4", s3)[0]},
		})},
		{"every", ask(a, "start a room composite with every output", e.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{
			RoomName: call, FileOutputs: files("agent-every.mp4", s3),
			SegmentOutputs: []*livekit.SegmentedFileOutput{{
				FilenamePrefix: "agent-seg", PlaylistName: "list.m3u8", LivePlaylistName: "live.m3u8", SegmentDuration: 4,
				Output: &livekit.SegmentedFileOutput_S3{S3: s3},
			}},
			ImageOutputs:  []*livekit.ImageOutput{{CaptureInterval: 5, FilenamePrefix: "agent-image", Output: &livekit.ImageOutput_S3{S3: s3}}},
			StreamOutputs: []*livekit.StreamOutput{{Protocol: livekit.StreamProtocol_RTMP, Urls: []string{"rtmp://stream.example.com/live/stream-key-1"}}},
			Webhooks:      []*livekit.WebhookConfig{{Url: "https://consumer.example.com/hook", SigningKey: apiKey}},
		})},
		{"web", ask(a, "start web", e.StartWebEgress, &livekit.WebEgressRequest{
			Url: "https://example.com/page", AwaitStartSignal: true, FileOutputs: files("agent-web.mp4", nil),
		})},
		{"person", ask(a, "start a participant", e.StartParticipantEgress, &livekit.ParticipantEgressRequest{
			RoomName: call, Identity: "alice", ScreenShare: true, FileOutputs: files("{publisher_identity}.mp4", nil),
		})},
		{"both", ask(a, "start a track composite", e.StartTrackCompositeEgress, &livekit.TrackCompositeEgressRequest{
			RoomName: call, AudioTrackId: audio, VideoTrackId: video, FileOutputs: files("agent-tracks.mp4", nil),
			Options: &livekit.TrackCompositeEgressRequest_Advanced{Advanced: &livekit.EncodingOptions{Width: 640, Height: 360}},
		})},
		{"one", ask(a, "start a track", e.StartTrackEgress, &livekit.TrackEgressRequest{
			RoomName: call, TrackId: video,
			Output: &livekit.TrackEgressRequest_File{File: &livekit.DirectFileOutput{Filepath: "{track_id}", Output: &livekit.DirectFileOutput_S3{S3: s3}}},
		})},
		{"socket", ask(a, "start a track to a websocket", e.StartTrackEgress, &livekit.TrackEgressRequest{
			RoomName: call, TrackId: audio, Output: &livekit.TrackEgressRequest_WebsocketUrl{WebsocketUrl: "wss://example.com/socket"},
		})},
		{"unified", ask(a, "start by the unified call", e.StartEgress, &livekit.StartEgressRequest{
			RoomName: call, Source: &livekit.StartEgressRequest_Template{Template: &livekit.TemplateSource{Layout: "grid"}},
			Outputs: []*livekit.Output{{
				Config:  &livekit.Output_File{File: &livekit.FileOutput{Filepath: "agent-unified.mp4"}},
				Storage: &livekit.StorageConfig{Provider: &livekit.StorageConfig_S3{S3: s3}},
			}},
		})},
		{"media", ask(a, "start media by the unified call", e.StartEgress, &livekit.StartEgressRequest{
			RoomName: call, Source: &livekit.StartEgressRequest_Media{Media: &livekit.MediaSource{Video: &livekit.MediaSource_VideoTrackId{VideoTrackId: video}}},
			Outputs: []*livekit.Output{{Config: &livekit.Output_File{File: &livekit.FileOutput{Filepath: "agent-media.mp4"}}}},
		})},
	}
}

func (a *asking) whileTheyRecord(all started) {
	a.t.Helper()
	for _, e := range all {
		a.until("it is active: "+e.name, e.info, isActive)
	}
	list := func(name string, r *livekit.ListEgressRequest) { ask(a, name, a.egress.ListEgress, r) }
	list("list all of the room", &livekit.ListEgressRequest{RoomName: call})
	list("list the active ones of the room", &livekit.ListEgressRequest{RoomName: call, Active: true})
	list("list all that are active", &livekit.ListEgressRequest{Active: true})
	list("list those of an unknown room", &livekit.ListEgressRequest{RoomName: unknown})
	list("list an unknown ID", &livekit.ListEgressRequest{EgressId: "EG_unknown"})

	composite, every := all.find("composite").GetEgressId(), all.find("every").GetEgressId()
	ask(a, "update the layout", a.egress.UpdateLayout, &livekit.UpdateLayoutRequest{EgressId: composite, Layout: "grid"})
	ask(a, "update the layout of an unknown egress", a.egress.UpdateLayout, &livekit.UpdateLayoutRequest{EgressId: "EG_unknown"})
	ask(a, "add a stream", a.egress.UpdateStream, &livekit.UpdateStreamRequest{EgressId: every, AddOutputUrls: []string{"rtmp://stream.example.com/live/stream-key-2"}})
	ask(a, "remove a stream", a.egress.UpdateStream, &livekit.UpdateStreamRequest{EgressId: every, RemoveOutputUrls: []string{"rtmp://stream.example.com/live/stream-key-1"}})
	ask(a, "update the streams of an unknown egress", a.egress.UpdateStream, &livekit.UpdateStreamRequest{EgressId: "EG_unknown"})
}

func (a *asking) endThem(all started) {
	a.t.Helper()
	stop := func(name, id string) { ask(a, name, a.egress.StopEgress, &livekit.StopEgressRequest{EgressId: id}) }
	stopped := []string{"composite", "every", "web", "person", "unified"}
	for _, name := range stopped {
		stop("stop: "+name, all.find(name).GetEgressId())
	}
	for _, name := range stopped {
		a.until("it has ended: "+name, all.find(name), isOver)
	}
	stop("stop what has ended", all.find("composite").GetEgressId())
	stop("stop an unknown egress", "EG_unknown")
	ask(a, "update the streams of what has ended", a.egress.UpdateStream, &livekit.UpdateStreamRequest{EgressId: all.find("every").GetEgressId()})

	early := ask(a, "start in an empty room", a.egress.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{RoomName: empty, FileOutputs: files("never.mp4", nil)})
	stop("stop before anybody came", early.GetEgressId())
	a.until("it was aborted", early, isOver)

	ask(a, "delete the room", a.rooms.DeleteRoom, &livekit.DeleteRoomRequest{Room: call})
	for _, name := range []string{"old", "both", "one", "socket", "media"} {
		a.until("it has ended with its room: "+name, all.find(name), isOver)
	}
	ask(a, "list all of the room that was", a.egress.ListEgress, &livekit.ListEgressRequest{RoomName: call})
	ask(a, "delete the room again", a.rooms.DeleteRoom, &livekit.DeleteRoomRequest{Room: call})
	ask(a, "delete an empty room", a.rooms.DeleteRoom, &livekit.DeleteRoomRequest{Room: empty})
}

func (a *asking) refused(url string, dial connect) {
	a.t.Helper()
	e := a.egress
	ask(a, "start in an unknown room", e.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{RoomName: unknown, FileOutputs: files("x.mp4", nil)})
	ask(a, "start a participant in an unknown room", e.StartParticipantEgress, &livekit.ParticipantEgressRequest{RoomName: unknown, Identity: "alice", FileOutputs: files("x.mp4", nil)})
	ask(a, "start a track in an unknown room", e.StartTrackEgress, &livekit.TrackEgressRequest{RoomName: unknown, TrackId: "TR_x"})
	ask(a, "start without a room", e.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{FileOutputs: files("x.mp4", nil)})
	ask(a, "create a second room", a.rooms.CreateRoom, &livekit.CreateRoomRequest{Name: second})
	ask(a, "start a room composite without outputs", e.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{RoomName: second})
	ask(a, "start web without outputs", e.StartWebEgress, &livekit.WebEgressRequest{Url: "https://example.com"})
	ask(a, "start by the unified call without outputs", e.StartEgress, &livekit.StartEgressRequest{RoomName: second})
	ask(a, "start nothing", e.StartEgress, &livekit.StartEgressRequest{})

	web := &livekit.WebEgressRequest{Url: "https://example.com", FileOutputs: files("x.mp4", nil)}
	for _, caller := range []struct {
		name, key, secret string
		grants            *auth.VideoGrant
	}{
		{"a wrong secret", apiKey, "another-secret-another-secret-32", everything()},
		{"an unknown key", "APIunknown", apiSecret, everything()},
		{"a token to join only", apiKey, apiSecret, &auth.VideoGrant{RoomJoin: true, Room: call}},
		{"a token without a grant", apiKey, apiSecret, &auth.VideoGrant{}},
	} {
		// The SDK signs every token with all grants, so it cannot act as a caller without one: see the
		// JSON clients.
		other := dial(a.t, url, caller.key, caller.secret, caller.grants)
		if _, sdk := other.egress.(sdkEgress); sdk && caller.secret == apiSecret && caller.key == apiKey {
			continue
		}
		ask(a, "start with "+caller.name, other.egress.StartWebEgress, web)
		ask(a, "list with "+caller.name, other.egress.ListEgress, &livekit.ListEgressRequest{})
		ask(a, "stop with "+caller.name, other.egress.StopEgress, &livekit.StopEgressRequest{EgressId: "EG_unknown"})
		ask(a, "list rooms with "+caller.name, other.rooms.ListRooms, &livekit.ListRoomsRequest{})
		ask(a, "delete a room with "+caller.name, other.rooms.DeleteRoom, &livekit.DeleteRoomRequest{Room: second})
	}
}

// atTheDoor makes the calls that the door answers differently: a start that is requested twice, and
// one whose webhook LiveKit would never send.
func (a *asking) atTheDoor() {
	a.t.Helper()
	ctx, err := twirp.WithHTTPRequestHeaders(a.t.Context(), http.Header{"Idempotency-Key": {"agent-key"}})
	require.NoError(a.t, err)
	request := &livekit.RoomCompositeEgressRequest{RoomName: second, FileOutputs: files("keyed.mp4", nil)}
	askWith(ctx, a, "start with a key", a.egress.StartRoomCompositeEgress, request)
	askWith(ctx, a, "start again with the key", a.egress.StartRoomCompositeEgress, request)
	ask(a, "start with a webhook that nobody can sign", a.egress.StartRoomCompositeEgress, &livekit.RoomCompositeEgressRequest{
		RoomName: second, FileOutputs: files("x.mp4", nil), Webhooks: []*livekit.WebhookConfig{{Url: "https://consumer.example.com", SigningKey: "nobody"}},
	})
}
