package main

import (
	"context"
	"fmt"

	"github.com/livekit/protocol/livekit"
)

// tracks are the tracks of the participant in the room.
type tracks struct{ audio, video string }

// ask sends a plan's start request.
func (p plan) ask(ctx context.Context, door livekit.Egress, consumer string, t tracks) (*livekit.EgressInfo, error) {
	hooks := p.hooks(consumer)
	switch p.kind {
	case kindRoomComposite:
		return door.StartRoomCompositeEgress(ctx, &livekit.RoomCompositeEgressRequest{
			RoomName: p.subject, Layout: "speaker", FileOutputs: p.files(), Webhooks: hooks,
			CustomBaseUrl: "https://templates.example.com/?token=" + p.secret("template"),
		})
	case kindParticipant:
		return door.StartParticipantEgress(ctx, &livekit.ParticipantEgressRequest{RoomName: p.subject, Identity: "alice", FileOutputs: p.files(), Webhooks: hooks})
	case kindTrackComposite:
		return door.StartTrackCompositeEgress(ctx, &livekit.TrackCompositeEgressRequest{
			RoomName: p.subject, AudioTrackId: t.audio, VideoTrackId: t.video, FileOutputs: p.files(), Webhooks: hooks,
		})
	case kindTrack:
		return door.StartTrackEgress(ctx, &livekit.TrackEgressRequest{
			RoomName: p.subject, TrackId: t.video, Webhooks: hooks,
			Output: &livekit.TrackEgressRequest_File{File: &livekit.DirectFileOutput{
				Filepath: fmt.Sprintf("life-%d-{track_id}", p.n), Output: &livekit.DirectFileOutput_S3{S3: p.s3()},
			}},
		})
	case kindWeb:
		return door.StartWebEgress(ctx, &livekit.WebEgressRequest{Url: p.subject, FileOutputs: p.files(), Webhooks: hooks})
	default:
		return door.StartEgress(ctx, &livekit.StartEgressRequest{
			RoomName: p.subject, Webhooks: hooks,
			Source:  &livekit.StartEgressRequest_Template{Template: &livekit.TemplateSource{Layout: "grid"}},
			Storage: &livekit.StorageConfig{Provider: &livekit.StorageConfig_S3{S3: p.s3()}},
			Outputs: []*livekit.Output{{Config: &livekit.Output_File{File: &livekit.FileOutput{Filepath: fmt.Sprintf("life-%d.mp4", p.n)}}}},
		})
	}
}
