package egress

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A recording that fails or reaches one of LiveKit's limits while its room is live can be started
// again as the next part of the same recording. Each part is a LiveKit egress of its own, with its
// own token.

// Part is the result of one part of a recording.
type Part struct {
	Number    int       `json:"number"` // counted from 1
	EgressID  string    `json:"egress_id"`
	Status    Status    `json:"status"`
	EndedBy   Source    `json:"ended_by"`
	Because   string    `json:"because,omitempty"`
	StartedAt time.Time `json:"started_at"` // by LiveKit; by us if it gives none
	EndedAt   time.Time `json:"ended_at"`   // by LiveKit; for a lost part, its last sign of life
	HeardAt   time.Time `json:"heard_at,omitzero"`
	Missed    Missed    `json:"missed,omitempty"`
	Corrects  Status    `json:"corrects,omitempty"` // the status announced for it before, which was wrong
	ToldAs    []Status  `json:"told_as,omitempty"`  // the statuses announced before that
	// Gap is what is missing between the end of the previous part and the start of this one. Only a
	// verdict has it, since the previous part may be corrected.
	Gap  Duration `json:"gap,omitempty"`
	Info Info     `json:"info"`
	// EventID is LiveKit's ID of the webhook event of its end, under which the end was announced.
	EventID string `json:"event_id,omitempty"`
	// Storage is the storage profile that its media went to, if the start filled one in.
	Storage string `json:"storage,omitempty"`
	// Media is what verify found of this part, nil until then.
	Media *MediaReport `json:"media,omitempty"`

	MissedBecause string `json:"missed_because,omitempty"` // the evidence for Missed, in words
}

// Recoverable reports whether a settled egress is to be restarted: it failed, is lost, or reached
// a limit; its room is not known to be gone; nobody wanted it stopped; what it records still
// exists; its maximum duration has not passed; no next part was refused; and restarts are left.
// Parts that others started do not count.
func (s *State) Recoverable(now time.Time) bool {
	m := s.Latest.Proto()
	return s.Phase == Settled && s.Restarts < s.Recover && !s.LastPart && (s.Status == Lost && !s.stoppedPastUs() || s.brokeOff() || s.Status.limited()) &&
		s.Stopped == "" && !s.outlasted(now) && s.Evidence.RoomGone.IsZero() && m.GetRoomId() != "" && !isWebEgress(m) && !trackMissing(m)
}

// MayHaveNext reports whether a next part of ours can have begun already, although this state knows
// of none: its database was restored or has failed over, and forgot that part's start. A start that
// gave up may have begun one all the same, but if the part before records again, that one is a twin.
func (s *State) MayHaveNext(now time.Time) bool {
	switch {
	case s.LastPart:
		return s.Status.limited() && s.Stopped == "" && !s.outlasted(now)
	case s.Phase == Watching:
		return s.Restarts < s.Recover && s.Stopped == ""
	}
	return s.Recoverable(now)
}

// outlasted reports whether the maximum duration, which all parts share, has passed.
func (s *State) outlasted(now time.Time) bool {
	return s.MaxDuration > 0 && stood(s.BoundAt, s.MaxDuration, now)
}

// Until returns when the maximum duration has passed. Zero: never.
func (s *State) Until() time.Time {
	if s.MaxDuration == 0 {
		return time.Time{}
	}
	return s.BoundAt.Add(s.MaxDuration.D())
}

// trackMissing reports whether LiveKit could not find the track to record. A track ID never comes
// again, whereas a participant may.
func trackMissing(m *livekit.EgressInfo) bool {
	const notFound = 404 // LiveKit's codes are HTTP's
	return m.GetErrorCode() == notFound && (m.GetTrack() != nil || m.GetTrackComposite() != nil || ofTracks(m.GetEgress().GetMedia()))
}

// ofTracks reports whether StartEgress is to record tracks by their IDs, and nothing else.
func ofTracks(media *livekit.MediaSource) bool {
	byName := func(r *livekit.AudioRoute) bool { return r.GetTrackId() == "" }
	routes := media.GetAudio().GetRoutes()
	return (media.GetVideoTrackId() != "" || len(routes) > 0) && media.GetParticipantVideo() == nil && !slices.ContainsFunc(routes, byName)
}

// NextPart records the result of this part and turns the state into that of the next one before
// its start.
func (s *State) NextPart() {
	ended := s.part()
	*s = State{
		Terms: s.Terms, Shared: s.Shared, Phase: Requested, Part: s.Part + 1, Restarts: s.Restarts,
		MaxDuration: s.MaxDuration, BoundAt: s.BoundAt,
	}
	s.Parts = append(s.Parts, ended)
}

// part returns the result of the part that has ended.
func (s *State) part() Part {
	m := s.Latest.Proto()
	p := Part{
		Number: s.Part, EgressID: s.ID, Status: s.Status, EndedBy: s.EndedBy, Because: Clip(cmp.Or(s.LostBecause, m.GetError()), maxBecause),
		StartedAt: unixNano(cmp.Or(m.GetStartedAt(), s.NewsAt.UnixNano())),
		EndedAt:   unixNano(cmp.Or(m.GetEndedAt(), s.NewsAt.UnixNano())),
		HeardAt:   s.NewsAt, Corrects: s.Corrects, ToldAs: s.ToldAs, Info: s.Latest.short(longestEarlier), Media: s.Media, Storage: s.Storage,
	}
	p.EventID = idOf(s.Event)
	p.Missed, p.MissedBecause = s.missed()
	if s.Status == Lost {
		p.EndedAt = unixNano(cmp.Or(m.GetUpdatedAt(), s.NewsAt.UnixNano()))
	}
	return p
}

// withGaps returns parts with what is missing between them.
func withGaps(parts []Part) []Part {
	for i := 1; i < len(parts); i++ {
		parts[i].Gap = Duration(max(0, parts[i].StartedAt.Sub(parts[i-1].EndedAt)))
	}
	return parts
}

// idOf returns the ID of a LiveKit event, empty if there is none: what a poll saw has no event.
func idOf(event json.RawMessage) string {
	var e Event
	if e.UnmarshalJSON(event) != nil {
		return ""
	}
	return e.Proto().GetId()
}

// HeardOf takes over what became of the webhook of a part's end, which that part waited for. The
// end of a later run, which has corrected the part meanwhile, has its own.
func (s *State) HeardOf(part State) {
	if i := s.earlier(part.ID); i >= 0 && !s.Parts[i].Info.RanAgain(part.Latest) {
		s.Parts = slices.Clone(s.Parts)
		s.Parts[i].EventID = idOf(part.Event)
		s.Parts[i].Missed, s.Parts[i].MissedBecause = part.missed()
	}
	if s.ID == part.ID && !s.Latest.RanAgain(part.Latest) {
		s.Event, s.MissedWhy, s.MissedBecause = part.Event, part.MissedWhy, part.MissedBecause
	}
}

// earlier returns the index of an earlier part of this recording, -1 for another egress.
func (s *State) earlier(egressID string) int {
	return slices.IndexFunc(s.Parts, func(p Part) bool { return p.EgressID == egressID })
}

// CorrectPart takes the end of an earlier part that was lost, or that failed and has run again
// since, and returns that part as a state to be delivered. It reports false if nothing changes.
func (s *State) CorrectPart(o Observation) (State, bool) {
	i := s.earlier(o.Info.ID())
	if i < 0 || s.rankOf(o) != rankEnded || !s.Parts[i].endsAgain(o.Info) {
		return State{}, false
	}
	past := s.pastPart(s.Parts[i].Number, o)
	past.Named = (&State{Latest: s.Parts[i].Info}).namedBefore(o)
	past.Storage = cmp.Or(s.Parts[i].Storage, past.Storage)
	past.Corrects, past.ToldAs = s.Parts[i].Status, wrongs(s.Parts[i].ToldAs, s.Parts[i].Corrects)
	p := past.part()
	p.StartedAt = s.Parts[i].StartedAt
	s.Parts = slices.Clone(s.Parts)
	s.Parts[i] = p
	return past, true
}

// pastPart returns an earlier part, which the observation shows ended, as a state to be delivered.
func (s *State) pastPart(number int, o Observation) State {
	return State{
		Terms: s.Terms, Phase: Settled, Started: true, Part: number, ID: o.Info.ID(), Latest: o.Info, NewsAt: o.HeardAt, NewsBy: o.Source,
		Outcome: o.outcome(),
	}
}

// endsAgain reports whether this end differs from the one that was announced for the part. If an
// egress is stopped before it records, LiveKit's own event dates the end later than its answer to
// the stop does.
func (p Part) endsAgain(end Info) bool {
	seen, known := end.Proto(), p.Info.Proto()
	switch {
	case p.Status == Lost:
		return true
	case !Failed(known.GetStatus()):
		return false
	case seen.GetRetryCount() != known.GetRetryCount():
		return seen.GetRetryCount() > known.GetRetryCount()
	case p.EndedBy == FromStop && seen.GetStatus() == known.GetStatus():
		return false
	}
	return seen.GetEndedAt() > known.GetEndedAt()
}

// TakeCorrection takes over that the last part ended differently from what was announced.
func (s *State) TakeCorrection(part State) {
	s.Latest, s.Named, s.NewsAt, s.NewsBy = part.Latest, part.Named, part.NewsAt, part.NewsBy
	s.Outcome, s.Corrects, s.ToldAs = part.Outcome, part.Corrects, part.ToldAs
}

// IsOfThisPart reports whether an observation is of the part that is recording, not of an earlier
// one, which has been announced, or of a twin.
func (s *State) IsOfThisPart(o Observation) bool {
	id := o.Info.ID()
	return id == s.ID || s.ID == "" && s.earlier(id) < 0 && !slices.Contains(s.Twins, id)
}

// Beside reports whether an earlier part shows that it is still recording, beside the part that
// took its place.
func (s *State) Beside(o Observation) bool {
	i := s.earlier(o.Info.ID())
	return i >= 0 && s.rankOf(o) != rankEnded && o.Info.Proto().GetUpdatedAt() > s.Parts[i].Info.Proto().GetUpdatedAt()
}

// partPlaceholder in a path stands for the number of the part.
const partPlaceholder = "{part}"

// pathFields are the fields of LiveKit's outputs that say where media is written.
var pathFields = map[protoreflect.Name]bool{
	"filepath": true, "filename_prefix": true, "playlist_name": true, "live_playlist_name": true,
}

// ForPart returns a copy of a request with the paths of a part. If a path has no placeholder,
// parts after the first get a suffix, since two parts must not write one file.
func ForPart(r Request, part int) Request {
	out, _ := proto.Clone(r).(Request)
	renumber(out.ProtoReflect(), part)
	return out
}

func renumber(m protoreflect.Message, part int) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Kind() == protoreflect.StringKind && !fd.IsList() && pathFields[fd.Name()]:
			m.Set(fd, protoreflect.ValueOfString(pathOf(v.String(), part)))
		case fd.Kind() == protoreflect.MessageKind && fd.IsList():
			for i := range v.List().Len() {
				renumber(v.List().Get(i).Message(), part)
			}
		case fd.Kind() == protoreflect.MessageKind && !fd.IsMap():
			renumber(v.Message(), part)
		}
		return true
	})
}

// pathOf returns a path for a part. In a bare directory LiveKit chooses a name of its own, which
// differs by time.
func pathOf(p string, part int) string {
	n := strconv.Itoa(part)
	switch {
	case strings.Contains(p, partPlaceholder):
		return strings.ReplaceAll(p, partPlaceholder, n)
	case part == 1 || p == "":
		return p
	default:
		return suffixed(p, "-part"+n)
	}
}

// suffixed adds a suffix to a path, before its extension. A directory stays as it is.
func suffixed(p, suffix string) string {
	if strings.HasSuffix(p, "/") {
		return p
	}
	ext := path.Ext(p)
	return strings.TrimSuffix(p, ext) + suffix + ext
}
