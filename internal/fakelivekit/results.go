package fakelivekit

import (
	"path"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
)

// bytesPerSecond is the approximate rate of the recordings.
const bytesPerSecond = 53_000

// segmentLength is LiveKit's default.
const segmentLength = 4 * time.Second

// nameFiles fills in the results of a new egress: the files to be written, as far as their names are known
// by now.
func nameFiles(info *livekit.EgressInfo, at time.Time) {
	outs := outputsOf(info)
	for _, f := range outs.files {
		result := &livekit.FileInfo{}
		if !f.direct { // a track's file gets its name when its codec is known
			result.Filename = resolve(f.name(""), info, at, "")
		}
		info.FileResults = append(info.FileResults, result)
	}
	for _, seg := range outs.segments {
		info.SegmentResults = append(info.SegmentResults, &livekit.SegmentsInfo{
			PlaylistName: resolve(seg.GetPlaylistName(), info, at, ""), LivePlaylistName: resolve(seg.GetLivePlaylistName(), info, at, ""),
		})
	}
	for _, img := range outs.images {
		info.ImageResults = append(info.ImageResults, &livekit.ImagesInfo{FilenamePrefix: resolve(img.GetFilenamePrefix(), info, at, "")})
	}
	for _, url := range outs.streams {
		info.StreamResults = append(info.StreamResults, &livekit.StreamInfo{Url: url})
	}
	setLegacyResult(info)
}

// beginFiles records the start of the media. started_at and names change here, as with LiveKit: the handler process
// sets them again, and only now knows the publisher and the codec. LiveKit does not put the publisher into the names
// of live playlists and images in a result.
func (s *Server) beginFiles(e *egress, info *livekit.EgressInfo, at time.Time) {
	handler := e.Accepted.Add(at.Sub(e.Accepted) / 64)
	begun := at
	if e.Kind == sourceMedia {
		begun = e.Accepted.Add(at.Sub(e.Accepted) / 8)
	}
	if info.RetryCount == 0 {
		info.StartedAt = handler.UnixNano()
	}
	outs := outputsOf(info)
	for i, f := range info.FileResults {
		trackType := outs.files[i].trackType(info)
		f.Filename = resolve(outs.files[i].name(trackType), info, handler, e.publisher(s))
		f.StartedAt = begun.UnixNano()
	}
	for i, seg := range info.SegmentResults {
		seg.PlaylistName = resolve(outs.segments[i].GetPlaylistName(), info, handler, e.publisher(s))
		seg.LivePlaylistName = resolve(outs.segments[i].GetLivePlaylistName(), info, handler, "")
		seg.StartedAt = begun.UnixNano()
	}
	for i, img := range info.ImageResults {
		img.FilenamePrefix = resolve(outs.images[i].GetFilenamePrefix(), info, handler, "")
		img.StartedAt = begun.UnixNano()
	}
	for _, st := range info.StreamResults {
		st.StartedAt, st.Status = begun.UnixNano(), livekit.StreamInfo_ACTIVE
	}
	setLegacyResult(info)
}

// closeFiles records the end of the media; if it could not be stored, there is a length, but no size and no
// location.
func closeFiles(info *livekit.EgressInfo, at time.Time, stored bool) {
	outs := outputsOf(info)
	for i, f := range info.FileResults {
		f.EndedAt, f.Duration = at.UnixNano(), at.UnixNano()-f.StartedAt
		if stored {
			f.Size = sizeOf(f.Duration)
			f.Location = outs.files[i].location(f.Filename)
			if !outs.files[i].noManifest {
				info.ManifestLocation = path.Dir(f.Filename) + "/" + info.EgressId + ".json"
			}
		}
	}
	for _, seg := range info.SegmentResults {
		seg.EndedAt, seg.Duration = at.UnixNano(), at.UnixNano()-seg.StartedAt
	}
	for _, img := range info.ImageResults {
		img.EndedAt = at.UnixNano()
	}
	countParts(info, at)
	for _, st := range info.StreamResults {
		st.EndedAt, st.Duration, st.Status = at.UnixNano(), at.UnixNano()-st.StartedAt, livekit.StreamInfo_FINISHED
	}
	setLegacyResult(info)
}

// countParts records what was stored piece by piece, which is known before the files are closed
// (v2-media).
func countParts(info *livekit.EgressInfo, at time.Time) {
	for _, seg := range info.SegmentResults {
		length := at.UnixNano() - seg.StartedAt
		seg.Size, seg.SegmentCount = sizeOf(length), length/int64(segmentLength)+1
		seg.PlaylistLocation = seg.PlaylistName
	}
	for _, img := range info.ImageResults {
		img.ImageCount = (at.UnixNano()-img.StartedAt)/int64(5*time.Second) + 1
	}
}

// sizeOf returns the size of media of this length.
func sizeOf(nanoseconds int64) int64 { return nanoseconds * bytesPerSecond / int64(time.Second) }

// setLegacyResult repeats a single result in the deprecated field, as LiveKit does.
func setLegacyResult(info *livekit.EgressInfo) {
	info.Result = nil
	if len(info.FileResults)+len(info.SegmentResults)+len(info.ImageResults)+len(info.StreamResults) != 1 && len(info.StreamResults) == 0 {
		return
	}
	switch {
	case len(info.FileResults) == 1:
		info.Result = &livekit.EgressInfo_File{File: proto.CloneOf(info.FileResults[0])}
	case len(info.SegmentResults) == 1:
		info.Result = &livekit.EgressInfo_Segments{Segments: proto.CloneOf(info.SegmentResults[0])}
	case len(info.StreamResults) > 0 && len(info.FileResults)+len(info.SegmentResults)+len(info.ImageResults) == 0:
		info.Result = &livekit.EgressInfo_Stream{Stream: &livekit.StreamInfoList{Info: info.StreamResults}}
	}
}

// uploadFailure returns LiveKit's error for a path that it cannot write, or for a key that S3 does not know (bad-path-perm,
// s3-403).
func uploadFailure(info *livekit.EgressInfo) string {
	if files := outputsOf(info).files; len(files) > 0 && (files[0].upload == nil || files[0].upload.GetS3() == nil) {
		return "Local upload failed: open " + info.FileResults[0].Filename + ": permission denied"
	}
	return "S3 upload failed: err: operation error S3: PutObject, https response error StatusCode: 403, RequestID: , HostID: , " +
		"api error InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records., status code: 403"
}

// resolve fills in a path template. LiveKit leaves a placeholder unchanged while its value is unknown.
func resolve(template string, info *livekit.EgressInfo, at time.Time, publisher string) string {
	pairs := []string{
		"{room_name}", info.RoomName, "{room_id}", info.RoomId,
		"{time}", at.UTC().Format("2006-01-02T150405"), "{utc}", at.UTC().Format("20060102150405"),
	}
	if publisher != "" {
		pairs = append(pairs, "{publisher_identity}", publisher)
	}
	if track := info.GetTrack(); track != nil {
		pairs = append(pairs, "{track_id}", track.TrackId)
	}
	return strings.NewReplacer(pairs...).Replace(template)
}
