package egress

import (
	"fmt"
	"slices"
	"time"
)

// Beat is one piece of news in the story of an egress.
type Beat struct {
	At   time.Time `json:"at"`             // when we heard it
	What string    `json:"what"`           // in words, at most 120 bytes
	By   Source    `json:"by,omitempty"`   // from whom; empty for what a person or a setting wanted
	Late Duration  `json:"late,omitempty"` // how long after LiveKit's own time we heard it
	// LeftOut is how many beats before this one are no longer kept.
	LeftOut int `json:"left_out,omitempty"`
}

const (
	// storyLength is how many beats are kept: the first, and the newest. Most stories have three to
	// six; the cap keeps the state and the page in the UI small whatever happens.
	storyLength = 12
	// longestWhat bounds the text of a beat, in bytes.
	longestWhat = 120
)

// String returns the beat in one line, without its time.
func (b Beat) String() string {
	s := b.What
	if b.By != "" {
		s += ", from " + string(b.By)
	}
	if after := b.After(); after != "" {
		s += ", " + after + " late"
	}
	return s
}

// After says how late the beat was heard, for a reader. It is empty if LiveKit's own time is
// unknown or hardly earlier.
func (b Beat) After() string {
	late := b.Late.D().Round(100 * time.Millisecond)
	if late <= 0 {
		return ""
	}
	return late.String()
}

// note adds a beat to the story. It always keeps the first, which tells how it began.
func (s *State) note(b Beat) {
	b.What = cut(b.What, longestWhat)
	if len(s.Story) == storyLength {
		second := s.Story[1]
		s.Story = append(s.Story[:1:1], s.Story[2:]...)
		s.Story[1].LeftOut += second.LeftOut + 1
	}
	s.Story = append(s.Story, b)
}

// noteOnce adds a beat to the story, unless one of the last two says the same: what is seen again and
// again, of a recorder and of its room, must not push out the rest.
func (s *State) noteOnce(b Beat) {
	last := s.Story[max(0, len(s.Story)-2):]
	if !slices.ContainsFunc(last, func(l Beat) bool { return l.What == b.What }) {
		s.note(b)
	}
}

// Note adds to the story what nobody told us but we found out at a start.
func (s *State) Note(at time.Time, what string) { s.note(Beat{At: at, What: what}) }

// beat returns what an observation that was news adds to the story.
func (o Observation) beat(over bool) Beat {
	b := Beat{At: o.HeardAt, What: string(o.Info.StatusName()), By: o.Source}
	own := unixNano(o.Info.Proto().GetUpdatedAt())
	if over {
		b.What = "ended as " + b.What
		if why := o.Info.Proto().GetError(); why != "" {
			b.What += ": " + why
		}
		if at := o.Info.EndTime(); !at.IsZero() {
			own = at
		}
	}
	if !own.IsZero() { // nothing to tell if LiveKit's clock is ahead of ours
		b.Late = Duration(max(0, o.HeardAt.Sub(own)))
	}
	return b
}

// words says for the story why an egress is stopped, and who asked for it, if known.
func (r StopReason) words(by *Asker) string {
	switch r {
	case StopRequested:
		if by != nil {
			return "a stop was requested by " + by.String()
		}
		return "a stop was requested"
	case StopMaxDuration:
		return "its maximum duration is over, so it is stopped"
	case StopCancelled:
		return "its workflow was cancelled, so it is stopped"
	default:
		return "it is stopped: " + string(r)
	}
}

// Way is one thing that a person can do about an egress.
type Way struct {
	Command string `json:"command"` // to be copied
	For     string `json:"for"`     // what it does, in words
}

// Ways returns what a person can do now, the most needed first.
func (s *State) Ways(requestID string) []Way {
	requestID = ForCommand(requestID)
	var ways []Way
	add := func(what, format string, args ...any) {
		ways = append(ways, Way{Command: fmt.Sprintf("starter "+format, args...), For: what})
	}
	for _, step := range s.AwaitsWord {
		add("run it again, once the cause is fixed", "retry %s %s", requestID, step)
		add("leave it out", "skip %s %s", requestID, step)
	}
	switch {
	case s.over():
	case s.Phase == Requested:
		add("end it as soon as it has begun", "stop %s", requestID)
	case s.Stopped != "":
		add("tell LiveKit once more to end it", "stop %s", requestID)
	default:
		add("end it now; otherwise it keeps recording", "stop %s", requestID)
	}
	return ways
}

// cut shortens a text to n bytes in one line, and shows that something is missing.
func cut(text string, n int) string {
	const more = "…"
	text = oneLine(text)
	if len(text) <= n {
		return text
	}
	return Clip(text, n-len(more)) + more
}
