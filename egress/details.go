package egress

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// longestWhy bounds the reason for a mark as it is shown, in bytes.
const longestWhy = 300

// Details tells the story of an egress in plain words, for the current details of
// its workflow in the Temporal UI: whether it needs a person, what it waits for,
// what can be done, and what has happened. It is Markdown of about 2 kB at
// most, since the UI carries it in a URL; a list and a table, since the UI sets
// paragraphs far apart.
func (s *State) Details(requestID string) string {
	var b strings.Builder
	line := func(name, text string) { b.WriteString("- **" + name + "**: " + text + "\n") }
	if s.Stuck != "" {
		line("needs a person", plain(cut(s.Stuck, longestWhy)))
	}
	line("now", s.now())
	ways := s.Ways(requestID)
	if s.Phase != Delivered {
		ways = append(ways, Way{"starter show " + ForCommand(requestID), "see what is being tried, and what prevents it"})
	}
	for _, w := range ways {
		line("you can", "`"+w.Command+"`: "+w.For)
	}
	if len(s.Story) > 0 {
		b.WriteString("\n| UTC | what happened | source | late |\n|---|---|---|---|\n")
	}
	for _, beat := range s.Story {
		if beat.LeftOut > 0 {
			fmt.Fprintf(&b, "| … | %d more | | |\n", beat.LeftOut)
		}
		b.WriteString("| " + beat.At.UTC().Format(time.DateTime) + " | " + plain(beat.What) + " | " + string(beat.By) + " | " + beat.After() + " |\n")
	}
	return b.String()
}

// now says what state the egress is in and what it waits for.
func (s *State) now() string {
	switch s.Phase {
	case Held:
		if !s.failedMidway() {
			return fmt.Sprintf("%s failed as %s. LiveKit is asked whether it runs again under its ID.", s.ID, plain(string(s.Status)))
		}
		return fmt.Sprintf("%s failed as %s while its room is live. LiveKit may run it again under its ID: we wait for that until %s.",
			s.ID, plain(string(s.Status)), clock(s.heldUntil()))
	case Settled:
		return s.ended() + s.delivering()
	case Delivered:
		text := s.ended() + " " + s.delivered()
		if s.Correctable() {
			text += fmt.Sprintf(" Stays open for %s, in case it turns out to be alive.", s.Policy.CorrectFor)
		}
		return text
	case Watching:
		return fmt.Sprintf("%s is %s. %s", s.ID, plain(string(s.Latest.StatusName())), s.waits())
	case Requested:
	}
	if n := len(s.Parts); n > 0 {
		return fmt.Sprintf("%s ended as %s while its room is live, so LiveKit is asked to start part %d.", s.Parts[n-1].EgressID, plain(string(s.Parts[n-1].Status)), s.Part)
	}
	return "LiveKit is asked to start it. Waits for LiveKit's answer, or its first webhook."
}

// waits says what a running egress waits for, and when LiveKit is asked next.
func (s *State) waits() string {
	if !s.Started {
		return "Waits for LiveKit's answer to our start."
	}
	text := "Waits for LiveKit's webhook; if none comes, LiveKit is asked at " + clock(s.NextLook()) + "."
	if !s.AskedFrom.IsZero() {
		text = "Waits for news, and keeps asking LiveKit from " + clock(s.AskedFrom) +
			" on: the pending activity Poll shows what it last saw."
	}
	if !s.EndExpected.IsZero() {
		text += " Its end has been expected since " + clock(s.EndExpected) +
			"; if none comes, it is given up as lost by " + clock(s.EndExpected.Add(s.Policy.GiveUpAfter.D())) + "."
	}
	return text
}

// ended returns the verdict in words.
func (s *State) ended() string {
	if s.Status != Lost {
		return fmt.Sprintf("%s ended as %s, learned from %s.", s.ID, plain(string(s.Status)), s.EndedBy)
	}
	return fmt.Sprintf("%s is lost: %s. Nothing more is expected of it; its storage may hold a part.", s.ID, plain(s.LostBecause))
}

// delivering says what the delivery waits for.
func (s *State) delivering() string {
	open := slices.DeleteFunc(s.Tells(), func(step string) bool {
		return slices.Contains(s.Done, step) || slices.Contains(s.AwaitsWord, step) || !s.Needs(step)
	})
	var text string
	if !s.Started {
		text = " Waits for LiveKit's answer to our start."
	}
	if len(s.AwaitsWord) > 0 {
		text += " Waits for you to retry or skip " + strings.Join(s.AwaitsWord, ", ") + "."
	}
	if len(open) > 0 {
		text += " Waits for delivery: " + strings.Join(open, ", ") + "."
	}
	if step, ok := s.stepOf(s.Doing); ok && !slices.Contains(s.AwaitsWord, s.Doing) {
		text += fmt.Sprintf(" Step %s is under way: it waits for an answer from a worker of task queue %s.", step.Name, plain(step.TaskQueue))
	}
	return text
}

// delivered says who was told.
func (s *State) delivered() string {
	text := "Nobody had to be told."
	if told := s.taken(); len(told) > 0 {
		text = "Delivered: " + strings.Join(told, ", ") + "."
	}
	if len(s.Skipped) > 0 {
		text += " Left out: " + strings.Join(s.Skipped, ", ") + "."
	}
	return text
}

// taken returns the delivery steps that are done and were not skipped.
func (s *State) taken() []string {
	return slices.DeleteFunc(slices.Clone(s.Done), func(step string) bool { return slices.Contains(s.Skipped, step) })
}

// markdown escapes what would be markup or end a table cell. LiveKit's and a consumer's words are
// shown as they are, and the UI lets HTML through.
var markdown = map[rune]string{
	'\\': `\\`, '`': "\\`", '*': `\*`, '[': `\[`, ']': `\]`, '$': `\$`, '~': `\~`,
	'<': "&lt;", '>': "&gt;", '&': "&amp;", '|': "&#124;",
}

// plain returns foreign text as Markdown that shows it unchanged, and what is not seen by its code:
// such characters may turn the direction of a line. Those that only join others, in words and emoji,
// stay.
func plain(text string) string {
	var b strings.Builder
	text = oneLine(text)
	word := false // underscores are no markup within a word
	for i, r := range text {
		escaped, markup := markdown[r]
		switch {
		case markup:
			b.WriteString(escaped)
		case r == '_' && (!word || !startsWord(strings.TrimLeft(text[i:], "_"))):
			b.WriteString(`\_`)
		case unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d':
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		default:
			b.WriteRune(r)
		}
		word = ofWord(r) || word && r == '_'
	}
	return b.String()
}

func startsWord(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return ofWord(r)
}

func ofWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// oneLine replaces line breaks and control characters by spaces. Other spaces may be of a name.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }), " ")
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
