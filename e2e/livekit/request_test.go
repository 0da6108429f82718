package main

import (
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
)

func file(path string) []*livekit.EncodedFileOutput {
	return []*livekit.EncodedFileOutput{{Filepath: path, Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{Secret: "example-secret"}}}}
}

func composite(r *livekit.RoomCompositeEgressRequest) *rpc.StartEgressRequest {
	return &rpc.StartEgressRequest{EgressId: "EG_1", RoomId: "RM_1", Request: &rpc.StartEgressRequest_RoomComposite{RoomComposite: r}}
}

func unified(r *livekit.StartEgressRequest) *rpc.StartEgressRequest {
	return &rpc.StartEgressRequest{EgressId: "EG_1", RoomId: "RM_1", Request: &rpc.StartEgressRequest_Egress{Egress: r}}
}

func TestAnOrderSaysWhatIsRecordedUnderWhichName(t *testing.T) {
	t.Parallel()
	outputs := []*livekit.Output{{Config: &livekit.Output_File{File: &livekit.FileOutput{Filepath: "u-{room_id}"}}}}
	for name, tt := range map[string]struct {
		request           *rpc.StartEgressRequest
		file              string
		web, template     bool
		identity, tracks  string
		withoutAnyBrowser bool
	}{
		"a room":          {request: composite(&livekit.RoomCompositeEgressRequest{RoomName: "r", FileOutputs: file("{room_name}-{time}")}), file: "r-2026-01-02T030405.mp4", template: true},
		"its sound":       {request: composite(&livekit.RoomCompositeEgressRequest{RoomName: "r", AudioOnly: true, FileOutputs: file("a")}), file: "a.ogg", template: true, withoutAnyBrowser: true},
		"into a folder":   {request: composite(&livekit.RoomCompositeEgressRequest{RoomName: "r", FileOutputs: file("f/")}), file: "f/r-2026-01-02T030405.mp4", template: true},
		"by the unified":  {request: unified(&livekit.StartEgressRequest{RoomName: "r", Outputs: outputs}), file: "u-RM_1.mp4", template: true},
		"unified, a page": {request: unified(&livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Web{Web: &livekit.WebSource{}}, Outputs: outputs}), file: "u-RM_1.mp4", web: true},
		"unified, media": {
			request: unified(&livekit.StartEgressRequest{RoomName: "r", Outputs: outputs, Source: &livekit.StartEgressRequest_Media{
				Media: &livekit.MediaSource{Video: &livekit.MediaSource_VideoTrackId{VideoTrackId: "TR_V"}},
			}}), file: "u-RM_1.mp4", tracks: "TR_V", withoutAnyBrowser: true,
		},
		"somebody": {
			request: &rpc.StartEgressRequest{EgressId: "EG_1", RoomId: "RM_1", Request: &rpc.StartEgressRequest_Participant{
				Participant: &livekit.ParticipantEgressRequest{RoomName: "r", Identity: "alice", FileOutputs: file("{publisher_identity}")},
			}}, file: "alice.mp4", identity: "alice", withoutAnyBrowser: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := newOrder(tt.request)
			if err != nil {
				t.Fatal(err)
			}
			got := o.result(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), o.identity).Filename
			if got != tt.file || o.info.GetFile().Filename != tt.file || o.web != tt.web || o.template != tt.template ||
				o.identity != tt.identity || strings.Join(o.tracks, "") != tt.tracks ||
				tt.withoutAnyBrowser != (o.info.SourceType == livekit.EgressSourceType_EGRESS_SOURCE_TYPE_SDK) {
				t.Errorf("%s, %+v", got, o)
			}
			if strings.Contains(o.info.String(), "example-secret") {
				t.Errorf("the echo has the secret: %s", o.info)
			}
		})
	}
}

func TestWhatTheDoubleCanNotRecordIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		request *rpc.StartEgressRequest
		want    string
	}{
		"no output":         {composite(&livekit.RoomCompositeEgressRequest{RoomName: "r"}), "request has missing or invalid field: output"},
		"no unified output": {unified(&livekit.StartEgressRequest{RoomName: "r"}), "request has missing or invalid field: output"},
		"a stream":          {composite(&livekit.RoomCompositeEgressRequest{RoomName: "r", StreamOutputs: []*livekit.StreamOutput{{}}}), "writes one file"},
		"two files":         {composite(&livekit.RoomCompositeEgressRequest{RoomName: "r", FileOutputs: append(file("a"), file("b")...)}), "writes one file"},
		"unified images":    {unified(&livekit.StartEgressRequest{RoomName: "r", Outputs: []*livekit.Output{{Config: &livekit.Output_Images{}}}}), "writes one file"},
		"a lone track":      {&rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_Track{Track: &livekit.TrackEgressRequest{}}}, "does not record"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newOrder(tt.request)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
