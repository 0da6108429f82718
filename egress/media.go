package egress

// Media says whether the recorded media is really there.
type Media string

// What `verify` can find.
const (
	MediaPresent   Media = "present"   // every file of the result is there, as LiveKit says
	MediaMissing   Media = "missing"   // a file of the result is not there
	MediaEmpty     Media = "empty"     // a file is there, and holds nothing
	MediaTruncated Media = "truncated" // a file is shorter than it should be
	MediaUnchecked Media = "unchecked" // nobody could look, which is never an alarm
)

// Medias lists every Media, for metrics whose labels exist from the start.
func Medias() []Media {
	return []Media{MediaPresent, MediaMissing, MediaEmpty, MediaTruncated, MediaUnchecked}
}

// MediaReport is what `verify` found in the object store.
type MediaReport struct {
	Media   Media       `json:"media"`
	Because string      `json:"because,omitempty"` // the evidence in words, if it is not present, is silent or unfinished, or could not be played in time
	Files   []MediaFile `json:"files,omitempty"`
}

// MediaFile is one file, playlist, or set of segments or images of a result.
type MediaFile struct {
	Kind     string   `json:"kind"`               // one of the Output kinds
	Path     string   `json:"path"`               // its key in the store; for a set, the common prefix of the keys
	Location string   `json:"location,omitempty"` // where LiveKit says that it is
	Count    int      `json:"count,omitempty"`    // for a set, the number of objects
	Size     int64    `json:"size"`               // bytes in the store
	Want     int64    `json:"want,omitempty"`     // bytes that LiveKit reports, if it does
	Length   Duration `json:"length,omitempty"`   // playing time, if it was probed
	Media    Media    `json:"media"`
	// Silent says that the request wants sound and none was heard. The file counts as present all
	// the same.
	Silent bool `json:"silent,omitempty"`
	// Unfinished says that a playlist lacks the mark of its end: LiveKit's last upload of it failed,
	// or another recording wrote it. It counts as present all the same.
	Unfinished bool `json:"unfinished,omitempty"`
}
