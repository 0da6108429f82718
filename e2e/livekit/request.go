package main

import (
	"path"
	"strings"
	"time"

	"github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"google.golang.org/protobuf/proto"
)

// order is a start as the worker understands it.
type order struct {
	info *livekit.EgressInfo // as it is at the start
	// What to record; web has no room, a template continues as long as its room exists.
	web, template bool
	identity      string   // of the requested participant
	tracks        []string // the requested tracks
	// Where to write it.
	filepath, extension string
	upload              egress.UploadRequest
	manifest            bool
}

// newOrder reads a request; it supports one output file, and refuses everything else with the real worker's messages.
func newOrder(r *rpc.StartEgressRequest) (*order, error) {
	o := &order{extension: ".mp4", manifest: true, info: &livekit.EgressInfo{EgressId: r.EgressId, RoomId: r.RoomId}}
	now := time.Now().UnixNano()
	o.info.StartedAt, o.info.UpdatedAt = now, now
	var err error
	switch r := proto.CloneOf(r).Request.(type) {
	case *rpc.StartEgressRequest_RoomComposite:
		c := r.RoomComposite
		o.template = true
		o.room(c.RoomName, c.AudioOnly && c.CustomBaseUrl == "", c.AudioOnly)
		err = o.encoded(c)
		egress.RedactEncodedOutputs(c)
		o.info.Request = &livekit.EgressInfo_RoomComposite{RoomComposite: c}
	case *rpc.StartEgressRequest_Web:
		o.web = true
		err = o.encoded(r.Web)
		egress.RedactEncodedOutputs(r.Web)
		o.info.Request = &livekit.EgressInfo_Web{Web: r.Web}
	case *rpc.StartEgressRequest_Participant:
		o.identity = r.Participant.Identity
		o.room(r.Participant.RoomName, true, false)
		err = o.encoded(r.Participant)
		egress.RedactEncodedOutputs(r.Participant)
		o.info.Request = &livekit.EgressInfo_Participant{Participant: r.Participant}
	case *rpc.StartEgressRequest_TrackComposite:
		c := r.TrackComposite
		o.tracks = []string{c.AudioTrackId, c.VideoTrackId}
		o.room(c.RoomName, true, c.VideoTrackId == "")
		err = o.encoded(c)
		egress.RedactEncodedOutputs(c)
		o.info.Request = &livekit.EgressInfo_TrackComposite{TrackComposite: c}
	case *rpc.StartEgressRequest_Egress:
		err = o.unified(r.Egress)
		egress.RedactStartEgressRequest(r.Egress)
		o.info.Request = &livekit.EgressInfo_Egress{Egress: r.Egress}
	default:
		return nil, psrpc.NewErrorf(psrpc.Unimplemented, "this worker double does not record %T", r)
	}
	if err != nil {
		return nil, err
	}
	o.result(time.Unix(0, now), "")
	return o, nil
}

func (o *order) room(name string, withoutBrowser, audioOnly bool) {
	o.info.RoomName = name
	if withoutBrowser {
		o.info.SourceType = livekit.EgressSourceType_EGRESS_SOURCE_TYPE_SDK
	}
	if audioOnly {
		o.extension = ".ogg"
	}
}

// errNoOutput is the real worker's refusal.
func errNoOutput() error {
	return psrpc.NewErrorf(psrpc.InvalidArgument, "request has missing or invalid field: output")
}

func (o *order) encoded(r egress.EncodedOutput) error {
	files := r.GetFileOutputs()
	if old, ok := r.(egress.EncodedOutputDeprecated); ok && len(files) == 0 && old.GetFile() != nil {
		files = append(files, old.GetFile())
	}
	if len(r.GetSegmentOutputs())+len(r.GetImageOutputs())+len(r.GetStreamOutputs()) > 0 || len(files) > 1 {
		return psrpc.NewErrorf(psrpc.Unimplemented, "this worker double writes one file, and nothing else")
	}
	if len(files) == 0 {
		return errNoOutput()
	}
	f := files[0]
	o.file(f.Filepath, f.FileType, f.DisableManifest, f)
	return nil
}

func (o *order) unified(r *livekit.StartEgressRequest) error {
	switch src := r.Source.(type) {
	case *livekit.StartEgressRequest_Web:
		o.web = true
	case *livekit.StartEgressRequest_Media:
		o.room(r.RoomName, true, false)
		o.identity = src.Media.GetParticipantVideo().GetIdentity()
		o.tracks = []string{src.Media.GetVideoTrackId()}
	default:
		o.template = true
		t := r.GetTemplate()
		o.room(r.RoomName, t.GetAudioOnly() && t.GetCustomBaseUrl() == "", t.GetAudioOnly())
	}
	if len(r.Outputs) == 0 {
		return errNoOutput()
	}
	f := r.Outputs[0].GetFile()
	if f == nil || len(r.Outputs) > 1 {
		return psrpc.NewErrorf(psrpc.Unimplemented, "this worker double writes one file, and nothing else")
	}
	storage := r.Outputs[0].Storage
	if storage == nil {
		storage = r.Storage
	}
	o.file(f.Filepath, f.FileType, f.DisableManifest, storage)
	return nil
}

func (o *order) file(template string, kind livekit.EncodedFileType, noManifest bool, upload egress.UploadRequest) {
	switch kind {
	case livekit.EncodedFileType_MP4:
		o.extension = ".mp4"
	case livekit.EncodedFileType_OGG:
		o.extension = ".ogg"
	}
	o.filepath, o.manifest, o.upload = template, !noManifest, upload
}

// result records the file under its name, as far as that is known.
func (o *order) result(at time.Time, publisher string) *livekit.FileInfo {
	name := o.filepath
	if name == "" || strings.HasSuffix(name, "/") {
		name += "{room_name}-{time}"
	}
	if path.Ext(name) != o.extension {
		name += o.extension
	}
	pairs := []string{
		"{room_name}", o.info.RoomName, "{room_id}", o.info.RoomId,
		"{time}", at.UTC().Format("2006-01-02T150405"), "{utc}", at.UTC().Format("20060102150405"),
	}
	if publisher != "" {
		pairs = append(pairs, "{publisher_identity}", publisher)
	}
	f := &livekit.FileInfo{Filename: strings.NewReplacer(pairs...).Replace(name)}
	o.info.FileResults = []*livekit.FileInfo{f}
	o.info.Result = &livekit.EgressInfo_File{File: f}
	return f
}
