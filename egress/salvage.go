package egress

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// An egress that failed or is lost leaves segments behind, written one by one. LiveKit tells
// nobody of them. A lost one may even have ended well, and only LiveKit does not know.

// MediaInfo returns the EgressInfo by which to look for the media. If the process that recorded is
// killed, LiveKit's egress service reports the end with the names of the start, when {time} was
// earlier and {publisher_identity} was not known. What that process reported has the names in use.
func (s *State) MediaInfo() Info {
	if s.Named.Known() {
		return s.Named
	}
	return s.Latest
}

// namedBefore returns the last news if an observation is of the end of the same run without a
// whole recording, and names the segments differently. A further end of that run keeps what the
// first one left.
func (s *State) namedBefore(o Observation) Info {
	switch {
	case s.rankOf(o) != rankEnded, o.Info.StatusName().Good(), o.Info.RanAgain(s.Latest):
		return Info{}
	case s.rank() == rankEnded:
		return s.Named
	case s.rank() < rank(livekit.EgressStatus_EGRESS_ACTIVE), sameNames(s.Latest, o.Info):
		return Info{}
	}
	return s.Latest
}

// sameNames reports whether both name the same playlists, which the segments are named after.
func sameNames(a, b Info) bool {
	return slices.EqualFunc(segmentResults(a.Proto()), segmentResults(b.Proto()), func(a, b *livekit.SegmentsInfo) bool {
		return a.GetPlaylistName() == b.GetPlaylistName() && a.GetLivePlaylistName() == b.GetLivePlaylistName()
	})
}

// Left returns the files and images that a lost egress may have left, by the names that LiveKit
// gave them while it recorded. What was written before it began is another recording's: there is no
// size by which to tell them apart.
func Left(i Info, to []Destination) []Wanted {
	left := slices.DeleteFunc(Wants(i, to), func(w Wanted) bool { return w.File.Kind != OutputFile && w.File.Kind != OutputImages })
	for n := range left {
		left[n].Since = later(left[n].Since, unixNano(i.Proto().GetStartedAt())).Add(uploadLag)
	}
	return left
}

// Leftover is an ordered sequence of segments that belong together.
type Leftover struct {
	Base     string // the common prefix of their names
	Segments []Object
}

// Playlist returns the path of the playlist that is made for them.
func (l Leftover) Playlist() string { return l.Base + "-salvaged.m3u8" }

// Has counts the segments of a playlist that are among the leftover ones.
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

// segmentName matches LiveKit's names: the prefix, an index of five digits or a time, and an
// extension.
var segmentName = regexp.MustCompile(`^(.*)_(\d{5,17})\.(ts|m4s)$`)

func numbered(name string) (base string, number int64, ok bool) {
	m := segmentName.FindStringSubmatch(name)
	if m == nil {
		return "", 0, false
	}
	number, err := strconv.ParseInt(m[2], 10, 64)
	return m[1], number, err == nil
}

// SegmentBase returns what the names of a destination's segments begin with, up to their numbers:
// by LiveKit's rule, from the playlist's name in the result. It is empty if that leaves it open,
// since another recording's segments beside it could be taken for this one's.
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

// placeholderInPath matches a placeholder that LiveKit fills in.
var placeholderInPath = regexp.MustCompile(`\{[a-z_]+\}`)

// uploadLag is how far before a start or after an end an object's time may lie: clocks differ, and
// the last segment is still to be uploaded.
const uploadLag = 2 * time.Minute

// Salvage picks from the listed objects the segments with that base that were written between two
// times: an earlier recording may have left some under the same name.
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
	// uploadTurn is how much earlier a segment may be uploaded than one with a lower number.
	uploadTurn = 10 * time.Second
)

// before recognizes segments of the previous recording, which ended just before this one began:
// their numbers continue after those that this one has overwritten, or this one has written none.
// If the store's clock is behind, our own segments seem older than the start, too, but stay in
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

// segmentLength is LiveKit's length of a segment if the request does not say.
const segmentLength = 4 * time.Second

// Lengths gives segments their lengths: from LiveKit's own playlists if they are in one, else as
// probed, else as the request asks, which may be off. source names the least reliable origin used.
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

// Numbered returns the segments among the listed objects.
func Numbered(listed []Object) []Object {
	return slices.DeleteFunc(slices.Clone(listed), func(o Object) bool {
		_, _, ok := numbered(o.Path)
		return !ok
	})
}

// imageName matches LiveKit's names after the prefix: with a number or a time, or with neither if
// each image replaces the one before.
var imageName = regexp.MustCompile(`^(_\d{5,17})?\.(jpeg|jpg|png|webp)$`)

// Images returns the images of a prefix among the listed objects.
func Images(prefix string, overwritten bool, listed []Object) []Object {
	return slices.DeleteFunc(slices.Clone(listed), func(o Object) bool {
		m := imageName.FindStringSubmatch(strings.TrimPrefix(o.Path, prefix))
		return m == nil || (m[1] == "") != overwritten
	})
}
