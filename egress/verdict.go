package egress

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Verdict is what became of a recording. It is the workflow's result. A recording that LiveKit
// failed is a verdict, not an error.
type Verdict struct {
	RequestID string      `json:"request_id"`
	EgressID  string      `json:"egress_id"`
	Kind      Kind        `json:"kind"`
	Room      string      `json:"room,omitempty"`
	RoomID    string      `json:"room_id,omitempty"`
	Status    Status      `json:"status"`
	EndedBy   Source      `json:"ended_by"`
	EndedAt   time.Time   `json:"ended_at"` // LiveKit's ended_at; for a lost egress, when we gave up
	HeardAt   time.Time   `json:"heard_at"`
	Late      Duration    `json:"late"` // from the end to when we learned of it
	Missed    Missed      `json:"missed,omitempty"`
	Media     Media       `json:"media"`
	Files     []MediaFile `json:"files,omitempty"` // what was found in the store
	Stopped   StopReason  `json:"stopped,omitempty"`
	StoppedBy *Asker      `json:"stopped_by,omitempty"` // who asked for the stop, if known
	Because   string      `json:"because,omitempty"`    // evidence of a loss, or LiveKit's error
	Corrects  Status      `json:"corrects,omitempty"`   // what was announced before, and was wrong
	Parts     []Part      `json:"parts,omitempty"`      // all parts, if there is more than one
	Twins     []string    `json:"twins,omitempty"`      // other egress IDs of the request, which we stopped
	Delivered []string    `json:"delivered,omitempty"`
	Skipped   []string    `json:"skipped,omitempty"` // delivery steps that a person skipped
	Info      Info        `json:"info"`

	MissedBecause string `json:"missed_because,omitempty"` // the evidence for Missed, in words
	MediaBecause  string `json:"media_because,omitempty"`  // the evidence for Media, in words, if it is not present, is silent or unfinished, or could not be played in time

	// Results are what the steps of the pipeline returned, by step name.
	Results map[string]json.RawMessage `json:"results,omitempty"`
}

// Verdict returns the verdict on a settled egress.
func (s *State) Verdict(requestID string, sum Summary) Verdict {
	v := Verdict{
		RequestID: requestID, EgressID: s.ID, Kind: sum.Kind, Room: sum.Room, RoomID: s.Latest.Proto().GetRoomId(),
		Status: s.Status, EndedBy: s.EndedBy, EndedAt: cmp.Or(s.Latest.EndTime(), s.NewsAt), HeardAt: s.NewsAt,
		Media: MediaUnchecked, Stopped: s.Stopped, StoppedBy: s.StoppedBy, Because: cmp.Or(s.LostBecause, s.Latest.Proto().GetError()),
		Delivered: s.taken(), Skipped: s.Skipped, Corrects: s.Corrects, Info: s.Latest, Twins: s.Twins, Results: s.Results,
	}
	v.Late = Duration(max(0, v.HeardAt.Sub(v.EndedAt)))
	v.Missed, v.MissedBecause = s.missed()
	if s.Media != nil {
		v.Media, v.Files, v.MediaBecause = s.Media.Media, s.Media.Files, s.Media.Because
	}
	if len(s.Parts) > 0 {
		v.Parts = withGaps(append(slices.Clone(s.Parts), s.part()))
	}
	return v
}

// Knows reports whether an egress is one of those announced for the recording: the last part or an
// earlier one.
func (v Verdict) Knows(egressID string) bool {
	return v.EgressID == egressID ||
		slices.ContainsFunc(v.Parts, func(p Part) bool { return p.EgressID == egressID })
}

// missed returns the class of the missed webhook, with the evidence in words. It is unclassified
// if nobody found out.
//
// LiveKit sends no webhook for an egress that it has never called ended. One that it no longer
// knows may have ended long ago.
func (s *State) missed() (Missed, string) {
	switch s.EndedBy {
	case FromTimeout:
		if s.Evidence.MissingSince.IsZero() {
			return MissedUntried, "LiveKit has never called it ended, so it had nothing to send"
		}
		return MissedUnclassified, "LiveKit no longer knows the egress"
	case FromPoll, FromReconcile:
		return cmp.Or(s.MissedWhy, MissedUnclassified), s.MissedBecause
	case FromStart, FromStop: // usually our stop ended it
		if s.MissedWhy != "" {
			return s.MissedWhy, s.MissedBecause
		}
		if end := s.Latest.EndTime(); !end.IsZero() && s.NewsAt.Sub(end) > retriesEnd+clocksDiffer {
			return MissedUnclassified, "it had ended long before LiveKit's answer to us said so"
		}
	case FromWebhook: // LiveKit told us
	}
	return "", ""
}

// retriesEnd is how long LiveKit tries to send a webhook to an endpoint that is down: five
// attempts, 1, 2, 4 and 8 s apart.
const retriesEnd = 15 * time.Second

// cameLate takes what comes after the end. If the webhook of an end that we had to ask for comes
// at all, it was late and not lost. That of an egress that we gave up is another matter, and that of
// an earlier run says nothing of this end.
func (s *State) cameLate(o Observation) {
	if o.Source != FromWebhook || !o.Final || s.Latest.RanAgain(o.Info) {
		return
	}
	missed, _ := s.missed()
	// Nobody has been told yet, so they can be told under LiveKit's own event ID. The webhook may date
	// the end otherwise than LiveKit's answer to a stop did.
	if s.Phase == Settled && s.unheard() && missed == "" && s.Status == o.Info.StatusName() || s.Phase == Held && s.sameEnd(o) {
		s.Event = o.Event
	}
	if s.Status != Lost && missed != "" && missed != MissedLate {
		s.MissedWhy = MissedLate
		s.MissedBecause = lateBy(s.NewsAt, o.HeardAt)
	}
}

// sameEnd reports whether an observation is of the very end that is known.
func (s *State) sameEnd(o Observation) bool {
	seen, known := o.Info.Proto(), s.Latest.Proto()
	return seen.GetStatus() == known.GetStatus() && seen.GetEndedAt() == known.GetEndedAt() && seen.GetRetryCount() == known.GetRetryCount()
}

// Needs reports whether a delivery step has anything to do for this status. Whoever was told of an
// end that is corrected is told of the correction, and of each that follows; so is who gets
// LiveKit's own webhooks, since the end that was wrong may have been our word.
func (s *State) Needs(step string) bool {
	if c := s.Pipeline.Consumer(step); c != nil {
		said := append([]Status{s.Status, s.Corrects}, s.ToldAs...)
		return slices.ContainsFunc(said, func(status Status) bool { return status.among(c.When) })
	}
	missed, _ := s.missed()
	return step != StepAnnounce || !s.MissedOnly || missed != "" || s.Corrects != ""
}

// CameLate notes that LiveKit's webhook of the end came after all, once nobody waited for it.
func (v *Verdict) CameLate(because string) {
	v.Missed, v.MissedBecause = MissedLate, because
	if n := len(v.Parts); n > 0 {
		v.Parts[n-1].Missed, v.Parts[n-1].MissedBecause = MissedLate, because
	}
}

// Memo is what a report needs of a verdict, kept as a memo of the workflow. Temporal Cloud accepts
// memos of 40 KB.
type Memo struct {
	RoomID  string    `json:"room_id,omitempty"`
	EndedAt time.Time `json:"ended_at"`
	Late    Duration  `json:"late"`
	Missed  Missed    `json:"missed,omitempty"`
	Media   Media     `json:"media"`
	Lost    string    `json:"lost,omitempty"` // evidence of a loss

	MissedBecause string `json:"missed_because,omitempty"` // evidence for Missed
	MediaBecause  string `json:"media_because,omitempty"`  // evidence for Media, if people should know it

	Earlier []EarlierPart `json:"earlier,omitempty"` // the parts before the last one
}

// EarlierPart is what a report needs of a part that was followed by another.
type EarlierPart struct {
	EgressID string    `json:"egress_id"`
	Room     string    `json:"room,omitempty"`    // if it was another one than the last part's
	RoomID   string    `json:"room_id,omitempty"` // likewise
	Status   Status    `json:"status"`
	EndedBy  Source    `json:"ended_by"`
	EndedAt  time.Time `json:"ended_at"`
	Late     Duration  `json:"late,omitempty"`
	Missed   Missed    `json:"missed,omitempty"`
}

// Memo returns the part of the verdict that a report needs.
func (v Verdict) Memo() Memo {
	media, because, alarming := v.Alarming()
	m := Memo{RoomID: v.RoomID, EndedAt: v.EndedAt, Late: v.Late, Missed: v.Missed, Media: media, MissedBecause: Clip(v.MissedBecause, maxBecause)}
	if v.Status == Lost {
		m.Lost = Clip(v.Because, maxBecause)
	}
	if alarming {
		m.MediaBecause = Clip(because, maxBecause)
	}
	for _, p := range v.earlier() {
		e := EarlierPart{
			EgressID: p.EgressID, Status: p.Status, EndedBy: p.EndedBy, EndedAt: p.EndedAt, Missed: p.Missed,
			Late: Duration(max(0, p.HeardAt.Sub(p.EndedAt))),
		}
		if room := p.Info.Proto().GetRoomName(); room != v.Room {
			e.Room = room
		}
		if id := p.Info.Proto().GetRoomId(); id != v.RoomID {
			e.RoomID = id
		}
		m.Earlier = append(m.Earlier, e)
	}
	return m
}

// earlier returns the parts before the last one.
func (v Verdict) earlier() []Part {
	return slices.DeleteFunc(slices.Clone(v.Parts), func(p Part) bool { return p.EgressID == v.EgressID })
}

// pieces returns the earlier parts that belong to this recording. What somebody recorded of
// another room with the same key does not.
func (v Verdict) pieces() []Part {
	return slices.DeleteFunc(v.earlier(), func(p Part) bool {
		room := p.Info.Proto().GetRoomName()
		return room != "" && v.Room != "" && room != v.Room
	})
}

// Alarming returns the gravest media result of all parts, with the evidence; the verdict's own is
// only that of the last part. It reports whether people should be told.
func (v Verdict) Alarming() (m Media, because string, ok bool) {
	m, because = v.Media, v.MediaBecause
	for _, p := range v.pieces() {
		media, why := MediaUnchecked, fmt.Sprintf("part %d: nobody has looked", p.Number)
		if p.Media != nil {
			media, why = p.Media.Media, fmt.Sprintf("part %d: %s", p.Number, p.Media.Because)
		}
		if gravity[media] > gravity[m] {
			m, because = media, why
		}
	}
	return m, because, m.Alarming()
}

// FailedPart says in words which earlier part did not end well, so that a piece of the recording
// is missing. Empty: none.
func (v Verdict) FailedPart() string {
	for _, p := range v.pieces() {
		if !p.Status.Good() {
			return fmt.Sprintf("part %d, %s, ended as %s", p.Number, p.EgressID, p.Status)
		}
	}
	return ""
}

// Told returns the EgressInfo that others are told: a lost egress is EGRESS_FAILED to them, since
// they have no word for lost.
func (v Verdict) Told() (Info, error) {
	if v.Status != Lost {
		return v.Info, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(v.Info.raw, &fields); err != nil {
		return Info{}, fmt.Errorf("lost EgressInfo: %w", err)
	}
	fields["status"] = livekit.EgressStatus_EGRESS_FAILED.String()
	fields["error"] = "lost: " + v.Because
	fields["endedAt"] = strconv.FormatInt(v.EndedAt.UnixNano(), 10)
	b, err := json.Marshal(fields)
	if err != nil {
		return Info{}, fmt.Errorf("lost EgressInfo: %w", err)
	}
	return parseInfo(b)
}

// Announcement returns the webhook event that the consumer gets: the one that LiveKit sent, if it
// reached us, else what it would have been. Its ID is derived from egress ID and verdict, so that
// a repeated announcement carries the same one.
func (s *State) Announcement() (Event, error) {
	if len(s.Event) > 0 && s.Status != Lost {
		return parseEvent(s.Event)
	}
	if !s.Latest.Known() {
		return Event{}, fmt.Errorf("announce %s: it has not been seen", s.ID)
	}
	v := s.Verdict("", Summary{})
	info, err := v.Told()
	if err != nil {
		return Event{}, err
	}
	return eventOf(map[string]any{
		"event":      EventEnded,
		"room":       map[string]any{"sid": s.Latest.Proto().GetRoomId(), "name": s.Latest.Proto().GetRoomName()},
		"egressInfo": info,
		"id":         s.eventID(),
		"createdAt":  strconv.FormatInt(v.EndedAt.Unix(), 10),
	})
}

// IsAnnouncement reports whether only Announcement makes such an event. A consumer may send it back.
func (e Event) IsAnnouncement() bool {
	info, err := e.Info()
	if err != nil {
		return false
	}
	m := info.Proto()
	id, status := m.GetEgressId(), string(info.StatusName())
	return slices.Contains([]string{eventID(id, string(Lost)), eventID(id, status), eventID(id, status, fmt.Sprint(m.GetEndedAt()))}, e.Proto().GetId())
}

// eventID derives an event ID for an end whose LiveKit event we do not have. A correction, such as
// the end of a second run, must not be taken for an earlier end of the same status. A loss is
// announced only once, even if the egress showed life in between.
func (s *State) eventID() string {
	says := []string{s.ID, string(s.Status)}
	if s.Corrects != "" && s.Status != Lost {
		says = append(says, fmt.Sprint(s.Latest.Proto().GetEndedAt()))
	}
	return eventID(says...)
}
