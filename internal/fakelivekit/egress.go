package fakelivekit

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	protoegress "github.com/livekit/protocol/egress"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"
)

// sourceKind is what an egress records, as far as its timing depends on it.
type sourceKind string

const (
	// Tracks, taken without a browser.
	sourceMedia sourceKind = "media"
	// A room as a browser shows it.
	sourceTemplate sourceKind = "template"
	// A page in a browser, in no room.
	sourceWeb sourceKind = "web"
)

// egress is one accepted egress, with everything that its worker and LiveKit's store know about it.
type egress struct {
	plan
	Ordinal  uint64
	Kind     sourceKind
	Host     string `json:",omitempty"` // used by its start to call the server
	Info     egressInfo
	First    egressInfo       // as it was when it started
	Stopped  time.Time        // when its media ended, once ENDING
	Joined   *participantInfo `json:",omitempty"` // its own participant, while it is in the room
	Faults   []Fault          `json:",omitempty"`
	Missing  string           `json:",omitempty"` // what is missing from the room, in LiveKit's words
	Runs     int              // how often a worker began to record
	Events   uint64           // number of webhook events so far
	Accepted time.Time        // when a worker claimed the start
	Ended    time.Time        // of the last run
	Recorded bool             // whether media was ever written
	Listed   bool             // whether LiveKit's store has it
	Dead     bool             // whether its worker died without reporting
	Lost     bool             // whether LiveKit's store has lost it
	Expired  bool             // whether LiveKit's store has deleted it

	request proto.Message // as received, unredacted: never written anywhere
	told    chan struct{} // closed when it is listed; nil after a restart
	started *delivery     // of egress_started
}

// The methods that are called most.
func (e *egress) planned() *plan { return &e.plan }

func (e *egress) id() string       { return e.Info.EgressId }
func (e *egress) has(f Fault) bool { return slices.Contains(e.Faults, f) }
func (e *egress) visible() bool    { return e.Listed && !e.Lost && !e.Expired }

func (e *egress) over() bool { return e.Info.Status >= livekit.EgressStatus_EGRESS_COMPLETE }

// change replaces the info by a changed copy: info held by replies and queued events is never modified.
func (e *egress) change(at time.Time, f func(info *livekit.EgressInfo)) {
	info := proto.CloneOf(e.Info.EgressInfo)
	info.UpdatedAt = at.UnixNano()
	f(info)
	e.Info.EgressInfo = info
}

// webhooks returns the request's own webhooks, as the notifier reads them from the echo.
func (e *egress) webhooks() []*livekit.WebhookConfig {
	var p webhook.NotifyParams
	for _, opt := range protoegress.GetEgressNotifyOptions(e.Info.EgressInfo) {
		opt(&p)
	}
	return p.ExtraWebhooks
}

// perform executes one step of the egress's life.
func (e *egress) perform(s *Server, st step) {
	switch st.Kind {
	case stepListed:
		s.list(e, st.At)
	case stepJoined:
		s.joinRecorder(e, st.At)
	case stepActive:
		s.activate(e, st.At)
	case stepMissed:
		s.fail(e, st.At, 404, e.Missing+" not found", livekit.EndReasonFailure)
	case stepStruck:
		s.strike(e, st.At)
	case stepGone:
		s.leaveRecorder(e, st.At, livekit.DisconnectReason_CONNECTION_TIMEOUT)
	case stepRerun:
		s.rerun(e, st.At)
	case stepEnding:
		s.end(e, st.At, st.Reason)
	case stepEnded:
		s.finish(e, st.At)
	case stepExpire:
		e.Expired = true
	}
	s.save(e)
}

// later plans a step of an egress.
func (s *Server) later(e *egress, at time.Time, kind stepKind) {
	s.agenda.add(e, step{At: at, Kind: kind})
}
