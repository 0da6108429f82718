package egress

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
)

// DeepEvery is how often a round lists all that LiveKit remembers, ended egresses of
// the last 24 h included, and not what is active alone.
const DeepEvery = 15 * time.Minute

// Reconciliation is the argument of the Reconcile workflow. The zero value does one
// round whose depth its time decides.
type Reconciliation struct {
	Every Duration `json:"every,omitempty"` // of the schedule
	Deep  bool     `json:"deep,omitempty"`  // deep in any case
	Mark  string   `json:"mark,omitempty"`  // keyed digest of the project whose workers the namespace has
}

// DeepRoundCommand is what a person types for a deep round at once.
const DeepRoundCommand = "temporal workflow start --type " + ReconcileType + " --task-queue " + TaskQueue + ` --input '{"deep": true}'`

// DeepDue reports whether the round of a moment is a deep one, where the last deep one
// that is known of began at last. Where none is known, it is the first round of each
// quarter of an hour.
func (r Reconciliation) DeepDue(at, last time.Time) bool {
	switch {
	case r.Deep:
		return true
	case !last.IsZero():
		return at.Sub(last) >= DeepEvery-r.Every.D()/2 // the schedule's own moments are not exact
	default:
		return at.Sub(at.Truncate(DeepEvery)) < r.Every.D()
	}
}

// Anew is the moment from which on a round may be relied upon, at a moment and after the last round
// that Temporal knows of: after a gap it may have been restored from a backup, or emptied, and what
// workers remember of earlier rounds is not to be relied upon.
func (r Reconciliation) Anew(at time.Time, last Round) time.Time {
	if at.Sub(last.At) > max(DeepEvery, 2*r.Every.D()) {
		return at
	}
	return last.Anew
}

// Round is what one round of the reconciler has seen and done. It is the result of
// the Reconcile workflow.
type Round struct {
	At     time.Time `json:"at"`
	DeepAt time.Time `json:"deep_at"`       // when the last deep round began; At when this is one
	Anew   time.Time `json:"anew,omitzero"` // what workers remember of rounds before it may be of another database
	Took   Duration  `json:"took"`
	// SoughtAt is the moment up to which the turns of recorders have been served: At, unless
	// LiveKit could not be asked for one.
	SoughtAt time.Time `json:"sought_at,omitzero"`

	Seen      int `json:"seen"`      // egresses that LiveKit listed
	Active    int `json:"active"`    // of those, the ones that have not ended
	Workflows int `json:"workflows"` // of ours, that run
	Asked     int `json:"asked"`     // egresses that LiveKit was asked for one by one
	Sought    int `json:"sought"`    // recorders that were looked for in their rooms

	Adopted     int `json:"adopted"`
	Nudged      int `json:"nudged"`
	Twins       int `json:"twins"`
	Parts       int `json:"parts"`
	Suspected   int `json:"suspected"`
	Quarantined int `json:"quarantined"`
	SeenBefore  int `json:"seen_before"` // ended before the schedule was made, or over Remembered ago
	Waiting     int `json:"waiting"`     // left for a later round
	Failed      int `json:"failed"`      // steps that could not be done; the next round tries them again

	Calls int `json:"livekit_calls"`

	// Words say what a person should know, at most MaxWords of them.
	Words []string `json:"words,omitempty"`
	// Unrecorded are rooms that are expected to be recorded, and are not; Recording are
	// those of them whose recording was begun by this round. At most MaxWords each.
	Unrecorded []string `json:"unrecorded,omitempty"`
	Recording  []string `json:"recording,omitempty"`
}

// MaxWords bounds every list in a Round, so that it can be kept and read.
const MaxWords = 50

// AppendBounded adds to one of a round's lists, unless that is full.
func AppendBounded(list []string, entry string) []string {
	if len(list) >= MaxWords {
		return list
	}
	return append(list, entry)
}

// Count notes a step that was done.
func (r *Round) Count(d Deed) {
	switch d {
	case DeedAdopt:
		r.Adopted++
	case DeedNudge:
		r.Nudged++
	case DeedTwin:
		r.Twins++
	case DeedPart:
		r.Parts++
	case DeedSuspect:
		r.Suspected++
	case DeedQuarantine:
		r.Quarantined++
	}
}

// ListedEvent is an egress of LiveKit's list as the event that SignalReconciled
// brings. Its ID is derived from the egress's ID, run and status, so that the same news is
// one signal however often it is sent, and that of a second run another one.
func ListedEvent(m *livekit.EgressInfo) (Event, error) {
	info, err := NewInfo(m)
	if err != nil {
		return Event{}, err
	}
	name := EventUpdated
	if Ended(m.GetStatus()) {
		name = EventEnded
	}
	return eventOf(map[string]any{
		"event": name, "egressInfo": info,
		"id":        eventID("listed", m.GetEgressId(), string(info.StatusName()), fmt.Sprint(m.GetRetryCount(), m.GetStartedAt(), m.GetEndedAt())),
		"createdAt": strconv.FormatInt(max(m.GetUpdatedAt(), m.GetEndedAt(), m.GetStartedAt())/int64(time.Second), 10),
	})
}

// eventID is the ID of an event that nobody but us sends, made of what it says.
func eventID(says ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(says, "/")))
	return "EV_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:12]
}

// WithMissed is the event of an end with why its webhook did not come, for ObserveListed.
func (e Event) WithMissed(class Missed, because string) (Event, error) {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(e.raw, &fields)
	for name, text := range map[string]string{"missed": string(class), "missedBecause": because} {
		if err == nil && text != "" {
			fields[name], err = json.Marshal(text)
		}
	}
	if err != nil {
		return Event{}, fmt.Errorf("class of a missed webhook: %w", err)
	}
	return eventOf(fields)
}

// Unlisted is how long LiveKit may not list what it starts, where no egress worker takes it at
// once: as measured, with livekit-server 1.13.5.
const Unlisted = 24 * time.Second

// Remembered is a little more than the 24 h for which LiveKit keeps an egress that has ended.
const Remembered = 25 * time.Hour

// givenUpBefore is how long a workflow may have closed before the end of its egress, by LiveKit,
// where the egress never began and we had given it up.
const givenUpBefore = 15 * time.Minute

// ClosedSince is the moment from which on the workflows have closed that are about an egress of
// LiveKit's list: none closes before its egress began, unless we gave that up before. A workflow
// that closed sooner is found by its ID when its egress is to be adopted. The moment is at most
// Remembered ago.
func ClosedSince(listed []*livekit.EgressInfo, now time.Time) time.Time {
	since, earliest := now, now.Add(-Remembered)
	for _, m := range listed {
		began := unixNano(m.GetStartedAt())
		if began.IsZero() {
			began = unixNano(cmp.Or(m.GetEndedAt(), m.GetUpdatedAt())).Add(-givenUpBefore)
		}
		if began.Before(earliest) {
			return earliest
		}
		if began.Before(since) {
			since = began
		}
	}
	return since.Add(-time.Minute) // their clock is not ours
}

// reconciledStretch is how much longer an active egress is left alone while the
// reconciler looks after it, its recorder included: 5 min become six hours.
const reconciledStretch = 72

// Watched is the wait before the next look at an active egress that the reconciler
// looks after, when n looks since the last news have found none. The first of these
// waits ends at any moment of the longer period, which spread names, so that egresses
// which began together are not looked at together hours later. Where rounds come less
// often than looks would, they are no reason to wait.
func (p Policy) Watched(every Duration, n int, spread float64) (time.Duration, bool) {
	if every <= 0 || every > p.LookActive {
		return 0, false
	}
	wait := p.Wait(OutlookActive, n, spread)
	if n > 1 {
		return reconciledStretch * wait, true
	}
	return wait + time.Duration((reconciledStretch-1)*spread*float64(p.LookActive)), true
}
