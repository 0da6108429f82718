package egress

import (
	"fmt"
	"strings"
	"time"
)

// Details tells the story of an egress in plain words (Markdown), for the current
// details of its workflow in the Temporal UI.
func (s *State) Details() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "- **%s**: %s\n", name, fmt.Sprintf(format, args...))
	}
	if s.Stuck != "" {
		line("needs a person", "%s", s.Stuck)
	}
	line("phase", "%s", s.Phase)
	if s.Latest.Known() {
		line("egress", "%s, %s", s.ID, s.Latest.StatusName())
		line("last news", "from %s at %s", s.NewsBy, clock(s.NewsAt))
	}
	if s.Stopped != "" {
		line("stop", "%s at %s", s.Stopped, clock(s.StoppedAt))
	}
	switch s.Phase {
	case Requested:
		if len(s.Parts) > 0 {
			line("part", "%d, since %s ended as %s", s.Part, s.Parts[len(s.Parts)-1].EgressID, s.Parts[len(s.Parts)-1].Status)
		}
		line("waits for", "LiveKit to confirm the start")
	case Watching:
		if s.Started {
			line("waits for", "LiveKit's webhook; asks LiveKit itself from %s", clock(s.NextLook()))
		}
		if !s.EndExpected.IsZero() {
			line("end expected since", "%s", clock(s.EndExpected))
		}
	case Held:
		line("failed", "%s, told by %s", s.Status, s.EndedBy)
		line("waits for", "a second run, which LiveKit may begin under the same ID while the room is live; settled at %s", clock(s.heldUntil()))
	case Settled:
		line("ended", "%s, told by %s", s.Status, s.EndedBy)
		if s.LostBecause != "" {
			line("lost", "%s", s.LostBecause)
		}
		line("waits for", "delivery: %s", strings.Join(s.Steps, ", "))
	case Delivered:
	}
	return b.String()
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
