package egress

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What an egress that failed or is lost leaves behind is segments, written piece by piece.
// LiveKit tells nobody of them.

// Leftover is segments that belong together, in their order.
type Leftover struct {
	Base     string // how their names begin
	Segments []Object
}

// Playlist is the path of the playlist that is made for them.
func (l Leftover) Playlist() string { return l.Base + "-salvaged.m3u8" }

// Has counts the segments of a playlist that are among them.
func (l Leftover) Has(playlist []Segment) (n int) {
	among := make(map[string]bool, len(l.Segments))
	for _, o := range l.Segments {
		among[o.Path] = true
	}
	for _, s := range playlist {
		if among[s.Path] {
			n++
		}
	}
	return n
}

// segmentName is LiveKit's: the prefix, an index of five digits or a time, and MPEG-TS.
var segmentName = regexp.MustCompile(`^(.*)_(\d{5,17})\.(ts|m4s)$`)

func numbered(name string) (base string, number int64, ok bool) {
	m := segmentName.FindStringSubmatch(name)
	if m == nil {
		return "", 0, false
	}
	number, err := strconv.ParseInt(m[2], 10, 64)
	return m[1], number, err == nil
}

// SegmentBase is how the names of a destination's segments begin, up to their numbers: by
// LiveKit's rule, from what it named the playlist in its result. It is empty where that does
// not say: what another recording wrote beside it could be taken for this one's.
func SegmentBase(i Info, to Destination) string {
	m := i.Proto()
	base := segmentTemplate(to, m)
	if list := segmentResults(m); to.Nth < len(list) && list[to.Nth].GetPlaylistName() != "" {
		dir, playlist := path.Split(strings.TrimSuffix(list[to.Nth].GetPlaylistName(), ".m3u8"))
		base = segmentsOf(to, m, dir, playlist)
	}
	if base == "" || strings.HasSuffix(base, "/") || placeholderInPath.MatchString(base) {
		return ""
	}
	return path.Clean(base)
}

// placeholderInPath is one that LiveKit fills in.
var placeholderInPath = regexp.MustCompile(`\{[a-z_]+\}`)

// uploadLag is how much before a start and after an end an object's time may lie: clocks
// differ, and the last segment is still to be uploaded.
const uploadLag = 2 * time.Minute

// Salvage sorts out of what was listed the segments of that base which were written between
// two moments: an earlier recording may have left some under the same name.
func Salvage(base string, listed []Object, from, until time.Time) Leftover {
	left := Leftover{Base: base, Segments: slices.DeleteFunc(slices.Clone(listed), func(o Object) bool {
		of, _, ok := numbered(o.Path)
		return !ok || of != base || o.Size == 0 || o.Modified.Before(from.Add(-uploadLag)) || o.Modified.After(until.Add(uploadLag))
	})}
	slices.SortFunc(left.Segments, func(a, b Object) int {
		_, m, _ := numbered(a.Path)
		_, n, _ := numbered(b.Path)
		return cmp.Compare(m, n)
	})
	left.Segments = slices.DeleteFunc(left.Segments, left.before(from))
	return left
}

const (
	// lastIndex is the highest number that is an index. A longer one is a time.
	lastIndex = 99_999
	// uploadTurn is by how much a segment may be uploaded before one of a lower number.
	uploadTurn = 10 * time.Second
)

// before tells segments of the recording before, which ended just before this one began: their
// numbers go on behind those that this one has written over, or it has written none at all. By
// a store's clock that is behind, ours seem to be older than its beginning, too, but in their
// order.
func (l Leftover) before(from time.Time) func(Object) bool {
	if len(l.Segments) == 0 {
		return nil
	}
	first := l.Segments[0]
	_, number, _ := numbered(first.Path)
	limit := from
	if number == 0 && first.Modified.Before(from) { // its clock is behind
		limit = first.Modified.Add(-uploadTurn)
	}
	return func(o Object) bool { return number <= lastIndex && o.Modified.Before(limit) }
}

// segmentLength is how long a segment of LiveKit's is where the request does not say.
const segmentLength = 4 * time.Second

// Lengths gives segments their lengths: those of LiveKit's own playlists where they are
// in one, what was probed, and else what the request asks for, which may be off. The word
// for where they come from is the worst of them.
func (l Leftover) Lengths(to Destination, known, probed map[string]Duration) (segments []Segment, source string) {
	asked := Duration(cmp.Or(time.Duration(to.Segment)*time.Second, segmentLength))
	source = "LiveKit's own playlist"
	for _, o := range l.Segments {
		s := Segment{Path: o.Path, Length: cmp.Or(known[o.Path], probed[o.Path])}
		switch {
		case s.Length == 0:
			s.Length, source = asked, "the request's segment_duration"
		case known[o.Path] == 0 && !strings.Contains(source, "request"):
			source = "ffprobe"
		}
		segments = append(segments, s)
	}
	return segments, source
}

// Numbered are the segments among what was listed.
func Numbered(listed []Object) []Object {
	return slices.DeleteFunc(slices.Clone(listed), func(o Object) bool {
		_, _, ok := numbered(o.Path)
		return !ok
	})
}

// imageName is LiveKit's, behind the prefix: with a number or a time, but where each image
// takes the place of the one before.
var imageName = regexp.MustCompile(`^(_\d{5,17})?\.(jpeg|jpg|png|webp)$`)

// Images are the images of a prefix among what was listed.
func Images(prefix string, overwritten bool, listed []Object) []Object {
	return slices.DeleteFunc(slices.Clone(listed), func(o Object) bool {
		m := imageName.FindStringSubmatch(strings.TrimPrefix(o.Path, prefix))
		return m == nil || (m[1] == "") != overwritten
	})
}
