package fakelivekit

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils/guid"
	"github.com/livekit/protocol/webhook"
)

// autoStart starts the egresses that CreateRoom requested. That of the room itself delays CreateRoom, as with LiveKit,
// and its failure is not reported anywhere; those of people and tracks start in the background.
func (s *Server) autoStart(ctx context.Context, name string, auto *livekit.RoomEgress) {
	if auto.GetRoom() != nil {
		req := proto.CloneOf(auto.Room)
		req.RoomName = name
		if _, err := s.begin(ctx, roomCompositeStart(req)); err != nil {
			s.log.Debug("automatic room egress refused", "room", name, "error", err)
		}
	}
	for _, st := range s.autoStarts(name, auto) {
		go s.autoBegin(st)
	}
}

// autoStarts returns the starts for everybody, and every track, in the room now.
func (s *Server) autoStarts(name string, auto *livekit.RoomEgress) []start {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[name]
	if r == nil {
		return nil
	}
	var starts []start
	for _, p := range r.People {
		if auto.GetParticipant() != nil {
			starts = append(starts, participantStart(autoParticipant(name, p.Identity, auto.Participant)))
		}
		for _, t := range p.Tracks {
			if auto.GetTracks() != nil {
				starts = append(starts, trackStart(autoTrack(name, t.Sid, auto.Tracks)))
			}
		}
	}
	return starts
}

// autoBegin starts one egress. A failure is announced without an egress ID and with the original request, including its
// secrets (auto-noworker, auto-noworker-s3).
func (s *Server) autoBegin(st start) {
	_, err := s.begin(context.Background(), st)
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[st.room]
	if r == nil || s.stopped {
		return
	}
	info := &livekit.EgressInfo{
		RoomId: r.Info.Sid, RoomName: st.room, Status: livekit.EgressStatus_EGRESS_FAILED, Error: "no response from servers",
	}
	switch req := proto.Clone(st.request).(type) {
	case *livekit.ParticipantEgressRequest:
		info.Request = &livekit.EgressInfo_Participant{Participant: req}
	case *livekit.TrackEgressRequest:
		info.Request = &livekit.EgressInfo_Track{Track: req}
	}
	s.courier.count(webhook.EventEgressEnded, false)
	s.courier.post(letter{event: &livekit.WebhookEvent{
		Event: webhook.EventEgressEnded, Room: &livekit.Room{Sid: r.Info.Sid, Name: st.room}, EgressInfo: info,
		Id: guid.New("EV_"), CreatedAt: time.Now().Unix(),
	}})
}

// autoParticipant returns the request that a room's settings define for one participant.
func autoParticipant(room, identity string, auto *livekit.AutoParticipantEgress) *livekit.ParticipantEgressRequest {
	auto = proto.CloneOf(auto)
	req := &livekit.ParticipantEgressRequest{
		RoomName: room, Identity: identity, FileOutputs: auto.FileOutputs, SegmentOutputs: auto.SegmentOutputs,
	}
	switch o := auto.Options.(type) {
	case *livekit.AutoParticipantEgress_Preset:
		req.Options = &livekit.ParticipantEgressRequest_Preset{Preset: o.Preset}
	case *livekit.AutoParticipantEgress_Advanced:
		req.Options = &livekit.ParticipantEgressRequest_Advanced{Advanced: o.Advanced}
	}
	return req
}

// autoTrack does the same for one track.
func autoTrack(room, track string, auto *livekit.AutoTrackEgress) *livekit.TrackEgressRequest {
	auto = proto.CloneOf(auto)
	file := &livekit.DirectFileOutput{Filepath: auto.Filepath, DisableManifest: auto.DisableManifest}
	switch o := auto.Output.(type) {
	case *livekit.AutoTrackEgress_S3:
		file.Output = &livekit.DirectFileOutput_S3{S3: o.S3}
	case *livekit.AutoTrackEgress_Gcp:
		file.Output = &livekit.DirectFileOutput_Gcp{Gcp: o.Gcp}
	case *livekit.AutoTrackEgress_Azure:
		file.Output = &livekit.DirectFileOutput_Azure{Azure: o.Azure}
	case *livekit.AutoTrackEgress_AliOSS:
		file.Output = &livekit.DirectFileOutput_AliOSS{AliOSS: o.AliOSS}
	}
	return &livekit.TrackEgressRequest{RoomName: room, TrackId: track, Output: &livekit.TrackEgressRequest_File{File: file}}
}
