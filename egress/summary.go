package egress

import (
	"bytes"
	"cmp"
	"encoding/json"
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

	// came is the JSON that it was read from, if this version would write it differently. A sealed
	// request opens only beside what was sealed with it, so a summary that was read is not changed.
	came json.RawMessage
}

// MarshalJSON writes what another release wrote as it came.
func (s Summary) MarshalJSON() ([]byte, error) {
	if s.came != nil {
		return s.came, nil
	}
	type summary Summary // without this method
	return json.Marshal(summary(s))
}

// UnmarshalJSON reads the summary of any release, and keeps what this version does not know.
func (s *Summary) UnmarshalJSON(b []byte) error {
	type summary Summary // without this method
	var known summary
	if err := json.Unmarshal(b, &known); err != nil {
		return err
	}
	own, _ := json.Marshal(known)               // texts never fail
	came, _ := json.Marshal(json.RawMessage(b)) // compact, as it was written; nor does what was just read
	if !bytes.Equal(own, came) {
		known.came = came
	}
	*s = Summary(known)
	return nil
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
