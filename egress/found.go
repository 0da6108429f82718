package egress

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Object is what a store holds at a path.
type Object struct {
	Path     string
	Size     int64 // bytes
	Modified time.Time
}

// Found is what a store says of one wanted thing.
type Found struct {
	Unseen string // why nobody could look, in words; empty if somebody did
	There  bool
	// Written is when the object there was written, zero if unknown, and Older likewise, if that was
	// before the recording began.
	Written, Older time.Time
	At             string // of one object: where it is, which may not be the path that LiveKit names
	Size           int64  // bytes; for a set, the total
	Count          int    // for a set, the number of objects
	Hollow         int    // for a set, the number of empty objects
	// Early says that a set seems to be of before the recording, but is the recording's by its number
	// and size: the clocks of the store and of LiveKit's egress service differ.
	Early bool
	// Length is the playing time, 0 if unknown.
	Length Duration
	// Unfinished says that it is a playlist without an end.
	Unfinished bool
	// Unplayable is why a player cannot read it, in words.
	Unplayable string
	// Unplayed says that there was no time to play it.
	Unplayed bool
	// Heavy says that playing it would take more memory than a player gets.
	Heavy bool
	// Sound is what was heard in it, empty if unknown.
	Sound Sound
	// Unheard says that there was no time to listen to it.
	Unheard bool
}

// Judge returns the verdict on a wanted thing, with the evidence in words if it is not present, is
// silent or unfinished, or could not be played. Missing takes precedence over empty, and
// empty over truncated.
func (w Wanted) Judge(f Found) (MediaFile, string) {
	file := w.File
	file.Size, file.Length = f.Size, f.Length
	media, why := MediaPresent, ""
	switch {
	case f.Unseen != "":
		media, why = MediaUnchecked, f.Unseen
	case w.set():
		media, why = w.judgeSet(f)
	case !f.There && !f.Older.IsZero():
		media, why = MediaMissing, "is not there, but an older one of "+f.Older.UTC().Format(time.RFC3339)
	case !f.There:
		media, why = MediaMissing, "is not there"
	case f.Size == 0:
		media, why = MediaEmpty, "holds nothing"
	}
	if media == MediaPresent {
		media, why = w.judgeLength(f)
	}
	if media == MediaPresent {
		file.Silent, file.Unfinished = slices.Contains(w.Silence, f.Sound), f.Unfinished
		why = w.remark(f)
	}
	file.Media = media
	if w.set() {
		file.Count = f.Count
	}
	if why != "" {
		why = fmt.Sprintf("%s %s %s", file.Kind, file.Path, why)
	}
	return file, why
}

// set reports whether w consists of many objects.
func (w Wanted) set() bool { return w.File.Kind == OutputSegments || w.File.Kind == OutputImages }

func (w Wanted) judgeSet(f Found) (Media, string) {
	switch {
	case f.Count < max(w.File.Count, min(1, len(w.Playlist))):
		return MediaMissing, fmt.Sprintf("are %d of %d", f.Count, w.File.Count)
	case f.Hollow > 0:
		return MediaEmpty, fmt.Sprintf("are %d of which %d hold nothing", f.Count, f.Hollow)
	}
	return MediaPresent, ""
}

// judgeLength compares size and playing time with what LiveKit reports.
func (w Wanted) judgeLength(f Found) (Media, string) {
	switch {
	case f.Size < w.File.Want:
		return MediaTruncated, fmt.Sprintf("has %d of %d bytes", f.Size, w.File.Want)
	case f.Unplayable != "":
		return MediaTruncated, "cannot be played: " + f.Unplayable
	case f.Length > 0 && tooShort(f.Length, w.Length):
		return MediaTruncated, fmt.Sprintf("plays for %s of %s", round(f.Length.D()), round(w.Length.D()))
	}
	return MediaPresent, ""
}

// remark returns what to say of a thing that is present, in words; mostly nothing.
func (w Wanted) remark(f Found) string {
	switch {
	case slices.Contains(w.Silence, f.Sound):
		return f.Sound.words()
	case f.Unfinished:
		return "is there, but without " + endMark + ": players take it for a live one"
	case f.Unplayed:
		return "is there, but whether it plays could not be checked in time"
	case f.Heavy:
		return "is there, but whether it plays could not be checked: that takes too much memory"
	case f.Unheard:
		return "is there, but could not be listened to in time"
	}
	return ""
}

// gravity orders what can be found: a report is as bad as its worst file. Unchecked outweighs
// present, which has no entry, since present means all.
var gravity = map[Media]int{MediaMissing: 4, MediaEmpty: 3, MediaTruncated: 2, MediaUnchecked: 1}

// longestReport is the most files that a report holds, since the history keeps it.
const longestReport = 50

// Add adds the verdict on one more thing to the report.
func (r *MediaReport) Add(f MediaFile, why string) {
	if r.Media == "" || gravity[f.Media] > gravity[r.Media] {
		r.Media = f.Media
	}
	if why != "" && len(r.Because) < maxBecause/2 {
		r.Because = strings.TrimPrefix(r.Because+"; "+cut(why, longestWhy), "; ")
	}
	if len(r.Files) < longestReport {
		r.Files = append(r.Files, f)
	}
}

// Of reports whether both reports list the same objects: as many, with the same paths and sizes.
func (r MediaReport) Of(other MediaReport) bool {
	return slices.EqualFunc(r.Files, other.Files, func(a, b MediaFile) bool { return a.Path == b.Path && a.Size == b.Size })
}

// Keeps reports whether a report still lists what an earlier one does, and none of it is smaller.
func (r MediaReport) Keeps(earlier MediaReport) bool {
	return !slices.ContainsFunc(earlier.Files, func(before MediaFile) bool {
		return !slices.ContainsFunc(r.Files, func(now MediaFile) bool {
			return now.Kind == before.Kind && now.Path == before.Path && now.Size >= before.Size
		})
	})
}

// Alarming reports whether people should be told.
func (m Media) Alarming() bool {
	return m == MediaMissing || m == MediaEmpty || m == MediaTruncated
}

// Unchecked returns the report of media that nobody checked.
func Unchecked(because string) MediaReport {
	return MediaReport{Media: MediaUnchecked, Because: because}
}

// NoteMedia notes what verify found of a part, the current one or an earlier one, and adds it to
// the story.
func (s *State) NoteMedia(part int, r MediaReport, at time.Time) {
	what := r.String()
	if part == s.Part {
		s.Media = &r
	} else {
		i := slices.IndexFunc(s.Parts, func(p Part) bool { return p.Number == part })
		if i < 0 {
			return
		}
		s.Parts = slices.Clone(s.Parts)
		s.Parts[i].Media = &r
		what = fmt.Sprintf("of part %d, %s", part, what)
	}
	if r.Media != MediaUnchecked || len(r.Files) > 0 {
		s.note(Beat{At: at, What: what})
	}
}

// NumberOf returns the number of the part that an egress is, 0 if it is none. A part may get another
// number, since what turns out to have ended before it is put there.
func (s *State) NumberOf(egressID string) int {
	if i := s.earlier(egressID); i >= 0 {
		return s.Parts[i].Number
	}
	if s.ID == egressID {
		return s.Part
	}
	return 0
}

// String returns the report in words.
func (r MediaReport) String() string {
	text := "its media is " + string(r.Media)
	if r.Because != "" {
		return text + ": " + r.Because
	}
	var bytes int64
	for _, f := range r.Files {
		bytes += f.Size
	}
	return fmt.Sprintf("%s: %d found, %d bytes in all", text, len(r.Files), bytes)
}
