package fakelivekit

import (
	"google.golang.org/protobuf/proto"

	protoegress "github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
)

// start is a start call, by any of the methods.
type start struct {
	request  proto.Message // as received
	room     string        // empty for web egress
	host     string        // used to call the server; empty for an egress that the server starts by itself
	kind     sourceKind
	identity string   // of the requested participant
	tracks   []string // requested tracks
	echo     *livekit.EgressInfo
}

// newStart takes a request; wrap sets its oneof wrapper. The echo is a copy redacted by LiveKit's own rules, which leave
// some secrets in; it lacks webhooks if the server is too old to know them.
func newStart[R proto.Message](req R, kind sourceKind, redact func(R), wrap func(R, *livekit.EgressInfo)) start {
	echoed := proto.CloneOf(req)
	redact(echoed)
	info := &livekit.EgressInfo{}
	wrap(echoed, info)
	if kind == sourceMedia {
		info.SourceType = livekit.EgressSourceType_EGRESS_SOURCE_TYPE_SDK
	}
	st := start{request: proto.CloneOf(req), kind: kind, echo: info}
	if named, ok := any(req).(interface{ GetRoomName() string }); ok {
		st.room = named.GetRoomName()
	}
	return st
}

// The six kinds of start.
func roomCompositeStart(req *livekit.RoomCompositeEgressRequest) start {
	kind := sourceTemplate
	if req.AudioOnly && req.CustomBaseUrl == "" {
		kind = sourceMedia // audio-only is mixed without a browser
	}
	return newStart(req, kind, func(r *livekit.RoomCompositeEgressRequest) { protoegress.RedactEncodedOutputs(r) },
		func(r *livekit.RoomCompositeEgressRequest, info *livekit.EgressInfo) {
			info.Request = &livekit.EgressInfo_RoomComposite{RoomComposite: r}
		})
}

func webStart(req *livekit.WebEgressRequest) start {
	return newStart(req, sourceWeb, func(r *livekit.WebEgressRequest) { protoegress.RedactEncodedOutputs(r) },
		func(r *livekit.WebEgressRequest, info *livekit.EgressInfo) {
			info.Request = &livekit.EgressInfo_Web{Web: r}
		})
}

func participantStart(req *livekit.ParticipantEgressRequest) start {
	st := newStart(req, sourceMedia, func(r *livekit.ParticipantEgressRequest) { protoegress.RedactEncodedOutputs(r) },
		func(r *livekit.ParticipantEgressRequest, info *livekit.EgressInfo) {
			info.Request = &livekit.EgressInfo_Participant{Participant: r}
		})
	st.identity = req.Identity
	return st
}

func trackCompositeStart(req *livekit.TrackCompositeEgressRequest) start {
	st := newStart(req, sourceMedia, func(r *livekit.TrackCompositeEgressRequest) { protoegress.RedactEncodedOutputs(r) },
		func(r *livekit.TrackCompositeEgressRequest, info *livekit.EgressInfo) {
			info.Request = &livekit.EgressInfo_TrackComposite{TrackComposite: r}
		})
	st.tracks = []string{req.AudioTrackId, req.VideoTrackId}
	return st
}

func trackStart(req *livekit.TrackEgressRequest) start {
	st := newStart(req, sourceMedia, func(r *livekit.TrackEgressRequest) { protoegress.RedactDirectOutputs(r) },
		func(r *livekit.TrackEgressRequest, info *livekit.EgressInfo) {
			info.Request = &livekit.EgressInfo_Track{Track: r}
		})
	st.tracks = []string{req.TrackId}
	return st
}

func unifiedStart(req *livekit.StartEgressRequest) start {
	kind := sourceTemplate
	switch src := req.Source.(type) {
	case *livekit.StartEgressRequest_Web:
		kind = sourceWeb
	case *livekit.StartEgressRequest_Media:
		kind = sourceMedia
	case *livekit.StartEgressRequest_Template:
		if src.Template.GetAudioOnly() && src.Template.GetCustomBaseUrl() == "" {
			kind = sourceMedia
		}
	}
	st := newStart(req, kind, func(r *livekit.StartEgressRequest) { protoegress.RedactStartEgressRequest(r) },
		func(r *livekit.StartEgressRequest, info *livekit.EgressInfo) {
			info.Request = &livekit.EgressInfo_Egress{Egress: r}
		})
	if media := req.GetMedia(); media != nil {
		st.identity = media.GetParticipantVideo().GetIdentity()
		st.tracks = []string{media.GetVideoTrackId()}
	}
	return st
}

// dropWebhooks makes the echo that of a server too old to know per-request webhooks.
func dropWebhooks(info *livekit.EgressInfo) {
	m := info.ProtoReflect()
	request := m.Get(m.WhichOneof(m.Descriptor().Oneofs().ByName("request"))).Message()
	request.Clear(request.Descriptor().Fields().ByName("webhooks"))
}

// publisher returns whom an egress records, as used in file names.
func (e *egress) publisher(s *Server) string {
	if p := e.Info.GetParticipant(); p != nil {
		return p.Identity
	}
	r := s.rooms[e.Info.RoomName]
	if r == nil {
		return ""
	}
	track := e.Info.GetTrack().GetTrackId()
	for identity, p := range r.People {
		for _, t := range p.Tracks {
			if t.Sid == track {
				return identity
			}
		}
	}
	return ""
}
