package fakelivekit

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/twitchtv/twirp"

	protoegress "github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils"
)

// outputs are what an egress writes, whatever kind of request started it.
type outputs struct {
	files    []fileOutput
	segments []segmentOutput
	images   []imageOutput
	streams  []string
}

// Segments and images have two types each, old and unified, with the same getters.
type (
	segmentOutput interface {
		GetFilenamePrefix() string
		GetPlaylistName() string
		GetLivePlaylistName() string
	}
	imageOutput interface{ GetFilenamePrefix() string }
)

// fileOutput is one file to write.
type fileOutput struct {
	filepath   string
	extension  string
	upload     protoegress.UploadRequest
	noManifest bool
	direct     bool
}

func (o outputs) none() bool {
	return len(o.files)+len(o.segments)+len(o.images)+len(o.streams) == 0
}

// refused returns a worker's error about outputs that it cannot write. The error quotes a stream's
// URL in full (livekit/egress, pkg/config/urls.go).
func (o outputs) refused() error {
	if o.none() {
		return twirp.NewError(twirp.InvalidArgument, "request has missing or invalid field: output")
	}
	for _, u := range o.streams {
		scheme, _, _ := strings.Cut(u, "://")
		_, keyed := utils.RedactStreamKey(u)
		switch {
		case !slices.Contains([]string{"rtmp", "rtmps", "mux", "twitch", "srt", "ws", "wss"}, scheme):
			return twirp.NewError(twirp.InvalidArgument, "invalid url "+u+": invalid scheme")
		case strings.HasPrefix(scheme, "rtmp") && !keyed:
			return twirp.NewError(twirp.InvalidArgument, "invalid url "+u+": rtmp urls must be of format rtmp(s)://{host}(/{path})/{app}/{stream_key}( live=1)")
		}
	}
	return nil
}

// outputsOf reads the outputs from the echoed request: redaction removes no paths.
func outputsOf(info *livekit.EgressInfo) outputs {
	switch r := info.Request.(type) {
	case *livekit.EgressInfo_RoomComposite:
		return encodedOutputs(r.RoomComposite, extension(r.RoomComposite.AudioOnly))
	case *livekit.EgressInfo_Web:
		return encodedOutputs(r.Web, extension(r.Web.AudioOnly))
	case *livekit.EgressInfo_Participant:
		return encodedOutputs(r.Participant, ".mp4")
	case *livekit.EgressInfo_TrackComposite:
		return encodedOutputs(r.TrackComposite, extension(r.TrackComposite.VideoTrackId == ""))
	case *livekit.EgressInfo_Track:
		return directOutputs(r.Track)
	case *livekit.EgressInfo_Egress:
		return unifiedOutputs(r.Egress)
	}
	return outputs{}
}

// extension is LiveKit's choice if the request leaves it open.
func extension(audioOnly bool) string {
	if audioOnly {
		return ".ogg"
	}
	return ".mp4"
}

// encodedOutputs returns those of room composite, web, participant and track composite egress.
func encodedOutputs(req protoegress.EncodedOutput, ext string) outputs {
	var o outputs
	for _, f := range req.GetFileOutputs() {
		o.files = append(o.files, encodedFile(f, ext))
	}
	for _, seg := range req.GetSegmentOutputs() {
		o.segments = append(o.segments, seg)
	}
	for _, img := range req.GetImageOutputs() {
		o.images = append(o.images, img)
	}
	for _, st := range req.GetStreamOutputs() {
		o.streams = append(o.streams, st.Urls...)
	}
	if old, ok := req.(protoegress.EncodedOutputDeprecated); ok && o.none() {
		if f := old.GetFile(); f != nil {
			o.files = append(o.files, encodedFile(f, ext))
		} else if st := old.GetStream(); st != nil {
			o.streams = append(o.streams, st.Urls...)
		} else if seg := old.GetSegments(); seg != nil {
			o.segments = append(o.segments, seg)
		}
	}
	return o
}

func encodedFile(f *livekit.EncodedFileOutput, ext string) fileOutput {
	switch f.FileType {
	case livekit.EncodedFileType_MP4:
		ext = ".mp4"
	case livekit.EncodedFileType_OGG:
		ext = ".ogg"
	}
	return fileOutput{filepath: f.Filepath, extension: ext, upload: f, noManifest: f.DisableManifest}
}

// directOutputs returns that of a track egress.
func directOutputs(req *livekit.TrackEgressRequest) outputs {
	if url := req.GetWebsocketUrl(); url != "" {
		return outputs{streams: []string{url}}
	}
	if f := req.GetFile(); f != nil {
		return outputs{files: []fileOutput{{filepath: f.Filepath, upload: f, noManifest: f.DisableManifest, direct: true}}}
	}
	return outputs{}
}

// unifiedOutputs returns those of StartEgress; each may have its own storage.
func unifiedOutputs(req *livekit.StartEgressRequest) outputs {
	var o outputs
	for _, out := range req.Outputs {
		storage := out.Storage
		if storage == nil {
			storage = req.Storage
		}
		switch c := out.Config.(type) {
		case *livekit.Output_File:
			f := fileOutput{filepath: c.File.Filepath, extension: ".mp4", upload: storage, noManifest: c.File.DisableManifest}
			if c.File.FileType == livekit.EncodedFileType_OGG {
				f.extension = ".ogg"
			}
			o.files = append(o.files, f)
		case *livekit.Output_Segments:
			o.segments = append(o.segments, c.Segments)
		case *livekit.Output_Images:
			o.images = append(o.images, c.Images)
		case *livekit.Output_Stream:
			o.streams = append(o.streams, c.Stream.Urls...)
		}
	}
	return o
}

// trackType returns the extension for a directly recorded track's codec; LiveKit's track IDs distinguish audio from
// video.
func (f fileOutput) trackType(info *livekit.EgressInfo) string {
	if !f.direct {
		return ""
	}
	if strings.HasPrefix(info.GetTrack().GetTrackId(), "TR_A") {
		return ".ogg"
	}
	return ".webm"
}

// name returns the path template with its extension.
func (f fileOutput) name(ext string) string {
	name := f.filepath
	if name == "" || strings.HasSuffix(name, "/") {
		name += "{room_name}-{time}"
	}
	if ext = cmp.Or(ext, f.extension); path.Ext(name) != ext {
		name += ext
	}
	return name
}

// location returns where the file ends up: its own path if nothing is uploaded.
func (f fileOutput) location(name string) string {
	switch {
	case f.upload == nil:
	case f.upload.GetS3() != nil:
		s3 := f.upload.GetS3()
		if s3.Endpoint != "" {
			return strings.TrimSuffix(s3.Endpoint, "/") + "/" + s3.Bucket + "/" + name
		}
		return "https://" + s3.Bucket + ".s3.amazonaws.com/" + name
	case f.upload.GetGcp() != nil:
		return "https://" + f.upload.GetGcp().Bucket + ".storage.googleapis.com/" + name
	case f.upload.GetAzure() != nil:
		return "https://" + f.upload.GetAzure().AccountName + ".blob.core.windows.net/" + f.upload.GetAzure().ContainerName + "/" + name
	case f.upload.GetAliOSS() != nil:
		return "https://" + f.upload.GetAliOSS().Bucket + "." + f.upload.GetAliOSS().Endpoint + "/" + name
	}
	return name
}
