package egress

import (
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/livekit/protocol/livekit"
)

// Summary is what may be read of a request by anyone who sees the workflow: an
// allow list, so that a field added by a newer LiveKit stays sealed.
type Summary struct {
	Kind   Kind     `json:"kind"`
	Room   string   `json:"room,omitempty"` // empty for a web egress
	Paths  []string `json:"paths,omitempty"`
	Layout string   `json:"layout,omitempty"`
	// Webhooks are the hosts of the caller's own webhooks, in their order. We take them
	// out of the request, and serve them.
	Webhooks []string `json:"webhooks,omitempty"`
}

// Title is the summary in one line, for the UI.
func (s Summary) Title() string {
	var b strings.Builder
	b.WriteString(string(s.Kind))
	if s.Room != "" {
		fmt.Fprintf(&b, " of room %s", s.Room)
	}
	if len(s.Paths) > 0 {
		fmt.Fprintf(&b, " to %s", strings.Join(s.Paths, ", "))
	}
	return b.String()
}

// Summarize makes the summary of a request.
func Summarize(r Request) Summary {
	s := Summary{Kind: KindOf(r)}
	if v, ok := r.(interface{ GetRoomName() string }); ok {
		s.Room = v.GetRoomName()
	}
	if v, ok := r.(interface{ GetLayout() string }); ok {
		s.Layout = v.GetLayout()
	}
	if v, ok := r.(*livekit.StartEgressRequest); ok {
		s.Layout = v.GetTemplate().GetLayout()
		for _, out := range v.GetOutputs() {
			s.add(out.GetFile().GetFilepath(), segmentsPath(out.GetSegments()), out.GetImages().GetFilenamePrefix())
		}
	}
	for _, w := range r.GetWebhooks() {
		s.Webhooks = append(s.Webhooks, hostOf(w.GetUrl()))
	}
	s.addOutputs(r)
	return s
}

func hostOf(rawURL string) string {
	if u, err := url.Parse(rawURL); err == nil && u.Host != "" {
		return u.Host
	}
	return "unreadable"
}

func (s *Summary) addOutputs(r proto.Message) {
	if v, ok := r.(interface {
		GetFileOutputs() []*livekit.EncodedFileOutput
	}); ok {
		for _, f := range v.GetFileOutputs() {
			s.add(f.GetFilepath())
		}
	}
	if v, ok := r.(interface {
		GetSegmentOutputs() []*livekit.SegmentedFileOutput
	}); ok {
		for _, f := range v.GetSegmentOutputs() {
			s.add(segmentsPath(f))
		}
	}
	if v, ok := r.(interface{ GetImageOutputs() []*livekit.ImageOutput }); ok {
		for _, f := range v.GetImageOutputs() {
			s.add(f.GetFilenamePrefix())
		}
	}
	switch v := r.(type) {
	case interface {
		GetFile() *livekit.EncodedFileOutput
		GetSegments() *livekit.SegmentedFileOutput
	}:
		s.add(v.GetFile().GetFilepath(), segmentsPath(v.GetSegments()))
	case interface {
		GetFile() *livekit.DirectFileOutput
	}:
		s.add(v.GetFile().GetFilepath())
	}
}

func (s *Summary) add(paths ...string) {
	for _, p := range paths {
		if p != "" {
			s.Paths = append(s.Paths, p)
		}
	}
}

// segmentsPath is the playlist, or the prefix where no playlist is named.
func segmentsPath(o *livekit.SegmentedFileOutput) string {
	if o.GetPlaylistName() != "" {
		return o.GetPlaylistName()
	}
	return o.GetFilenamePrefix()
}
