package egress

import "time"

// Names of the workflow that notes a webhook that came after its recording was over.
const (
	LateType = "Late" // argument: Late, no result
	MemoLate = "late" // the memo that holds its argument, so that a report needs visibility alone

	latePrefix = "egress-late/"
)

// LateID returns the ID of the workflow that notes the late webhook of a request. There is one per
// request: the same event again, or its retry under another ID, says nothing new.
func LateID(requestID string) string { return latePrefix + requestID }

// Late is the webhook of an end that came after its workflow had closed. A closed workflow cannot
// be changed, so this is kept beside it.
type Late struct {
	RequestID string    `json:"request_id"`
	EgressID  string    `json:"egress_id"`
	Room      string    `json:"room,omitempty"`
	EventID   string    `json:"event_id,omitempty"` // LiveKit's
	CameAt    time.Time `json:"came_at"`
	Because   string    `json:"because"` // how late, in words
}

// Closed describes a recording whose workflow has closed.
type Closed struct {
	RequestID string
	EgressID  string
	Room      string
	Status    Status
	Missed    Missed
	HeardAt   time.Time // when we learned of the end, zero if unknown
}

// CameLate judges a webhook for a closed recording. It reports false if the webhook says nothing
// new: it is not of this egress's end, a webhook told the end before, or the egress was given up
// as lost, which is another matter.
func (c Closed) CameLate(e Event, at time.Time) (Late, bool) {
	switch {
	case e.Proto().GetEvent() != EventEnded || e.Proto().GetEgressInfo().GetEgressId() != c.EgressID:
		return Late{}, false
	case c.Status == Lost || c.Missed == "" || c.Missed == MissedLate:
		return Late{}, false
	}
	return Late{
		RequestID: c.RequestID, EgressID: c.EgressID, Room: c.Room, EventID: e.Proto().GetId(), CameAt: at,
		Because: lateBy(c.HeardAt, at),
	}, true
}

// lateBy says how late a webhook came, as the evidence for MissedLate.
func lateBy(heard, came time.Time) string {
	if heard.IsZero() {
		return "it came after we had learned the end"
	}
	return "it came " + round(came.Sub(heard)).String() + " after we had learned the end"
}
