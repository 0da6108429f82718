package egress

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
)

// Store is where media is kept, in LiveKit's spelling.
type Store string

// The stores that a request can name.
const (
	StoreS3     Store = "s3" // Amazon S3, and all that speak its protocol
	StoreGCP    Store = "gcp"
	StoreAzure  Store = "azure"
	StoreAliOSS Store = "aliOSS"
	// StoreLocal is not named in the request: it is the storage that LiveKit's egress service is
	// configured with, or its own disk.
	StoreLocal Store = "local"
	// StoreNewer may be one that only a newer LiveKit knows: none of the four is named, but a field
	// that we do not know is set where one would be. An EgressInfo does not show such fields.
	StoreNewer Store = "newer"
)

// The kinds of output, and of a MediaFile.
const (
	OutputFile     = "file"
	OutputSegments = "segments"
	OutputImages   = "images"

	OutputPlaylist = "playlist" // of segments
	outputManifest = "manifest" // LiveKit's own file about the media, beside it
	OutputSalvage  = "salvage"  // a playlist that we write for segments that LiveKit left behind
)

// Upload is the access to a store: one of LiveKit's four kinds, one that we do not know, or none.
type Upload struct {
	S3     *livekit.S3Upload
	GCP    *livekit.GCPUpload
	Azure  *livekit.AzureBlobUpload
	AliOSS *livekit.AliOSSUpload
	Newer  bool // has fields that we do not know
}

// Store returns which of them is set.
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
	case u.Newer:
		return StoreNewer
	default:
		return StoreLocal
	}
}

// Name tells stores apart that may fail on their own: the endpoint, or else the bucket or account.
// It is empty for StoreLocal and StoreNewer.
func (u Upload) Name() string {
	return cmp.Or(u.S3.GetEndpoint(), u.S3.GetBucket(), u.GCP.GetBucket(), u.Azure.GetAccountName(), u.AliOSS.GetEndpoint())
}

// Destination is where one output of a request writes. It may hold credentials: it must never be
// logged or kept in a history.
type Destination struct {
	// Field names the upload configuration as LiveKit spells it, such as file_outputs[0].s3, or the
	// output itself if it has none.
	Field string
	Kind  string // OutputFile, OutputSegments or OutputImages
	Nth   int    // which of LiveKit's results of this kind reports on it, from 0
	Path  string // path of the file, or prefix of a set's paths; as in the request, with its {placeholders}
	// Playlist is the path of the segments' playlist, if the request names one.
	Playlist string
	// Overwritten says that each image replaces the one before.
	Overwritten bool
	// Segment is the intended length of a segment in seconds. 0: LiveKit's own choice.
	Segment uint32
	Upload  Upload
}

// cleanPath returns a path of a request as LiveKit cleans it before it fills in the {placeholders}:
// a trailing slash stays, and nothing leads out of the store's root.
func cleanPath(asked string) string {
	clean := path.Clean(asked)
	for strings.HasPrefix(clean, "../") {
		clean = clean[len("../"):]
	}
	switch {
	case clean == "." || clean == "..":
		return ""
	case strings.HasSuffix(asked, "/"):
		return clean + "/"
	}
	return clean
}

// uploading is any LiveKit output that can bring its own store.
type uploading interface {
	proto.Message
	GetS3() *livekit.S3Upload
	GetGcp() *livekit.GCPUpload
	GetAzure() *livekit.AzureBlobUpload
	GetAliOSS() *livekit.AliOSSUpload
}

// encoded is what all kinds of request have in common except track egress and StartEgress.
type encoded interface {
	GetFileOutputs() []*livekit.EncodedFileOutput
	GetSegmentOutputs() []*livekit.SegmentedFileOutput
	GetImageOutputs() []*livekit.ImageOutput
}

// single is what the oldest kinds of request have for a single output.
type single interface {
	GetFile() *livekit.EncodedFileOutput
	GetSegments() *livekit.SegmentedFileOutput
}

// Destinations returns where a request's outputs write, grouped by kind. Streams write nothing.
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

// Destinations returns those of the request as LiveKit shows it, with its keys masked.
func (i Info) Destinations() []Destination {
	r, _ := RequestOf(i.Proto())
	return Destinations(r)
}

// Written returns the destinations of a request with the paths that the egress was started with, as
// LiveKit shows them: it may have been started as another part.
func (i Info) Written(to []Destination) []Destination {
	shown := i.Destinations()
	for n := range to {
		if d := nth(shown, to[n].Kind, to[n].Nth); d.Kind != "" {
			to[n].Path, to[n].Playlist = d.Path, d.Playlist
		}
	}
	return to
}

type destinations struct {
	list  []Destination
	kinds map[string]int // how many of each kind
}

// encoded adds the lists, or the deprecated single outputs if there is no list, as LiveKit does.
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

// unified adds an output of StartEgress. Its own storage takes precedence over the request's, even if
// it is empty. The deprecated one inside segments and images, which LiveKit does not read here, is
// what they have no other for: Profiles.Fill makes it that of the output.
func (d *destinations) unified(field string, o *livekit.Output, ofRequest *livekit.StorageConfig) {
	from := func(inside uploading, name string) (string, uploading) {
		switch {
		case !isLocal(o.GetStorage()):
			return field + ".storage", o.GetStorage()
		case o.GetStorage() == nil && !isLocal(ofRequest):
			return "storage", ofRequest
		case !isLocal(inside):
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

// segmented is an output of segments, deprecated or unified.
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

// imaged is an output of images, deprecated or unified.
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
	if store := to.Upload.Store(); store != StoreLocal && store != StoreNewer {
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
	return Upload{
		S3: u.GetS3(), GCP: u.GetGcp(), Azure: u.GetAzure(), AliOSS: u.GetAliOSS(),
		Newer: len(u.ProtoReflect().GetUnknown()) > 0,
	}
}

// isLocal reports whether an output brings no store of its own.
func isLocal(u uploading) bool { return uploadOf(u).Store() == StoreLocal }
