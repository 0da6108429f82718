package egress

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Lookable reports whether anybody can look at the media of what has ended, by what
// LiveKit shows of its request, and else says why not. An egress that was adopted shows
// its request alone, whose keys LiveKit masks.
func (s *State) Lookable(adopted bool) (because string, ok bool) {
	if s.VerifyFor == 0 {
		return "the settings say that nobody looks", false
	}
	r, known := requestOf(s.Latest.Proto())
	switch {
	case !known:
		return "LiveKit does not show its request", false
	case s.Latest.Proto().GetBackupStorageUsed():
		return "LiveKit kept it in its backup storage", false
	}
	to := Destinations(r)
	if len(to) == 0 {
		return "it writes no files", false
	}
	for _, d := range to {
		if because = s.unreadable(d, adopted); because == "" && (s.Status.Good() || d.Kind == OutputSegments) {
			return "", true
		}
	}
	if because == "" {
		because = fmt.Sprintf("nothing is to be expected of what ended as %s", s.Status)
	}
	return because, false
}

// unreadable is why a destination cannot be looked at, empty where it may be.
func (s *State) unreadable(d Destination, adopted bool) string {
	switch store := d.Upload.Store(); {
	case store == StoreAliOSS:
		return d.Field + " is Alibaba Cloud's, which cannot be read from here"
	case store == StoreLocal && !s.LocalFiles:
		return d.Field + " names no store, and REELKEEPER_LOCAL_FILES is not set"
	case adopted && d.Upload.masked():
		return "it was started past us, and LiveKit masks the keys of " + d.Field
	}
	return ""
}

// masked reports whether a credential is shown masked.
func (u Upload) masked() bool {
	for _, m := range []proto.Message{u.S3, u.GCP, u.Azure, u.AliOSS} {
		found := false
		m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			if fd.Kind() == protoreflect.StringKind && !fd.IsList() {
				found = found || v.String() == redacted || placeholder.MatchString(v.String())
			}
			return !found
		})
		if found {
			return true
		}
	}
	return false
}
