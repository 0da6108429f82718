package fakelivekit

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils/guid"
	"github.com/livekit/protocol/webhook"
)

// joinPerson makes somebody join and publish, as recorded in tc-stop.
func (s *Server) joinPerson(r *room, identity string, at time.Time) {
	p := newParticipant(identity, at)
	p.Permission = &livekit.ParticipantPermission{CanSubscribe: true, CanPublish: true, CanPublishData: true}
	s.tell(r, &livekit.WebhookEvent{Event: webhook.EventParticipantJoined, Room: r.snapshot(), Participant: p}, at)

	p = proto.CloneOf(p)
	p.IsPublisher, p.Version = true, 8
	p.Tracks = []*livekit.TrackInfo{audioTrack(at)}
	if !r.Script.AudioOnly {
		p.Tracks = append(p.Tracks, videoTrack(at))
	}
	r.People[identity] = participantInfo{p}
	for _, t := range p.Tracks {
		s.tellTrack(r, webhook.EventTrackPublished, p, t, at)
	}
}

// strangePage is the path of a custom page that does not join as the egress.
const strangePage = "/joins-by-itself"

// joinRecorder makes the egress's own participant join: hidden, of kind EGRESS, with the egress ID as its identity.
// A custom page at the path /joins-by-itself does not join.
func (s *Server) joinRecorder(e *egress, at time.Time) {
	r := s.rooms[e.Info.RoomName]
	if r == nil || e.Kind == sourceWeb || strings.HasSuffix(e.Info.GetRoomComposite().GetCustomBaseUrl(), strangePage) {
		return
	}
	p := newParticipant(e.id(), at)
	p.Kind = livekit.ParticipantInfo_EGRESS
	p.Permission = &livekit.ParticipantPermission{CanSubscribe: true, Hidden: true, Recorder: true}
	if e.Kind == sourceTemplate { // a browser joins
		p.ClientProtocol = 2
		p.Capabilities = []livekit.ClientInfo_Capability{livekit.ClientInfo_CAP_COMPRESSION_DEFLATE_RAW}
	}
	e.Joined = &participantInfo{p}
	r.recorders[p.Identity] = *e.Joined
	s.tell(r, &livekit.WebhookEvent{Event: webhook.EventParticipantJoined, Room: r.snapshot(), Participant: p}, at)
}

// leaveRecorder makes the egress's own participant leave, if it is still there.
func (s *Server) leaveRecorder(e *egress, at time.Time, why livekit.DisconnectReason) {
	e.Joined = nil
	if r := s.rooms[e.Info.RoomName]; r != nil {
		s.leave(r, r.recorders, e.id(), at, why)
	}
}

// unlistRecorder makes LiveKit's store lose the egress's own participant, of which nobody is told.
func (s *Server) unlistRecorder(e *egress) {
	e.Joined = nil
	if r := s.rooms[e.Info.RoomName]; r != nil {
		delete(r.recorders, e.id())
	}
}

// leaveAll removes all people, or all recorders, from a room.
func (s *Server) leaveAll(r *room, from map[string]participantInfo, at time.Time, why livekit.DisconnectReason) {
	for identity := range from {
		s.leave(r, from, identity, at, why)
	}
}

// leave makes somebody leave, with all tracks.
func (s *Server) leave(r *room, from map[string]participantInfo, identity string, at time.Time, why livekit.DisconnectReason) {
	p, ok := from[identity]
	if !ok {
		return
	}
	for _, t := range p.Tracks {
		s.tellTrack(r, webhook.EventTrackUnpublished, p.ParticipantInfo, t, at)
	}
	delete(from, identity)
	left := proto.CloneOf(p.ParticipantInfo)
	left.State, left.DisconnectReason = livekit.ParticipantInfo_DISCONNECTED, why
	left.Version++
	if len(left.Tracks) > 0 {
		left.Tracks, left.Version = nil, 8
	}
	s.tell(r, &livekit.WebhookEvent{Event: webhook.EventParticipantLeft, Room: r.snapshot(), Participant: left}, at)
}

// tellTrack sends a track event, whose room and participant contain only their names and IDs.
func (s *Server) tellTrack(r *room, name string, p *livekit.ParticipantInfo, t *livekit.TrackInfo, at time.Time) {
	s.tell(r, &livekit.WebhookEvent{
		Event:       name,
		Room:        &livekit.Room{Sid: r.Info.Sid, Name: r.name()},
		Participant: &livekit.ParticipantInfo{Sid: p.Sid, Identity: p.Identity},
		Track:       t,
	}, at)
}

// newParticipant returns somebody who has just joined.
func newParticipant(identity string, at time.Time) *livekit.ParticipantInfo {
	return &livekit.ParticipantInfo{
		Sid: guid.New(guid.ParticipantPrefix), Identity: identity, State: livekit.ParticipantInfo_ACTIVE,
		JoinedAt: at.Unix(), JoinedAtMs: at.UnixMilli(), Version: 2,
	}
}

func audioTrack(at time.Time) *livekit.TrackInfo {
	t := newTrack("AM", "audio", "audio/opus", at)
	t.Source, t.BackupCodecPolicy, t.Mid = livekit.TrackSource_MICROPHONE, livekit.BackupCodecPolicy_SIMULCAST, strconv.Itoa(1)
	t.Codecs[0].Mid = t.Mid
	return t
}

func videoTrack(at time.Time) *livekit.TrackInfo {
	t := newTrack("VC", "video", "video/VP8", at)
	layer := []*livekit.VideoLayer{{Quality: livekit.VideoQuality_HIGH, Width: t.Width, Height: t.Height, Ssrc: uint32(at.UnixNano())}}
	t.Type, t.Source, t.Mid = livekit.TrackType_VIDEO, livekit.TrackSource_CAMERA, strconv.Itoa(0)
	t.Layers = layer // livekit-server still fills in the deprecated field, as in the recordings
	t.Codecs[0].Layers, t.Codecs[0].Mid = layer, t.Mid
	return t
}

// newTrack returns a track as in the recordings, except for what depends on its kind.
func newTrack(kind, name, mime string, at time.Time) *livekit.TrackInfo {
	return &livekit.TrackInfo{
		Sid: guid.New(guid.TrackPrefix + kind), Name: name, Width: 640, Height: 360, MimeType: mime, Stream: "camera",
		Codecs: []*livekit.SimulcastCodecInfo{{
			MimeType: mime, Cid: guid.New(guid.TrackPrefix), VideoLayerMode: livekit.VideoLayer_ONE_SPATIAL_LAYER_PER_STREAM,
		}},
		Version: &livekit.TimedVersion{UnixMicro: at.UnixMicro()},
	}
}
