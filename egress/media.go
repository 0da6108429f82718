package egress

// Media says whether the recorded media is really there.
type Media string

// What `verify` can find.
const (
	MediaPresent   Media = "present"   // every file of the result is there, as LiveKit says
	MediaMissing   Media = "missing"   // a file of the result is not there
	MediaEmpty     Media = "empty"     // one is there, and holds nothing
	MediaTruncated Media = "truncated" // one is shorter than it should be
	MediaUnchecked Media = "unchecked" // nobody could look, which is never an alarm
)

// Medias lists every Media, for metrics whose labels exist from the start.
func Medias() []Media {
	return []Media{MediaPresent, MediaMissing, MediaEmpty, MediaTruncated, MediaUnchecked}
}

// MediaReport is what `verify` found in the object store.
type MediaReport struct {
	Media   Media       `json:"media"`
	Because string      `json:"because,omitempty"` // the evidence in words, where it is not present, is silent, or could not be played in time
	Files   []MediaFile `json:"files,omitempty"`
}

// MediaFile is one file, playlist, or set of segments or images of a result.
type MediaFile struct {
	Kind     string   `json:"kind"`               // file, playlist, segments, images, manifest
	Path     string   `json:"path"`               // its key in the store; of a set, how the keys begin
	Location string   `json:"location,omitempty"` // where LiveKit says that it is
	Count    int      `json:"count,omitempty"`    // of a set, how many are there
	Size     int64    `json:"size"`               // bytes in the store
	Want     int64    `json:"want,omitempty"`     // bytes by LiveKit's word, where it gives one
	Length   Duration `json:"length,omitempty"`   // playing time, where it was probed
	Media    Media    `json:"media"`
	// Silent says that its request wants sound, and that none was heard. It is present all the same.
	Silent bool `json:"silent,omitempty"`
}
