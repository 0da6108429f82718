package egress

import (
	"fmt"

	"github.com/livekit/protocol/livekit"
)

// Store is where media is kept, in LiveKit's spelling.
type Store string

// The stores that a request can name.
const (
	StoreS3     Store = "s3" // Amazon's, and all that speak its protocol
	StoreGCP    Store = "gcp"
	StoreAzure  Store = "azure"
	StoreAliOSS Store = "aliOSS"
	// StoreLocal is none in the request: the storage that LiveKit's egress service is set
	// to, or its own files.
	StoreLocal Store = "local"
)

// What an output writes, and what a MediaFile is.
const (
	OutputFile     = "file"
	OutputSegments = "segments"
	OutputImages   = "images"

	OutputPlaylist = "playlist" // of segments
	outputManifest = "manifest" // what LiveKit writes beside the media, about it
	OutputSalvage  = "salvage"  // a playlist of ours, of segments that LiveKit left behind
)

// Upload is how a store is reached: one of LiveKit's four, or none.
type Upload struct {
	S3     *livekit.S3Upload
	GCP    *livekit.GCPUpload
	Azure  *livekit.AzureBlobUpload
	AliOSS *livekit.AliOSSUpload
}

// Store is which of the four it is.
func (u Upload) Store() Store {
	switch {
	case u.S3 != nil:
		return StoreS3
	case u.GCP != nil:
		return StoreGCP
	case u.Azure != nil:
		return StoreAzure
	case u.AliOSS != nil:
		return StoreAliOSS
	default:
		return StoreLocal
	}
}

// Destination is where one output of a request writes. It may hold credentials: it must
// never be logged, nor kept in a history.
type Destination struct {
	// Field is the upload configuration as LiveKit spells it, such as
	// file_outputs[0].s3; where there is none, the output itself.
	Field string
	Kind  string // OutputFile, OutputSegments or OutputImages
	Nth   int    // which of LiveKit's results of its kind tells of it, from 0 on
	Path  string // path of the file, or how those of a set begin; as in the request, with its {placeholders}
	// Playlist is the path of the playlist of segments, if the request names one.
	Playlist string
	// Overwritten says of images that each takes the place of the one before.
	Overwritten bool
	// Segment is how long a segment is meant to be, in seconds. 0: LiveKit's own choice.
	Segment uint32
	Upload  Upload
}

// uploading is any output of LiveKit's that brings its own store.
type uploading interface {
	GetS3() *livekit.S3Upload
	GetGcp() *livekit.GCPUpload
	GetAzure() *livekit.AzureBlobUpload
	GetAliOSS() *livekit.AliOSSUpload
}

// encoded is what the kinds of request but track egress and the unified one have in common.
type encoded interface {
	GetFileOutputs() []*livekit.EncodedFileOutput
	GetSegmentOutputs() []*livekit.SegmentedFileOutput
	GetImageOutputs() []*livekit.ImageOutput
}

// single is what the oldest kinds have for a single output.
type single interface {
	GetFile() *livekit.EncodedFileOutput
	GetSegments() *livekit.SegmentedFileOutput
}

// Destinations are where a request's outputs write, those of one kind beside each other.
// Streams write nothing.
func Destinations(r Request) []Destination {
	var d destinations
	switch m := r.(type) {
	case *livekit.StartEgressRequest:
		for i, o := range m.GetOutputs() {
			d.unified(fmt.Sprintf("outputs[%d]", i), o, m.GetStorage())
		}
	case *livekit.TrackEgressRequest:
		if f := m.GetFile(); f != nil {
			d.add(Destination{Field: "file", Kind: OutputFile, Path: f.GetFilepath()}, f)
		}
	case encoded:
		d.encoded(m)
	}
	return d.list
}

// Destinations are those of the request that LiveKit shows, with its keys masked.
func (i Info) Destinations() []Destination {
	r, _ := RequestOf(i.Proto())
	return Destinations(r)
}

type destinations struct {
	list  []Destination
	kinds map[string]int // how many of each
}

// encoded takes the lists, and the single outputs of old where there is no list: so does LiveKit.
func (d *destinations) encoded(m encoded) {
	old, _ := m.(single)
	for i, f := range m.GetFileOutputs() {
		d.add(Destination{Field: fmt.Sprintf("file_outputs[%d]", i), Kind: OutputFile, Path: f.GetFilepath()}, f)
	}
	if old != nil && len(m.GetFileOutputs()) == 0 && old.GetFile() != nil {
		d.add(Destination{Field: "file", Kind: OutputFile, Path: old.GetFile().GetFilepath()}, old.GetFile())
	}
	for i, s := range m.GetSegmentOutputs() {
		d.segments(fmt.Sprintf("segment_outputs[%d]", i), s, s)
	}
	if old != nil && len(m.GetSegmentOutputs()) == 0 && old.GetSegments() != nil {
		d.segments("segments", old.GetSegments(), old.GetSegments())
	}
	for i, s := range m.GetImageOutputs() {
		d.images(fmt.Sprintf("image_outputs[%d]", i), s, s)
	}
}

// unified takes an output of StartEgress. Its own storage goes before the request's, and
// both before the one of old inside of segments and images.
func (d *destinations) unified(field string, o *livekit.Output, ofRequest *livekit.StorageConfig) {
	from := func(inside uploading, name string) (string, uploading) {
		switch {
		case o.GetStorage().GetProvider() != nil:
			return field + ".storage", o.GetStorage()
		case ofRequest.GetProvider() != nil:
			return "storage", ofRequest
		case uploadOf(inside).Store() != StoreLocal:
			return field + "." + name, inside
		default:
			return field, inside
		}
	}
	switch c := o.GetConfig().(type) {
	case *livekit.Output_File:
		storage, u := from((*livekit.StorageConfig)(nil), "file")
		d.add(Destination{Field: storage, Kind: OutputFile, Path: c.File.GetFilepath()}, u)
	case *livekit.Output_Segments:
		storage, u := from(c.Segments, "segments")
		d.segments(storage, c.Segments, u)
	case *livekit.Output_Images:
		storage, u := from(c.Images, "images")
		d.images(storage, c.Images, u)
	}
}

// segmented is an output of segments, old or unified.
type segmented interface {
	GetFilenamePrefix() string
	GetPlaylistName() string
	GetSegmentDuration() uint32
}

func (d *destinations) segments(field string, s segmented, u uploading) {
	d.add(Destination{
		Field: field, Kind: OutputSegments, Path: s.GetFilenamePrefix(), Playlist: s.GetPlaylistName(), Segment: s.GetSegmentDuration(),
	}, u)
}

// imaged is an output of images, old or unified.
type imaged interface {
	GetFilenamePrefix() string
	GetFilenameSuffix() livekit.ImageFileSuffix
}

func (d *destinations) images(field string, i imaged, u uploading) {
	d.add(Destination{
		Field: field, Kind: OutputImages, Path: i.GetFilenamePrefix(),
		Overwritten: i.GetFilenameSuffix() == livekit.ImageFileSuffix_IMAGE_SUFFIX_NONE_OVERWRITE,
	}, u)
}

func (d *destinations) add(to Destination, u uploading) {
	to.Upload = uploadOf(u)
	if store := to.Upload.Store(); store != StoreLocal {
		to.Field += "." + string(store)
	}
	if d.kinds == nil {
		d.kinds = map[string]int{}
	}
	to.Nth = d.kinds[to.Kind]
	d.kinds[to.Kind]++
	d.list = append(d.list, to)
}

func uploadOf(u uploading) Upload {
	return Upload{S3: u.GetS3(), GCP: u.GetGcp(), Azure: u.GetAzure(), AliOSS: u.GetAliOSS()}
}
