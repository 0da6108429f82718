package egress

import (
	"time"

	"github.com/livekit/protocol/livekit"
)

// beginsWithin is how long an egress may be STARTING before it counts as recording nothing.
// LiveKit's egress service gives a page less than a minute to load, and an overloaded worker a
// few.
const beginsWithin = 5 * time.Minute

// ComesYet reports whether an egress's participant may still be on its way into the room.
func ComesYet(m *livekit.EgressInfo, at time.Time) bool {
	l := Listed{Status: m.GetStatus(), Since: unixNano(max(m.GetStartedAt(), m.GetUpdatedAt()))}
	return l.Status == livekit.EgressStatus_EGRESS_STARTING && !l.neverBegan(at)
}

// WhyIdle is why a person is called for an overdue egress while somebody publishes. It is stored
// in State.Stuck and in notices and compared there, so its words never change.
const WhyIdle = "it is STARTING still, though somebody publishes in its room: nothing is recorded"

// Overdue reports whether an egress of a whole room has been STARTING for so long that it waits
// for somebody to publish, or does not begin at all.
func Overdue(m *livekit.EgressInfo, at time.Time) bool {
	room := m.GetRoomComposite() != nil || m.GetEgress().GetTemplate() != nil
	return room && m.GetStatus() == livekit.EgressStatus_EGRESS_STARTING && !ComesYet(m, at)
}

// Joins returns how an egress's recorder joins its room as a participant under its egress ID. Of
// all that join in one way, either each is visible there or none. It is empty if that is unknown:
// a custom page may join under any name or not at all, and a web egress is in no room.
func Joins(m *livekit.EgressInfo) string {
	switch r := m.GetRequest().(type) {
	case *livekit.EgressInfo_RoomComposite:
		return byTemplate(r.RoomComposite.GetCustomBaseUrl())
	case *livekit.EgressInfo_Egress:
		switch source := r.Egress.GetSource().(type) {
		case *livekit.StartEgressRequest_Template:
			return byTemplate(source.Template.GetCustomBaseUrl())
		case *livekit.StartEgressRequest_Media:
			return joinsItself
		}
	case *livekit.EgressInfo_Participant, *livekit.EgressInfo_TrackComposite, *livekit.EgressInfo_Track:
		return joinsItself
	}
	return ""
}

const (
	joinsByTemplate = "template" // the page of LiveKit's egress service, which its operator may replace
	joinsItself     = "itself"   // LiveKit's SDK in the egress worker
)

func byTemplate(own string) string {
	if own != "" {
		return ""
	}
	return joinsByTemplate
}
