package egress

import "github.com/livekit/protocol/livekit"

// Status is LiveKit's name of an egress status (`EGRESS_ACTIVE`), or Lost.
type Status string

// Lost is the one status that LiveKit has no word for: LiveKit no longer knows the egress, or
// still calls it active although it is dead.
const Lost Status = "LOST"

// statusOf returns LiveKit's name of a status; one newer than our protocol package prints as its
// number.
func statusOf(s livekit.EgressStatus) Status { return Status(s.String()) }

// Good reports whether an egress that ended with s has its whole recording, according to LiveKit.
func (s Status) Good() bool {
	return s == statusOf(livekit.EgressStatus_EGRESS_COMPLETE) || s.limited()
}

// limited reports whether LiveKit ended the egress at one of its limits.
func (s Status) limited() bool { return s == statusOf(livekit.EgressStatus_EGRESS_LIMIT_REACHED) }

// Failed reports whether an egress that ended with s lacks some of what was asked for, according
// to LiveKit: it failed or was aborted.
func (s Status) Failed() bool {
	return s == statusOf(livekit.EgressStatus_EGRESS_FAILED) || s == statusOf(livekit.EgressStatus_EGRESS_ABORTED)
}

// rank orders the statuses: an egress never moves down. An unknown status ranks lowest, so it is
// never news by itself.
func rank(s livekit.EgressStatus) int {
	switch s {
	case livekit.EgressStatus_EGRESS_STARTING:
		return 1
	case livekit.EgressStatus_EGRESS_ACTIVE:
		return 2
	case livekit.EgressStatus_EGRESS_ENDING:
		return 3
	case livekit.EgressStatus_EGRESS_COMPLETE, livekit.EgressStatus_EGRESS_LIMIT_REACHED,
		livekit.EgressStatus_EGRESS_FAILED, livekit.EgressStatus_EGRESS_ABORTED:
		return rankEnded
	default:
		return 0
	}
}

const rankEnded = 4

// Ended reports whether an egress with this status has ended.
func Ended(s livekit.EgressStatus) bool { return rank(s) == rankEnded }

// Failed reports whether an egress with this status failed or was aborted.
func Failed(s livekit.EgressStatus) bool { return statusOf(s).Failed() }

// Source says who told us something.
type Source string

// Who can tell us of an egress and of its end.
const (
	FromStart     Source = "start"     // the reply to our start
	FromWebhook   Source = "webhook"   // LiveKit's webhook, as it should be
	FromPoll      Source = "poll"      // our own question: the webhook was missed
	FromReconcile Source = "reconcile" // the comparison of both lists
	FromStop      Source = "stop"      // the reply to our stop
	FromTimeout   Source = "timeout"   // nobody: we gave up waiting
)

// Sources lists every Source, for metrics whose labels exist from the start.
func Sources() []Source {
	return []Source{FromStart, FromWebhook, FromPoll, FromReconcile, FromStop, FromTimeout}
}

// StopReason says why we told LiveKit to stop an egress.
type StopReason string

// Why an egress is stopped.
const (
	StopRequested   StopReason = "requested"
	StopMaxDuration StopReason = "max_duration"
	StopCancelled   StopReason = "cancelled"
)

// Missed is the class of a missed webhook, empty if it came: why `egress_ended` did not reach us,
// as far as we can see.
type Missed string

// Why a webhook was missed.
const (
	MissedDown         Missed = "endpoint_down" // our endpoint did not answer, or answered that it could not accept it
	MissedSlow         Missed = "endpoint_slow" // its answers took longer than LiveKit's queue allows
	MissedRefused      Missed = "refused"       // it refused what LiveKit signed: a wrong key, clock or path
	MissedUntried      Missed = "never_tried"   // it was well, and as far as we can see LiveKit never sent it
	MissedLate         Missed = "late"          // it came after we had asked
	MissedUnclassified Missed = "unclassified"  // nothing is known of that time
)

// Misses lists every class of a missed webhook.
func Misses() []Missed {
	return []Missed{MissedDown, MissedSlow, MissedRefused, MissedUntried, MissedLate, MissedUnclassified}
}

// Mark says why an egress is marked for a person.
type Mark string

// Why an egress is marked.
const (
	MarkIdle Mark = "idle" // it is STARTING still though somebody publishes: nothing is recorded
	MarkStep Mark = "step" // a delivery step failed for good
	MarkLong Mark = "long" // it has been running for longer than Policy.StuckAfter
)

// Marks lists every Mark.
func Marks() []Mark { return []Mark{MarkIdle, MarkStep, MarkLong} }

// Kind is the kind of an egress request, which is also its field in Input.
type Kind string

// The kinds of request. KindEgress is LiveKit's unified StartEgress. A replay appears only in an
// EgressInfo, since Cloud starts replays by itself.
const (
	KindRoomComposite  Kind = "room_composite"
	KindWeb            Kind = "web"
	KindParticipant    Kind = "participant"
	KindTrackComposite Kind = "track_composite"
	KindTrack          Kind = "track"
	KindEgress         Kind = "egress"
)

// Kinds lists every Kind that can be asked for.
func Kinds() []Kind {
	return []Kind{KindRoomComposite, KindWeb, KindParticipant, KindTrackComposite, KindTrack, KindEgress}
}
