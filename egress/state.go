package egress

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Phase is the phase that the workflow is in.
type Phase string

// The phases of an egress's life, in order.
const (
	Requested Phase = "requested" // LiveKit has not confirmed a start
	Watching  Phase = "watching"
	Held      Phase = "held"    // it failed, and LiveKit may run it again
	Settled   Phase = "settled" // it ended, or is lost
	Delivered Phase = "delivered"
)

// State is everything that an egress workflow remembers, and all that it carries over to its next
// run, whose worker must know each of its fields: none is ever taken away. It is also the answer to
// QueryState.
type State struct {
	Terms
	Shared
	Hold
	Blind
	Outcome
	Phase Phase `json:"phase"`
	Part  int   `json:"part"` // counted from 1
	// PartsTold says that a redelivery leaves the earlier parts out: they were announced as they
	// are.
	PartsTold bool `json:"parts_told,omitempty"`
	// Restarts is how many parts we started because the one before had ended too early.
	Restarts int    `json:"restarts,omitempty"`
	ID       string `json:"id"`      // the egress ID that the first confirmation bound to this part
	Latest   Info   `json:"latest"`  // the last news
	Started  bool   `json:"started"` // the start activity has answered
	// Named is the last news before an end that names the segments differently.
	Named Info `json:"named,omitzero"`

	MaxDuration Duration `json:"max_duration,omitempty"`

	BoundAt  time.Time `json:"bound_at"`
	NewsAt   time.Time `json:"news_at"`
	NewsBy   Source    `json:"news_by"`
	LookedAt time.Time `json:"looked_at"` // when a poll last ended, whatever it saw
	// AnsweredAt is when LiveKit last answered a poll.
	AnsweredAt time.Time `json:"answered_at,omitzero"`
	// SuspectedAt is when the reconciler last saw that something may be wrong.
	SuspectedAt time.Time `json:"suspected_at,omitzero"`

	Corrects     Status   `json:"corrects,omitempty"`      // the status that was delivered before, and was wrong
	ToldAs       []Status `json:"told_as,omitempty"`       // those delivered before that one, each once
	WebhookSeen  bool     `json:"webhook_seen,omitempty"`  // a webhook of this egress has come, and was news
	RecorderSeen bool     `json:"recorder_seen,omitempty"` // a look has found its own participant in the room

	Stopped   StopReason `json:"stopped,omitempty"`
	StoppedAt time.Time  `json:"stopped_at"`
	StoppedBy *Asker     `json:"stopped_by,omitempty"` // who asked for the stop, if known
	StopDue   bool       `json:"stop_due,omitempty"`   // a stop is wanted and has not been sent

	EndExpected time.Time    `json:"end_expected"` // since when an end is expected; zero while none is
	Evidence    Evidence     `json:"evidence"`
	Media       *MediaReport `json:"media,omitempty"` // what verify found, nil until then
	Doing       string       `json:"doing,omitempty"` // the pipeline step that is running
	// Results are what the steps of the pipeline returned, by step name.
	Results map[string]json.RawMessage `json:"results,omitempty"`

	AskedFrom time.Time `json:"asked_from,omitzero"` // since when a poll asks LiveKit; zero if none is under way
}

// Shared is what is kept when a recording passes from one part to the next, or back to the
// previous one because the next did not begin.
type Shared struct {
	Parts      []Part   `json:"parts,omitempty"` // the parts before this one
	Stuck      string   `json:"stuck,omitempty"` // why a person should look, in words
	Done       []string `json:"done,omitempty"`  // delivery steps that are done or skipped
	Skipped    []string `json:"skipped,omitempty"`
	AwaitsWord []string `json:"awaits_word,omitempty"` // delivery steps that wait for a person to decide
	Twins      []string `json:"twins,omitempty"`       // other egress IDs of this request, which we stopped
	Story      []Beat   `json:"story,omitempty"`       // what happened, oldest first; at most 12
	Noticed    []string `json:"noticed,omitempty"`     // what the notification hook was told
	LastPart   bool     `json:"last_part,omitempty"`   // the next part was refused, so none follows
	// Corrections counts how often each earlier part was corrected, by its number.
	Corrections map[int]int `json:"corrections,omitempty"`
}

// Outcome is how an egress ended. It is zero until then.
type Outcome struct {
	Status  Status `json:"status,omitempty"` // the final one
	EndedBy Source `json:"ended_by,omitempty"`
	// Event is the terminal webhook event as LiveKit sent it, redacted, so that the consumer gets
	// the same one. Empty if no webhook told us.
	Event         json.RawMessage `json:"event,omitempty"`
	LostBecause   string          `json:"lost_because,omitempty"`
	MissedWhy     Missed          `json:"missed_why,omitempty"`     // why the webhook of its end did not come, if known
	MissedBecause string          `json:"missed_because,omitempty"` // the evidence for MissedWhy, in words
}

// Terms are the settings that an egress keeps for its life, taken when it starts.
type Terms struct {
	Policy Policy   `json:"policy"`
	Steps  []string `json:"steps,omitempty"` // delivery steps, in order
	// Pipeline is what happens after the end, in addition to Steps.
	Pipeline Pipeline `json:"pipeline,omitzero"`
	// AnnounceFor is how long delivery of an announcement is tried. Zero: without end. The
	// setting's default is 72 h.
	AnnounceFor Duration `json:"announce_for"`
	// MissedOnly says that the consumer in the settings receives LiveKit's own webhooks, and is
	// told only of ends that LiveKit did not tell us, and of corrections.
	MissedOnly bool `json:"missed_only,omitempty"`
	// Recover is how often a recording is restarted as its next part if its egress fails, is lost
	// or reaches a limit while its room is live. Default: never.
	Recover int `json:"recover,omitempty"`
	// Storage is the storage profile for the outputs without a storage of their own, as the start
	// chose it. Default: none.
	Storage string `json:"storage,omitempty"`
	// VerifyFor is how long the announcement waits for media that is not there yet. Zero: nobody
	// looks for it.
	VerifyFor Duration `json:"verify_for,omitempty"`
	// LocalFiles says that the worker can read the local files of LiveKit's egress service.
	LocalFiles bool `json:"local_files,omitempty"`
	// Notify says that the notification hook is told of what concerns people. The settings of the
	// worker that tells it say which hook that is.
	Notify bool `json:"notify,omitempty"`
}

// Known reports whether terms were taken: a policy without waits means no.
func (t Terms) Known() bool { return len(t.Policy.LookStarting) > 0 }

// Observation is one piece of news of an egress, from whichever source.
type Observation struct {
	Info    Info
	Final   bool            // LiveKit says that it ended, by the event's name
	Event   json.RawMessage // the webhook event that it came in, if any
	Source  Source
	HeardAt time.Time

	Missed        Missed // for an end that we asked for: why its webhook did not come, if known
	MissedBecause string // the evidence in words
}

// outcome returns the end that an observation shows.
func (o Observation) outcome() Outcome {
	return Outcome{Status: o.Info.StatusName(), EndedBy: o.Source, Event: o.Event, MissedWhy: o.Missed, MissedBecause: o.MissedBecause}
}

// EndsWhatBeganBefore reports whether an observation is of an end, past or near, of an egress that
// began before a time.
func (o Observation) EndsWhatBeganBefore(at time.Time) bool {
	m := o.Info.Proto()
	return (o.Final || rank(m.GetStatus()) >= rank(livekit.EgressStatus_EGRESS_ENDING)) && beganBefore(m, at)
}

// ObserveEvent makes an observation from a webhook event.
func ObserveEvent(e Event, at time.Time) (Observation, error) {
	info, err := e.Info()
	return Observation{Info: info, Final: e.Proto().GetEvent() == EventEnded, Event: e.Raw(), Source: FromWebhook, HeardAt: at}, err
}

// ObserveListed makes an observation from what SignalReconciled carries. Nobody sent its event,
// which is not kept. suspect means that the event says nothing of the egress itself, only that its
// workflow should look.
func ObserveListed(e Event, at time.Time) (o Observation, suspect bool, err error) {
	info, err := e.Info()
	var why struct {
		Missed        Missed `json:"missed"`
		MissedBecause string `json:"missedBecause"`
		Look          bool   `json:"look"`
	}
	if err == nil {
		err = json.Unmarshal(e.Raw(), &why)
	}
	return Observation{Info: info, Source: FromReconcile, HeardAt: at, Missed: why.Missed, MissedBecause: why.MissedBecause}, why.Look, err
}

// BoundSince makes time limits count from when LiveKit started the bound egress, if that was
// earlier. It began no earlier than it was asked for, whatever LiveKit's clock says; zero: nobody
// knows when that was.
func (s *State) BoundSince(info Info, asked time.Time) {
	began := unixNano(info.Proto().GetStartedAt())
	if info.ID() != s.ID || began.IsZero() {
		return
	}
	s.BoundAt = sooner(s.BoundAt, later(began, asked))
}

// News says what an observation changed.
type News string

// The kinds of news.
const (
	NoNews  News = "none"    // repeated, late or out of order
	Foreign News = "foreign" // of another egress ID than the bound one: a twin, never folded in
	Past    News = "past"    // of an earlier part of the recording, never folded in
	Moved   News = "moved"   // further along, or ended
)

// Observe folds one observation into the state. Webhooks may be repeated, late or out of order,
// and a poll may race them; only what is further along counts, and the first end is final. The
// first egress ID is bound, and another one is never folded in.
func (s *State) Observe(o Observation) News {
	id := o.Info.ID()
	switch {
	case id == "":
		return NoNews
	case s.earlier(id) >= 0:
		return Past
	case s.ID != "" && id != s.ID, s.ID == "" && !s.mayBind(o):
		return Foreign
	case s.Phase == Held || s.Early() || s.Correctable() || s.runsAgain(o):
		return s.anew(o)
	case s.over():
		s.cameLate(o)
		return NoNews
	case s.rankOf(o) <= s.rank() || s.superseded(o):
		return NoNews
	}
	if s.ID == "" {
		s.ID = id
		s.noTwin(id)
		if s.BoundAt.IsZero() { // a later part keeps the first one's
			s.BoundAt = o.HeardAt
		}
		if !s.EndExpected.IsZero() { // since a stop that could not be sent before
			s.EndExpected = o.HeardAt
		}
	}
	s.Phase = Watching
	s.hear(o)
	s.Evidence.MissingSince, s.Evidence.Unanswered = time.Time{}, time.Time{}
	s.Evidence.RecorderGone = time.Time{}
	switch s.rankOf(o) {
	case rankEnded:
		s.conclude(o)
		return Moved
	case rank(livekit.EgressStatus_EGRESS_ENDING):
		s.ExpectEnd(o.HeardAt)
	}
	s.note(o.beat(false))
	return Moved
}

// hear makes an observation the last news.
func (s *State) hear(o Observation) {
	s.Named = s.namedBefore(o)
	s.Latest, s.NewsAt, s.NewsBy = o.Info, o.HeardAt, o.Source
	s.WebhookSeen = s.WebhookSeen || o.Source == FromWebhook
}

// mayBind reports whether an observation can be of the part that is being started. A stopped twin
// cannot, and what ends meanwhile may have begun before a later part: if it is that part after all,
// the start will say so.
func (s *State) mayBind(o Observation) bool {
	if o.Source == FromStart {
		return true
	}
	if slices.Contains(s.Twins, o.Info.ID()) {
		return false
	}
	return s.Part <= 1 || s.Started || s.rankOf(o) < rank(livekit.EgressStatus_EGRESS_ENDING)
}

func (s *State) over() bool { return s.Phase == Settled || s.Phase == Delivered }

func (s *State) rank() int {
	if !s.Latest.Known() {
		return 0
	}
	return rank(s.Latest.Proto().GetStatus())
}

// rankOf returns the observation's rank: the event name `egress_ended` is final even if the status
// is unknown and decodes as EGRESS_STARTING.
func (s *State) rankOf(o Observation) int {
	if o.Final {
		return rankEnded
	}
	return rank(o.Info.Proto().GetStatus())
}

// ExpectEnd notes that an end is near. Noting it again does not move the time.
func (s *State) ExpectEnd(at time.Time) {
	if s.EndExpected.IsZero() {
		s.EndExpected = at
	}
}

// Outlook returns what is known of the egress's near future.
func (s *State) Outlook() Outlook {
	switch {
	case !s.EndExpected.IsZero():
		return OutlookEnding
	case s.rank() >= rank(livekit.EgressStatus_EGRESS_ACTIVE):
		return OutlookActive
	default:
		return OutlookStarting
	}
}

// Room returns the room of the bound egress as LiveKit gives it, else the one that was asked for.
// A web egress has none.
func (s *State) Room(asked string) string {
	m := s.Latest.Proto()
	if isWebEgress(m) {
		return ""
	}
	return cmp.Or(m.GetRoomName(), asked)
}

// Ahead reports whether a status is further along than another.
func Ahead(seen, have livekit.EgressStatus) bool { return rank(seen) > rank(have) }
