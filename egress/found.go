package egress

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Object is what a store has at a path.
type Object struct {
	Path     string
	Size     int64 // bytes
	Modified time.Time
}

// Found is what a store says of one thing that is wanted.
type Found struct {
	Unseen string // why nobody could look, in words; empty where somebody did
	There  bool
	Older  time.Time // when what is there instead was written, before the recording began
	At     string    // where it is, if not at the path that LiveKit names
	Size   int64     // bytes; of a set, of all that is there
	Count  int       // of a set, how many are there
	Hollow int       // of a set, how many of them hold nothing
	// Length is how long it plays, 0 where nobody could say.
	Length Duration
	// Unplayable is why a player cannot read it, in words.
	Unplayable string
	// Unplayed says that there was no time to play it.
	Unplayed bool
	// Sound is what was heard in it, empty where nobody could say.
	Sound Sound
	// Unheard says that there was no time to listen to it.
	Unheard bool
}

// Judge is what a thing that is wanted comes to, with the evidence in words where it is
// not present, is silent, or could not be played in time: a missing one before an empty
// before a truncated one.
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
		file.Silent = slices.Contains(w.Silence, f.Sound)
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

// set reports whether it is many objects.
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

// judgeLength holds bytes and playing time against LiveKit's word.
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

// remark is what is to be said of a thing that is present, in words; mostly nothing.
func (w Wanted) remark(f Found) string {
	switch {
	case slices.Contains(w.Silence, f.Sound):
		return f.Sound.words()
	case f.Unplayed:
		return "is there, but whether it plays could not be checked in time"
	case f.Unheard:
		return "is there, but could not be listened to in time"
	}
	return ""
}

// gravity orders what can be found: a report is as bad as its worst file. That nobody
// could look at one outweighs that another is present, which has none, since present
// means all.
var gravity = map[Media]int{MediaMissing: 4, MediaEmpty: 3, MediaTruncated: 2, MediaUnchecked: 1}

// longestReport is how many files a report holds at most: it is in the history.
const longestReport = 50

// Add takes what one more thing came to into the report.
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

// Of reports whether it is of the same objects as another: as many, of the same paths and sizes.
func (r MediaReport) Of(other MediaReport) bool {
	return slices.EqualFunc(r.Files, other.Files, func(a, b MediaFile) bool { return a.Path == b.Path && a.Size == b.Size })
}

// Alarming reports whether people should be told.
func (m Media) Alarming() bool {
	return m == MediaMissing || m == MediaEmpty || m == MediaTruncated
}

// Unchecked is the report of media that nobody looks at.
func Unchecked(because string) MediaReport {
	return MediaReport{Media: MediaUnchecked, Because: because}
}

// NoteMedia notes what verify found of a part, the one that this is or one before, and
// tells it in the story.
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

// String is the report in words, for people.
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
