package egress

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"
)

// NoticeType is the workflow that carries one Notice to the notification hook.
const NoticeType = "Notice" // argument: Notice, no result

const noticePrefix = "egress-notice/"

// NoticeID returns the ID of the workflow that carries a notice. It is derived from what the
// notice is about, so that the same notice goes out once, however often it is asked for. What is
// longer than PostgreSQL takes ends in a digest.
func NoticeID(requestID, about string) string {
	id := noticePrefix + requestID + "/" + about
	if len(id) <= maxWorkflowID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	digest := "-" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:24]
	return Clip(id, maxWorkflowID-len(digest)) + digest
}

// maxWorkflowID is the limit of Temporal's SQL schema, in which a workflow ID is a VARCHAR(255).
// Temporal itself lets longer ones pass, and then cannot store them.
const maxWorkflowID = 255

// Concern is what the notification hook tells people about.
type Concern string

// The closed list of concerns.
const (
	ConcernMissed Concern = "missed" // LiveKit's egress_ended did not reach us; we found the end ourselves
	ConcernLost   Concern = "lost"   // the egress is dead, and LiveKit will not say how it ended
	ConcernMedia  Concern = "media"  // the media is not in its store as it should be
	ConcernStuck  Concern = "stuck"  // it waits for a person

	ConcernBroken Concern = "path_broken" // LiveKit's webhooks do not arrive, says the canary
	ConcernHealed Concern = "path_healed" // they arrive again
)

// Notice is what people are told about one egress, or about the path of the webhooks, and all that
// its text is made of. It holds names, IDs and our own words, and nothing that is redacted
// elsewhere.
type Notice struct {
	Concern   Concern   `json:"concern"`
	About     string    `json:"about,omitempty"` // the concern, and of which part and step: each is told once
	RequestID string    `json:"request_id"`
	EgressID  string    `json:"egress_id,omitempty"`
	Kind      Kind      `json:"kind"`
	Room      string    `json:"room,omitempty"`
	Status    Status    `json:"status,omitempty"`   // final; empty while it runs
	EndedBy   Source    `json:"ended_by,omitempty"` // who reported the end
	EndedAt   time.Time `json:"ended_at"`           // zero while it runs; for the webhooks' path: when it was last tested
	Late      Duration  `json:"late,omitempty"`
	Missed    Missed    `json:"missed,omitempty"`
	Because   string    `json:"because,omitempty"` // evidence of a loss, of the class of a miss or of the media, why it is stuck, or what the canary found
	Step      string    `json:"step,omitempty"`    // the delivery step that waits for a person
	Fix       string    `json:"fix,omitempty"`     // how to repair a broken path
	Since     time.Time `json:"since,omitzero"`    // since when the path was broken
	// For is how long delivery of the notice is tried: as long as an announcement's. Zero: without
	// end.
	For Duration `json:"for"`
}

// EndConcern returns what people should be told about a settled egress, or empty if nothing. A
// loss is told once: that its webhook did not come goes without saying.
func (s *State) EndConcern() Concern {
	missed, _ := s.missed()
	switch {
	case s.Status == Lost:
		return ConcernLost
	case missed != "":
		return ConcernMissed
	}
	return ""
}

// Notice returns the notice of a concern about a part; 0 is the current one. It reports false if
// the egress began without a notification hook, or if this was said before. Notice records it as
// said; saying it is up to the caller.
func (s *State) Notice(c Concern, part int, requestID string, sum Summary) (Notice, bool) {
	part = cmp.Or(part, s.Part)
	about := s.about(c, part)
	if !s.Notify || c == "" || slices.Contains(s.Noticed, about) {
		return Notice{}, false
	}
	s.Noticed = append(s.Noticed, about)
	n := Notice{
		Concern: c, About: about, RequestID: requestID, EgressID: s.ID, Kind: sum.Kind, Room: sum.Room, For: s.AnnounceFor,
		Because: Clip(s.Stuck, maxNoticed),
	}
	media := s.Media
	if i := slices.IndexFunc(s.Parts, func(p Part) bool { return p.Number == part && part != s.Part }); i >= 0 {
		n.EgressID, media = s.Parts[i].EgressID, s.Parts[i].Media
	} else if s.over() {
		v := s.Verdict(requestID, sum)
		n.Status, n.EndedBy, n.EndedAt, n.Late, n.Missed = v.Status, v.EndedBy, v.EndedAt, v.Late, v.Missed
	}
	switch c {
	case ConcernLost:
		n.Because = Clip(s.LostBecause, maxNoticed)
	case ConcernMissed:
		_, why := s.missed()
		n.Because = Clip(why, maxNoticed)
	case ConcernMedia:
		if media != nil {
			n.Because = Clip(media.String(), maxNoticed)
		}
	case ConcernStuck, ConcernBroken, ConcernHealed:
	}
	return n, true
}

// about returns what a notice says only once. It tells parts and steps apart: each part of a
// recording may be lost, and a notice that one does not begin, or runs long, must not suppress one
// that a step waits.
func (s *State) about(c Concern, part int) string {
	about := string(c)
	if c == ConcernStuck {
		why := s.Mark()
		if why == MarkStep { // the last one is the newest
			return about + "-" + s.AwaitsWord[len(s.AwaitsWord)-1]
		}
		about += "-" + string(why)
	}
	if part > 1 {
		about += PartSuffix(part)
	}
	return about
}

// Mark returns why a marked egress waits for a person.
func (s *State) Mark() Mark {
	switch {
	case len(s.AwaitsWord) > 0:
		return MarkStep
	case s.Stuck == WhyIdle:
		return MarkIdle
	default:
		return MarkLong
	}
}

const (
	// maxBecause is how much is kept of an evidence, in bytes.
	maxBecause = 2000
	// maxNoticed is how much of it a notice carries. A message may hold less.
	maxNoticed = 900
)

// Text returns the notice in words: what happened, to which recording, and what a person can do
// about it.
func (n Notice) Text() string {
	n.RequestID = ForCommand(n.RequestID)
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	switch n.Concern {
	case ConcernMissed:
		say("Webhook missed: LiveKit's egress_ended of %s did not reach us.", n.what())
		say("It ended %s at %s. We learned it by %s, %s late. Class: %s.", n.Status, clock(n.EndedAt), n.EndedBy, n.Late.D().Round(time.Second), n.Missed)
		if n.Because != "" {
			say("Evidence: %s.", n.Because)
		}
		say("Nothing is lost, and the end is announced as usual. See `starter show %s`, and `starter list --missed` for others.", n.RequestID)
		say("One now and then is normal for LiveKit. If there are several at once: is the webhook endpoint up, fast and reachable from LiveKit?")
	case ConcernLost:
		say("Recording lost: %s.", n.what())
		say("Evidence: %s. We gave it up at %s.", n.Because, clock(n.EndedAt))
		say("Its consumer is told EGRESS_FAILED. See `starter show %s`. Check its storage for what was written, and LiveKit's egress workers for why one died.", n.RequestID)
	case ConcernMedia:
		say("Media is not as it should be: %s.", n.what())
		say("Found: %s.", n.Because)
		say("Its consumer is still told LiveKit's status. See `starter show %s`. Check its storage and LiveKit's egress workers.", n.RequestID)
	case ConcernStuck:
		say("A recording needs a person: %s.", n.what())
		say("Why: %s.", n.Because)
		say("%s", n.remedy())
	case ConcernBroken:
		say("LiveKit's webhooks have not arrived since %s: %s.", clock(n.Since), n.Because)
		say("To fix it: %s.", n.Fix)
		say("Nothing is lost: we learn of ends by asking LiveKit, only later. See `starter doctor --only webhook`.")
	case ConcernHealed:
		say("LiveKit's webhooks arrive again, as seen at %s: %s.", clock(n.EndedAt), n.Because)
		say("They had not arrived since %s. To see what was missed: `starter report --since %s`.", clock(n.Since), n.Since.UTC().Format(time.RFC3339))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// remedy returns what a person can do about a recording that needs one.
func (n Notice) remedy() string {
	id, look := n.RequestID, fmt.Sprintf("See `starter show %s`.", n.RequestID)
	switch {
	case n.Because == WhyIdle:
		return fmt.Sprintf("%s Does its page load, and signal that recording may begin? Record the room in another way; `starter stop %s` ends this one.", look, id)
	case n.Step == "":
		return fmt.Sprintf("It keeps recording. %s If nobody needs it, end it: `starter stop %s`.", look, id)
	default:
		return fmt.Sprintf("%s Fix the cause, then `starter retry %s %s`; or leave it out: `starter skip %s %s`.", look, id, n.Step, id, n.Step)
	}
}

// what names the recording as people know it.
func (n Notice) what() string {
	id := n.EgressID
	if id == "" {
		id = "without an ID yet"
	}
	if n.Room == "" {
		return fmt.Sprintf("egress %s (%s)", id, n.Kind)
	}
	return fmt.Sprintf("egress %s (%s of room %q)", id, n.Kind, n.Room)
}
