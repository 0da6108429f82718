package fakelivekit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// storeMedia writes the files and segments that a result lists, as silence of the stated duration.
func (s *Server) storeMedia(e *egress) {
	if s.cfg.Store == nil || e.has(MediaMissing) {
		return
	}
	for _, f := range e.Info.FileResults {
		s.store(e, f.Filename, silence(f.Size))
	}
	for i, seg := range e.Info.SegmentResults {
		s.storeSegments(e, outputsOf(e.Info.EgressInfo).segments[i], seg)
	}
	for _, img := range e.Info.ImageResults {
		for n := range img.ImageCount {
			s.store(e, fmt.Sprintf("%s_%05d.jpeg", img.FilenamePrefix, n), []byte("\xff\xd8\xff\xd9"))
		}
	}
	if at := e.Info.ManifestLocation; at != "" {
		s.store(e, at, []byte(`{"egress_id":"`+e.id()+`"}`))
	}
}

// storeSegments writes the segments of a result, with both of its playlists.
func (s *Server) storeSegments(e *egress, out segmentOutput, seg *livekit.SegmentsInfo) {
	var list strings.Builder
	list.WriteString("#EXTM3U\n#EXT-X-TARGETDURATION:4\n")
	prefix, left := segmentPrefix(out, seg), seg.Size
	for n := range seg.SegmentCount {
		size := min(left, sizeOf(int64(segmentLength)))
		if n == seg.SegmentCount-1 {
			size = left
		}
		left -= size
		name := fmt.Sprintf("%s_%05d.ts", prefix, n)
		s.store(e, name, silence(size))
		fmt.Fprintf(&list, "#EXTINF:%.3f,\n%s\n", float64(size)/bytesPerSecond, path.Base(name))
	}
	list.WriteString("#EXT-X-ENDLIST\n")
	for _, name := range []string{seg.PlaylistName, seg.LivePlaylistName} {
		if name != "" {
			s.store(e, name, []byte(list.String()))
		}
	}
}

// leaveSegments writes the segments of a recording whose worker dies at this moment, but no playlist.
func (s *Server) leaveSegments(e *egress, at time.Time) {
	if s.cfg.Store == nil {
		return
	}
	outs := outputsOf(e.Info.EgressInfo)
	for i, seg := range e.Info.SegmentResults {
		for n := range (at.UnixNano()-seg.StartedAt)/int64(segmentLength) + 1 {
			s.store(e, fmt.Sprintf("%s_%05d.ts", segmentPrefix(outs.segments[i], seg), n), silence(sizeOf(int64(segmentLength))))
		}
	}
}

func (s *Server) store(e *egress, name string, media []byte) {
	if e.has(MediaEmpty) {
		media = nil
	}
	if err := s.cfg.Store(name, media); err != nil {
		s.log.Error("media not stored", "egressID", e.id(), "path", name, "error", err)
	}
}

// segmentPrefix returns the beginning of the segments' names: beside the playlist, or below it if the prefix has
// another directory, and the playlist's name if no prefix is requested.
func segmentPrefix(out segmentOutput, seg *livekit.SegmentsInfo) string {
	dir, name := path.Split(out.GetFilenamePrefix())
	if playlistDir, _ := path.Split(seg.PlaylistName); dir != playlistDir {
		dir = path.Join(playlistDir, dir)
	}
	if name == "" {
		name = strings.TrimSuffix(path.Base(seg.PlaylistName), path.Ext(seg.PlaylistName))
	}
	return path.Join(dir, name)
}

// silence returns a WAV file of the given size in bytes. Its bit rate is that of the recordings, so that it plays for
// as long as was recorded: players go by a file's content, not its name.
func silence(size int64) []byte {
	const header = 44
	if size < header {
		return bytes.Repeat([]byte{0x80}, int(max(0, size)))
	}
	var b bytes.Buffer
	b.Grow(int(size))
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(size-8))
	b.WriteString("WAVEfmt ")
	_ = binary.Write(&b, binary.LittleEndian, struct {
		Length         uint32
		Format, Tracks uint16
		Rate, Bytes    uint32
		Block, Bits    uint16
	}{16, 1, 1, bytesPerSecond, bytesPerSecond, 1, 8})
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(size-header))
	b.Write(bytes.Repeat([]byte{0x80}, int(size-header)))
	return b.Bytes()
}
