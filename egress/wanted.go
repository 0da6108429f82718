package egress

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Wanted is one thing that must be in the store, according to LiveKit.
type Wanted struct {
	To   Destination
	File MediaFile // Kind, Path, Location and Want; for a set also the Count that must be there
	// Length is how long it must play, 0 if LiveKit does not say.
	Length Duration
	// Playlist is the playlist by which a set of segments is found.
	Playlist string
	// Under are possible prefixes of the paths in the store, if LiveKit's location has more than
	// its path: LiveKit's egress service may be configured with a prefix for all that it writes.
	Under []string
	// Since is when it was begun: an object that is much older belongs to another recording. Zero
	// if LiveKit does not say.
	Since time.Time
	// Silence lists the findings that count as silence. Empty if no sound is wanted.
	Silence []Sound
}

// Wants returns what must exist at a request's destinations according to the result of an egress.
// It is empty for one that only streams.
func Wants(i Info, to []Destination) []Wanted {
	m := i.Proto()
	var all []Wanted
	for n, f := range fileResults(m) {
		all = append(all, Wanted{
			To: nth(to, OutputFile, n), Since: unixNano(f.GetStartedAt()), Length: lengthOf(f, m), Silence: soundless(m),
			File: MediaFile{Kind: OutputFile, Path: f.GetFilename(), Location: plainURL(f.GetLocation(), f.GetFilename()), Want: f.GetSize()},
		})
	}
	for n, s := range segmentResults(m) {
		all = append(all, segmentWants(s, nth(to, OutputSegments, n), m)...)
	}
	for n, g := range m.GetImageResults() {
		w := Wanted{To: nth(to, OutputImages, n), Since: unixNano(g.GetStartedAt()), File: MediaFile{Kind: OutputImages, Path: g.GetFilenamePrefix(), Count: int(g.GetImageCount())}}
		if w.To.Overwritten { // LiveKit counts each one that it captured
			w.File.Count = min(1, w.File.Count)
		}
		all = append(all, w)
	}
	all = append(all, manifestWants(m, all)...)
	for n := range all {
		if all[n].Under == nil {
			all[n].Under = under(all[n].File.Location, all[n].File.Path)
		}
	}
	return all
}

// under returns what may stand before a path in a location: with and without its first element,
// which may be the bucket, or the directory if the location is of a local file. LiveKit's uploader
// cleans a path, as in a/{room_name} for the room /b.
func under(location, file string) []string {
	file = path.Join(file)
	scheme, rest, remote := strings.Cut(location, "://")
	if remote {
		_, location, _ = strings.Cut(rest, "/")
		if plain, err := url.PathUnescape(location); err == nil && !strings.HasSuffix(location, file) {
			location = plain // a presigned one is escaped
		}
	}
	local := remote && scheme == "file" || !remote && path.IsAbs(location)
	before, found := strings.CutSuffix(path.Join("/", location), path.Join("/", file))
	if found && local {
		return []string{before + "/"}
	}
	if before = strings.TrimPrefix(before, "/"); !found || before == "" {
		return nil
	}
	prefixes := []string{before + "/"}
	if _, rest, more := strings.Cut(before, "/"); more {
		prefixes = append(prefixes, rest+"/")
	}
	return prefixes
}

func segmentWants(s *livekit.SegmentsInfo, to Destination, m *livekit.EgressInfo) []Wanted {
	since := unixNano(s.GetStartedAt())
	all := []Wanted{{To: to, Since: since, File: MediaFile{Kind: OutputPlaylist, Path: s.GetPlaylistName(), Location: plainURL(s.GetPlaylistLocation(), s.GetPlaylistName())}}}
	if live := s.GetLivePlaylistName(); live != "" {
		all = append(all, Wanted{To: to, Since: since, File: MediaFile{Kind: OutputPlaylist, Path: live, Location: plainURL(s.GetLivePlaylistLocation(), live)}})
	}
	return append(all, Wanted{
		To: to, Length: lengthOf(s, m), Playlist: s.GetPlaylistName(),
		Under: under(plainURL(s.GetPlaylistLocation(), s.GetPlaylistName()), s.GetPlaylistName()), Since: since,
		File: MediaFile{Kind: OutputSegments, Path: segmentPrefix(to, m), Count: int(s.GetSegmentCount()), Want: s.GetSize()},
	})
}

// manifestWants adds the manifest, which LiveKit puts beside the media under the egress's ID.
func manifestWants(m *livekit.EgressInfo, media []Wanted) []Wanted {
	for _, w := range media {
		at := path.Join(path.Dir(w.File.Path), m.GetEgressId()+".json")
		location := plainURL(m.GetManifestLocation(), at)
		if w.File.Path != "" && strings.HasSuffix(location, at) {
			return []Wanted{{To: w.To, Since: w.Since, File: MediaFile{Kind: outputManifest, Path: at, Location: location}}}
		}
	}
	return nil
}

// fileResults returns the files of a result, or the deprecated single file if there is no list.
func fileResults(m *livekit.EgressInfo) []*livekit.FileInfo {
	if list := m.GetFileResults(); len(list) > 0 || m.GetFile() == nil {
		return list
	}
	return []*livekit.FileInfo{m.GetFile()}
}

func segmentResults(m *livekit.EgressInfo) []*livekit.SegmentsInfo {
	if list := m.GetSegmentResults(); len(list) > 0 || m.GetSegments() == nil {
		return list
	}
	return []*livekit.SegmentsInfo{m.GetSegments()}
}

// nth returns the destination of the nth result of a kind, or one without a store if the request
// has none, so that nobody looks in the wrong place.
func nth(to []Destination, kind string, n int) Destination {
	for _, d := range to {
		if d.Kind == kind && d.Nth == n {
			return d
		}
	}
	return Destination{}
}

// timed is the result of an output that plays.
type timed interface {
	GetStartedAt() int64
	GetEndedAt() int64
	GetDuration() int64
}

// lengthOf returns how long media must play: the shorter of what LiveKit measured and the time
// from its start to its end. LiveKit has been seen to report an end before the start. Where a track
// joined late, egress services with a server-sdk-go from before March 2026 (its pull request 859)
// report an end, and a duration, that are too late by as much; but no media ends after its egress.
func lengthOf(of timed, m *livekit.EgressInfo) Duration {
	measured, started, ended := of.GetDuration(), of.GetStartedAt(), of.GetEndedAt()
	if over := m.GetEndedAt(); over > started {
		ended = min(ended, over)
	}
	between := ended - started
	switch {
	case started == 0 || between <= 0:
		return Duration(max(0, measured))
	case measured <= 0:
		return Duration(between)
	default:
		return Duration(min(measured, between))
	}
}

// plainURL returns a file's location without what may hold a credential. LiveKit escapes a question
// mark in a name only where a query follows.
func plainURL(location, file string) string {
	if strings.Contains(location, "://") && (file == "" || !strings.HasSuffix(location, path.Join("/", file))) {
		location, _, _ = strings.Cut(location, "?")
	}
	return location
}

// Fresh returns the objects whose time allows that they belong to this recording.
func (w Wanted) Fresh(listed []Object) []Object {
	return slices.DeleteFunc(slices.Clone(listed), func(o Object) bool {
		return !o.Modified.IsZero() && o.Modified.Before(w.Since.Add(-uploadLag))
	})
}

// segmentPrefix returns what the names of a destination's segments begin with, up to the first
// placeholder that only LiveKit fills in.
func segmentPrefix(to Destination, m *livekit.EgressInfo) string {
	prefix, _, _ := strings.Cut(segmentTemplate(to, m), "{")
	return prefix
}

// segmentTemplate returns what the names of a destination's segments begin with, including the
// placeholders that only LiveKit fills in.
func segmentTemplate(to Destination, m *livekit.EgressInfo) string {
	dir, playlist := path.Split(cleanPath(to.Playlist))
	return segmentsOf(to, m, dir, strings.TrimSuffix(playlist, path.Ext(playlist)))
}

// segmentsOf applies LiveKit's rule for the names of segments: in the playlist's directory, or
// below it if the prefix names another one. If the prefix has no name, or the request no playlist,
// both have the same name.
func segmentsOf(to Destination, m *livekit.EgressInfo, playlistDir, playlist string) string {
	dir, name := path.Split(cleanPath(to.Path))
	asked, list := path.Split(cleanPath(to.Playlist))
	if name == "" || asked+list == "" && playlist != "" {
		name = playlist
	}
	switch {
	case dir != "" && asked != "" && dir != asked:
		playlistDir = path.Join(playlistDir, dir) + "/"
	case playlistDir == "":
		playlistDir = dir
	}
	return strings.NewReplacer("{room_name}", m.GetRoomName(), "{room_id}", m.GetRoomId()).Replace(playlistDir + name)
}

// The slack is how much shorter than LiveKit reports media may play: a recorder waits up to a few
// seconds for the first key frame, and its clock and the media's differ a little.
const (
	lengthSlack        = 5 * time.Second
	lengthSlackPercent = 5
)

// tooShort reports whether media plays for less than it plausibly should.
func tooShort(length, want Duration) bool {
	slack := lengthSlack + want.D()*lengthSlackPercent/100
	return length.D() < want.D()-slack
}
