package egress

import (
	"bytes"
	"fmt"
	"math"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Segment is one entry of a playlist.
type Segment struct {
	Path   string // in the store
	Length Duration
}

// ParsePlaylist reads the HLS media playlist at a path and returns at most that many of its
// segments, whose names are relative to that path. It skips what it does not know.
func ParsePlaylist(at string, text []byte, most int) []Segment {
	var all []Segment
	var length Duration
	for line := range strings.Lines(string(text)) {
		if len(all) == most {
			break
		}
		line = strings.TrimRight(line, "\r\n\t ") // a name may begin with a space
		if info, ok := strings.CutPrefix(line, "#EXTINF:"); ok {
			seconds, _, _ := strings.Cut(info, ",")
			if n, err := strconv.ParseFloat(seconds, 64); err == nil && n >= 0 && n < 1e6 {
				length = Duration(n * float64(time.Second))
			}
		}
		if line == "" || strings.HasPrefix(line, "#") || strings.Contains(line, "://") {
			continue
		}
		all = append(all, Segment{Path: path.Join(path.Dir(at), line), Length: length})
		length = 0
	}
	return all
}

// endMark ends a playlist to which nothing is added any more. Players take one without it for that
// of a live stream.
const endMark = "#EXT-X-ENDLIST"

// Finished reports whether the text of a playlist, or its end, holds the mark.
func Finished(text []byte) bool { return bytes.Contains(text, []byte(endMark)) }

// FindSegments returns what a store says of a playlist's segments, given the listed objects. The
// length is the playlist's own.
func FindSegments(segments []Segment, listed []Object) Found {
	sizes := map[string]int64{}
	for _, o := range listed {
		sizes[o.Path] = o.Size
	}
	var f Found
	for _, s := range segments {
		size, there := sizes[s.Path]
		if !there {
			continue
		}
		f.Count++
		f.Size += size
		f.Length += s.Length
		if size == 0 {
			f.Hollow++
		}
	}
	f.There = f.Count > 0
	return f
}

// FindSet returns what a store says of a set that consists of all listed objects.
func FindSet(listed []Object) Found {
	f := Found{There: len(listed) > 0, Count: len(listed)}
	for _, o := range listed {
		f.Size += o.Size
		if o.Size == 0 {
			f.Hollow++
		}
	}
	return f
}

// CommonPrefix returns the common prefix of all segments, to list them by.
func CommonPrefix(segments []Segment) string {
	if len(segments) == 0 {
		return ""
	}
	prefix := segments[0].Path
	for _, s := range segments[1:] {
		for !strings.HasPrefix(s.Path, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

// WritePlaylist returns a finished playlist, to be stored at a path, of segments beside it. Where
// numbers are missing between two segments, it marks a discontinuity.
func WritePlaylist(at string, segments []Segment) []byte {
	longest := slices.MaxFunc(segments, func(a, b Segment) int { return int(a.Length - b.Length) })
	dir, _ := path.Split(at)
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:0\n",
		int(math.Ceil(longest.Length.D().Seconds())))
	for i, s := range segments {
		if i > 0 && gap(segments[i-1].Path, s.Path) {
			b.WriteString("#EXT-X-DISCONTINUITY\n")
		}
		fmt.Fprintf(&b, "#EXTINF:%.3f,\n%s\n", s.Length.D().Seconds(), reference(strings.TrimPrefix(s.Path, dir)))
	}
	b.WriteString(endMark + "\n")
	return []byte(b.String())
}

// escapes are for what players do not take for a part of a name. The rest, such as spaces, stays as
// LiveKit writes it, since ffmpeg finds no local file by an escaped name.
var escapes = strings.NewReplacer("%", "%25", "#", "%23", "?", "%3F", `\`, "%5C", "\t", "%09", "\r", "%0D", "\n", "%0A")

// reference returns a name as an entry of a playlist, which is the reference to a URL.
func reference(name string) string {
	if strings.Contains(name, ":") || strings.HasPrefix(name, " ") { // a scheme, or to be trimmed
		name = "./" + name
	}
	return escapes.Replace(name)
}

// Unescape returns segments of a playlist that WritePlaylist wrote by the names that they have in
// the store.
func Unescape(segments []Segment) []Segment {
	segments = slices.Clone(segments)
	for i, s := range segments {
		dir, escaped := path.Split(s.Path)
		if name, err := url.PathUnescape(escaped); err == nil {
			segments[i].Path = dir + name
		}
	}
	return segments
}

// gap reports whether the numbers of two segments are not consecutive. Numbers that are times do
// not tell.
func gap(before, after string) bool {
	_, a, okA := numbered(before)
	_, b, okB := numbered(after)
	return okA && okB && a < timesFrom && b != a+1
}

// timesFrom is the least number that is a time: LiveKit writes times as 20060102150405 and
// milliseconds.
const timesFrom = 10_000_000_000
