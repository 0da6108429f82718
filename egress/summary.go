package egress

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/livekit/protocol/livekit"
)

// Summary is the part of a request that anyone who sees the workflow may read: an allow list, so
// that a field added by a newer LiveKit stays sealed.
type Summary struct {
	Kind   Kind     `json:"kind"`
	Room   string   `json:"room,omitempty"` // empty for a web egress
	Paths  []string `json:"paths,omitempty"`
	Layout string   `json:"layout,omitempty"`
	// Webhooks are the hosts of the caller's own webhooks, in order. We take the webhooks out of
	// the request and serve them.
	Webhooks []string `json:"webhooks,omitempty"`
}

// Title returns the summary in one line, for the UI, which reads it as Markdown.
func (s Summary) Title() string {
	var b strings.Builder
	b.WriteString(string(s.Kind))
	if s.Room != "" {
		fmt.Fprintf(&b, " of room %s", plain(s.Room))
	}
	if len(s.Paths) > 0 {
		fmt.Fprintf(&b, " to %s", plain(strings.Join(s.Paths, ", ")))
	}
	return b.String()
}

// Summarize returns the summary of a request.
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
		if v.GetWeb() != nil { // a web egress is in no room, even if the request names one
			s.Room = ""
		}
	}
	for _, w := range r.GetWebhooks() {
		s.Webhooks = append(s.Webhooks, hostOf(w.GetUrl()))
	}
	for _, d := range Destinations(r) {
		if p := cmp.Or(d.Playlist, d.Path); p != "" {
			s.Paths = append(s.Paths, p)
		}
	}
	return s
}

func hostOf(rawURL string) string {
	if u, err := url.Parse(rawURL); err == nil && u.Host != "" && utf8.ValidString(u.Host) {
		return u.Host
	}
	return "unreadable"
}
