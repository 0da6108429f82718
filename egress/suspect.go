package egress

import (
	"math"
	"strconv"
	"time"

	"github.com/livekit/protocol/livekit"
)

// MaxSought is the most recorders that one round looks for: with a round a minute, a quarter of
// what LiveKit Cloud allows, and 15,000 an hour.
const MaxSought = 250

// SoughtEvery is how often rounds look for the recorder of an active egress: a twelfth as often as
// a poll would without them. Default: an hour.
func (p Policy) SoughtEvery() Duration { return 12 * p.LookActive }

// SuspectedFor is how long a suspicion stands before another is raised. A new poll does not know
// since when LiveKit has not known an egress, so this is longer than a poll takes to call it lost.
// Default: 16 min.
func (p Policy) SuspectedFor() Duration { return 3*p.LookActive + p.LostAfter }

// Recorders returns the egresses whose recorder this round looks for. LiveKit calls an egress
// whose worker died active until told otherwise; only its participant, which is no longer in the
// room, shows the truth. Each egress comes up once per interval, at a time derived from its ID;
// those that came up since the last round that looked are due.
func (s Sighting) Recorders(every Duration, at, last time.Time) []Measure {
	ours := make(map[string]Ours, len(s.Ours))
	for _, o := range s.Ours {
		if !o.Over {
			ours[o.EgressID] = o
		}
	}
	var due []Measure
	for _, l := range s.Listed {
		o, waits := ours[l.ID]
		if waits && l.seekable() && s.At.Sub(l.Since) >= s.Grace.D() && cameUp(l.ID, every.D(), at) < at.Sub(last) {
			due = append(due, Measure{Deed: DeedSuspect, EgressID: l.ID, RequestID: o.RequestID})
		}
	}
	return due
}

// seekable reports whether the egress should have a participant. A web egress is in no room.
func (l Listed) seekable() bool {
	return l.ID != "" && l.Room != "" && l.Status == livekit.EgressStatus_EGRESS_ACTIVE
}

// cameUp returns how long ago an egress last came up.
func cameUp(id string, every time.Duration, at time.Time) time.Duration {
	if every <= 0 {
		return math.MaxInt64
	}
	turn := time.Duration(Spread(id) * float64(every))
	since := at.Add(-turn)
	return since.Sub(since.Truncate(every))
}

// LookEvent returns what SignalReconciled carries to a workflow that should look for itself. It is
// one signal per time, however often it is sent.
func LookEvent(egressID string, at time.Time) (Event, error) {
	return eventOf(map[string]any{
		"event": EventUpdated, "egressInfo": map[string]string{"egressId": egressID}, "look": true,
		"id": eventID("look", egressID, at.UTC().Format(time.RFC3339Nano)), "createdAt": strconv.FormatInt(at.Unix(), 10),
	})
}

// Suspect notes that a look is due because the reconciler has seen that something may be wrong.
func (s *State) Suspect(id string, now time.Time) {
	if s.Phase == Watching && s.ID == id && !now.Before(s.SuspectedAt.Add(s.Policy.SuspectedFor().D())) {
		s.SuspectedAt = now
	}
}
