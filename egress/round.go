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

// DeepEvery is how often a round lists all that LiveKit remembers, including egresses that ended
// in the last 24 h, and not only what is active.
const DeepEvery = 15 * time.Minute

// Reconciliation is the argument of the Reconcile workflow. The zero value does one round, whose
// depth depends on the time.
type Reconciliation struct {
	Every Duration `json:"every,omitempty"` // the schedule's interval
	Deep  bool     `json:"deep,omitempty"`  // deep in any case
	Mark  string   `json:"mark,omitempty"`  // keyed digest of the project whose workers the namespace has
}

// DeepRoundCommand is the command that runs a deep round at once.
const DeepRoundCommand = "temporal workflow start --type " + ReconcileType + " --task-queue " + TaskQueue + ` --input '{"deep": true}'`

// DeepDue reports whether the round at this time is a deep one, given that the last known deep
// round began at last. If none is known, the first round of each quarter of an hour is deep.
func (r Reconciliation) DeepDue(at, last time.Time) bool {
	switch {
	case r.Deep:
		return true
	case !last.IsZero():
		return at.Sub(last) >= DeepEvery-r.Every.D()/2 // the schedule does not fire exactly on time
	default:
		return at.Sub(at.Truncate(DeepEvery)) < r.Every.D()
	}
}

// Anew returns since when earlier rounds can be relied on, given the last round that Temporal
// knows of. After a gap, Temporal may have been restored from a backup or emptied, and what
// workers remember of earlier rounds no longer counts.
func (r Reconciliation) Anew(at time.Time, last Round) time.Time {
	if at.Sub(last.At) > max(DeepEvery, 2*r.Every.D()) {
		return at
	}
	return last.Anew
}

// Round is what one round of the reconciler saw and did. It is the result of the Reconcile
// workflow.
type Round struct {
	At     time.Time `json:"at"`
	DeepAt time.Time `json:"deep_at"`       // when the last deep round began; equals At if this is one
	Anew   time.Time `json:"anew,omitzero"` // what workers remember of earlier rounds may be about another database
	Took   Duration  `json:"took"`
	// SoughtAt is the time up to which the recorders that came due have been looked for: At, unless
	// LiveKit answered for none of a batch, or more than one in ten could not be asked for or their
	// workflows not told.
	SoughtAt time.Time `json:"sought_at,omitzero"`
	// Stranded are the worker versions of which the last deep round found no worker while recordings
	// wait for one, each with when the first of such rounds in a row looked. At most MaxWords.
	Stranded map[string]time.Time `json:"stranded,omitempty"`

	Seen      int `json:"seen"`      // egresses that LiveKit listed
	Active    int `json:"active"`    // of those, the ones that have not ended
	Workflows int `json:"workflows"` // our running workflows
	Asked     int `json:"asked"`     // egresses that LiveKit was asked for one by one
	Sought    int `json:"sought"`    // recorders that were looked for in their rooms

	Adopted     int `json:"adopted"`
	Nudged      int `json:"nudged"`
	Twins       int `json:"twins"`
	Parts       int `json:"parts"`
	Suspected   int `json:"suspected"`
	Quarantined int `json:"quarantined"`
	SeenBefore  int `json:"seen_before"` // ended before the schedule was created, or longer than Remembered ago
	Waiting     int `json:"waiting"`     // left for a later round
	Failed      int `json:"failed"`      // what failed; the next round tries it again

	Calls int `json:"livekit_calls"`

	// Words say what a person should know, at most MaxWords of them.
	Words []string `json:"words,omitempty"`
	// Unrecorded are rooms that should be recorded and are not; Recording are those of them for
	// which this round started a recording. At most MaxWords each.
	Unrecorded []string `json:"unrecorded,omitempty"`
	Recording  []string `json:"recording,omitempty"`
}

// MaxWords bounds every list in a Round, so that it can be stored and read.
const MaxWords = 50

// AppendBounded adds an entry to one of a round's lists, unless the list is full.
func AppendBounded(list []string, entry string) []string {
	if len(list) >= MaxWords {
		return list
	}
	return append(list, entry)
}

// Count counts a step that was done.
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

// ListedEvent returns an egress of LiveKit's list as the event that SignalReconciled carries. The
// event ID is derived from the egress's ID, run and status, so that the same news is one signal
// however often it is sent, and news of a second run another.
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

// eventID returns the ID of an event that only we send, derived from what it says.
func eventID(says ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(says, "/")))
	return "EV_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:12]
}

// WithMissed adds to the event of an end why its webhook did not come, for ObserveListed.
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

// Unlisted is how long LiveKit may not list what it has started if no egress worker takes it at
// once: as measured with livekit-server 1.13.5.
const Unlisted = 24 * time.Second

// Remembered is a little more than the 24 h for which LiveKit keeps an ended egress.
const Remembered = 25 * time.Hour

// givenUpBefore is how long before the end of its egress, as LiveKit gives it, a workflow may have
// closed if the egress never began and we had given it up.
const givenUpBefore = 15 * time.Minute

// ClosedSince returns since when the workflows have closed that concern the listed egresses: none
// closes before its egress began, unless we gave that up before. A workflow that closed earlier is
// found by its ID when its egress is to be adopted. The time is at most Remembered and a minute ago.
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
	return since.Add(-time.Minute) // LiveKit's clock is not ours
}

// reconciledStretch is how much longer an active egress is left alone while the reconciler looks
// after it and its recorder: 5 min become six hours.
const reconciledStretch = 72

// Watched returns the wait before the next look at an active egress that the reconciler looks
// after, after n looks without news. The first of these waits is spread over the longer period, so
// that egresses that began together are not looked at together hours later. It reports false if
// rounds come less often than looks would.
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
