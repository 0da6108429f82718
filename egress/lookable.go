package egress

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Lookable reports whether the media of an ended egress can be checked, judging by the request
// that LiveKit shows, and if not, why. Of an adopted egress we have only that request, in which
// LiveKit masks the keys.
func (s *State) Lookable(adopted bool) (because string, ok bool) {
	if s.VerifyFor == 0 {
		return "the settings say that nobody looks", false
	}
	r, known := RequestOf(s.Latest.Proto())
	if !known {
		return "LiveKit does not show its request", false
	}
	to := Destinations(r)
	if len(to) == 0 {
		return "it writes no files", false
	}
	for _, d := range to {
		if because = s.unreadable(d, adopted); because == "" && (s.Status.Good() || s.Status == Lost || d.Kind == OutputSegments) {
			return "", true
		}
	}
	if because == "" {
		because = fmt.Sprintf("no media is expected of an egress that ended as %s", s.Status)
	}
	return because, false
}

// Insists reports whether a store that does not answer in time is asked until it does. Nobody is to
// wait for what a lost egress may have left, except for segments, which get a playlist.
func (s *State) Insists() bool {
	r, _ := RequestOf(s.Latest.Proto())
	return s.Status != Lost || slices.ContainsFunc(Destinations(r), func(d Destination) bool { return d.Kind == OutputSegments })
}

// WithBackup adds to a report that LiveKit says it used its backup storage: the media then is
// missing from its destination, even if nobody could look there. A file of another size than
// LiveKit reports is not the one that was to go there.
func (s *State) WithBackup(r MediaReport) MediaReport {
	if !s.Latest.Proto().GetBackupStorageUsed() {
		return r
	}
	another := func(f MediaFile) bool { return f.Kind == OutputFile && f.Want > 0 && f.Size != f.Want }
	if r.Media == MediaUnchecked || r.Media == MediaPresent && slices.ContainsFunc(r.Files, another) {
		r.Media = MediaMissing
	}
	r.Because = strings.TrimPrefix(r.Because+"; an upload failed, and LiveKit kept that in its backup storage", "; ")
	return r
}

// unreadable returns why a destination cannot be checked, empty if it can be.
func (s *State) unreadable(d Destination, adopted bool) string {
	switch store := d.Upload.Store(); {
	case store == StoreAliOSS:
		return d.Field + " is Alibaba Cloud's, which cannot be read from here"
	case store == StoreLocal && !s.LocalFiles:
		return d.Field + " names no store, and REELKEEPER_LOCAL_FILES is not set"
	case adopted && d.Upload.masked():
		return "it was started without us, and LiveKit masks the keys of " + d.Field
	}
	return ""
}

// masked reports whether LiveKit shows a credential masked.
func (u Upload) masked() bool {
	for _, m := range []proto.Message{u.S3, u.GCP, u.Azure} { // Alibaba Cloud's cannot be checked anyway
		found := false
		m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			found = fd.Kind() == protoreflect.StringKind && placeholder.MatchString(v.String())
			return !found
		})
		if found {
			return true
		}
	}
	return false
}
