package egress

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/livekit/protocol/livekit"
)

// Profiles are named storages, so that whoever asks for a recording needs no credentials. They
// hold credentials: they must never be logged or kept in a history. The zero value has none.
type Profiles struct {
	Default string // used if neither a request nor its caller names a storage; default: none
	Named   map[string]*livekit.StorageConfig
}

// Names returns the sorted names of all profiles.
func (p Profiles) Names() []string { return sortedKeys(p.Named) }

// Pick returns the profile for a request's media: the one that the caller names, else the default
// if an output has no storage of its own. It is empty if every output has its own storage or is a
// stream, or if there is no default. The error has reason Invalid and field storage: the name is
// unknown, is given in addition to a storage in the request, or would apply to one of several
// outputs of a kind.
func (p Profiles) Pick(r Request, named string) (string, error) {
	lacks, own := "", ""
	for _, d := range Destinations(r) {
		switch d.Upload.Store() {
		case StoreLocal:
			lacks = d.Field
		case StoreNewer:
			own = cmp.Or(own, d.Field+", in a field that only a newer LiveKit knows")
		default:
			own = cmp.Or(own, d.Field)
		}
	}
	switch {
	case named != "" && p.Named[named] == nil:
		return "", p.unknown(named)
	case named != "" && own != "":
		return "", Invalidf(fieldStorage, "names the profile %q, but the request has a storage of its own: %s", named, own)
	case lacks == "":
		return "", nil
	}
	name := cmp.Or(named, p.Default)
	if n := several(r); name != "" && n > 1 {
		return "", Invalidf(fieldStorage, "has the profile %q for one of %d outputs of a kind, whose keys LiveKit shows to anyone who may list: use StartEgress, one output of a kind, or storages of the request's own", name, n)
	}
	return name, nil
}

// Apply fills in the profile that Pick chooses, and returns its name.
func (p Profiles) Apply(r Request, named string) (filled Request, name string, err error) {
	if name, err = p.Pick(r, named); err != nil {
		return nil, "", err
	}
	filled, err = p.Fill(r, name)
	return filled, name, err
}

// Fill returns the request with the outputs that have no storage of their own set to a profile, as
// Pick chose it; with an empty name they stay without. It is the request that LiveKit gets, and its
// credentials serve to find the media again. A request with nothing to fill in is returned itself.
func (p Profiles) Fill(r Request, name string) (Request, error) {
	r = raised(r)
	if name == "" {
		return r, nil
	}
	config := p.Named[name]
	if config == nil {
		return nil, p.unknown(name)
	}
	out, _ := proto.Clone(r).(Request)
	switch m := out.(type) {
	case *livekit.StartEgressRequest:
		for _, o := range m.GetOutputs() {
			if lacksStorage(o, m.GetStorage()) {
				o.Storage = proto.CloneOf(config)
			}
		}
	case *livekit.TrackEgressRequest:
		if f := m.GetFile(); f != nil {
			fill(f, config)
		}
	case encoded:
		fillEncoded(m, config)
	}
	return out, nil
}

// fieldStorage is the field of an input that names a profile.
const fieldStorage = "storage"

var profileName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ValidateProfile checks the name of a profile: 1 to 64 of [A-Za-z0-9._-].
func ValidateProfile(name string) error {
	if !profileName.MatchString(name) {
		return Invalidf(fieldStorage, "want the name of a profile, 1 to 64 characters of [A-Za-z0-9._-], got %q", name)
	}
	return nil
}

func (p Profiles) unknown(name string) error {
	if len(p.Named) == 0 {
		return Invalidf(fieldStorage, "names the profile %q, but there are none: set REELKEEPER_STORAGE", name)
	}
	return Invalidf(fieldStorage, "%q is not a profile; want one of %s", name, strings.Join(p.Names(), ", "))
}

// lacksStorage reports whether an output of StartEgress writes media and does not say where.
func lacksStorage(o *livekit.Output, ofRequest *livekit.StorageConfig) bool {
	var d destinations
	d.unified("", o, ofRequest)
	return slices.ContainsFunc(d.list, func(to Destination) bool { return to.Upload.Store() == StoreLocal })
}

// raised returns StartEgress with each storage inside its segments and images made that of their
// output, unless there is another. LiveKit has deprecated those inside, does not read them here, and
// shows their keys in lists and webhooks.
func raised(r Request) Request {
	m, ok := r.(*livekit.StartEgressRequest)
	if !ok || !slices.ContainsFunc(m.GetOutputs(), func(o *livekit.Output) bool { _, store := inside(o); return store != nil }) {
		return r
	}
	m = proto.CloneOf(m)
	for _, o := range m.GetOutputs() {
		from, store := inside(o)
		if store == nil {
			continue
		}
		v := from.Get(store)
		from.Clear(store)
		if lacksStorage(o, m.GetStorage()) {
			o.Storage = &livekit.StorageConfig{}
			set(o.Storage, store, v)
		}
	}
	return m
}

// inside returns the segments or images of an output of StartEgress, with the field of the storage
// inside them, which is nil if there is none.
func inside(o *livekit.Output) (protoreflect.Message, protoreflect.FieldDescriptor) {
	var m protoreflect.Message
	switch c := o.GetConfig().(type) {
	case *livekit.Output_Segments:
		m = c.Segments.ProtoReflect()
	case *livekit.Output_Images:
		m = c.Images.ProtoReflect()
	default:
		return nil, nil
	}
	return m, m.WhichOneof(m.Descriptor().Oneofs().ByName("output"))
}

// set sets a store. All outputs, and the storage of StartEgress, name the four by the same fields.
func set(to uploading, store protoreflect.FieldDescriptor, v protoreflect.Value) {
	m := to.ProtoReflect()
	m.Set(m.Descriptor().Fields().ByName(store.Name()), v)
}

// fillEncoded fills the lists, and the deprecated single outputs.
func fillEncoded(m encoded, config *livekit.StorageConfig) {
	for _, list := range lists(m) {
		for _, o := range list {
			fill(o, config)
		}
	}
	old, ok := m.(single)
	if !ok {
		return
	}
	if f := old.GetFile(); f != nil {
		fill(f, config)
	}
	if s := old.GetSegments(); s != nil {
		fill(s, config)
	}
}

// several returns the number of outputs of a kind if one of them lacks a storage, and 0 if none
// does. Except for StartEgress, LiveKit masks the keys only of a kind's sole output: if there are
// several, it shows them in its list and sends them in webhooks.
func several(r Request) int {
	m, ok := r.(encoded)
	if !ok {
		return 0
	}
	for _, list := range lists(m) {
		if len(list) > 1 && slices.ContainsFunc(list, isLocal) {
			return len(list)
		}
	}
	return 0
}

func lists(m encoded) [][]uploading {
	return [][]uploading{outputs(m.GetFileOutputs()), outputs(m.GetSegmentOutputs()), outputs(m.GetImageOutputs())}
}

func outputs[T uploading](list []T) []uploading {
	all := make([]uploading, len(list))
	for i, o := range list {
		all[i] = o
	}
	return all
}

// fill gives an output without a storage that of a profile.
func fill(o uploading, config *livekit.StorageConfig) {
	if !isLocal(o) {
		return
	}
	proto.CloneOf(config).ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		set(o, f, v)
		return true
	})
}
