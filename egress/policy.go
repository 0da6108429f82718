package egress

import (
	"fmt"
	"hash/fnv"
	"time"
)

// Policy says when to look, and when to give up. It travels with each egress from its start on, so
// that an egress keeps the timing that it began with.
//
// The defaults follow measurements of LiveKit: its retries of a webhook end 15 to 65 s after the
// first attempt, and an egress is active 2 to 6 s after its start (20 s on a cold worker) and ends
// 0.1 to 0.3 s after a stop.
type Policy struct {
	// LookStarting are the waits between looks at an egress that has not become
	// active; the last one repeats. Default: 15 s, 30 s, 60 s.
	LookStarting []Duration `json:"look_starting"`
	// LookActive is the wait between looks at an active egress, ±10 %. Default: 5 min.
	LookActive Duration `json:"look_active"`
	// LookEnding are the waits between looks once an end is expected; the last one
	// repeats. Default: 20 s, 40 s, 60 s.
	LookEnding []Duration `json:"look_ending"`
	// LostAfter is how long the evidence that an egress is dead must stand.
	// Default: 60 s, three times what LiveKit takes to notice a dead worker.
	LostAfter Duration `json:"lost_after"`
	// StuckAfter is how long an egress may run before it is marked as stuck, which stops nothing.
	// Default: 13 h, an hour more than LiveKit Cloud's longest.
	StuckAfter Duration `json:"stuck_after"`
	// GiveUpAfter is how long an expected end is awaited before the egress is settled as lost.
	// Default: 24 h, after which LiveKit forgets an ended egress.
	GiveUpAfter Duration `json:"give_up_after"`
	// HoldFor is how long the end of an egress that failed while its room is live is held, since
	// LiveKit may run the egress again under its ID. Zero: not at all. Default: 30 s.
	HoldFor Duration `json:"hold_for,omitempty"`
	// CorrectFor is how long a delivered verdict may still be corrected if the egress is lost, or
	// failed while its room was live. Zero: not at all. Default: 24 h, after which LiveKit forgets
	// an ended egress.
	CorrectFor Duration `json:"correct_for,omitempty"`
}

// DefaultPolicy returns the policy that applies unless a setting says otherwise.
func DefaultPolicy() Policy {
	return Policy{
		LookStarting: []Duration{seconds(15), seconds(30), seconds(60)},
		LookActive:   Duration(5 * time.Minute),
		LookEnding:   []Duration{seconds(20), seconds(40), seconds(60)},
		LostAfter:    seconds(60),
		StuckAfter:   Duration(13 * time.Hour),
		GiveUpAfter:  Duration(24 * time.Hour),
		HoldFor:      seconds(30),
		CorrectFor:   Duration(24 * time.Hour),
	}
}

func seconds(n int) Duration { return Duration(time.Duration(n) * time.Second) }

// Outlook is what is known of an egress's near future. It decides how often to look.
type Outlook string

// The outlooks.
const (
	OutlookStarting Outlook = "starting"
	OutlookActive   Outlook = "active"
	OutlookEnding   Outlook = "ending" // an end is expected: ENDING seen, room gone, stop requested
)

// Wait returns how long to wait before the next look, after n looks without news. spread is a
// number in [0,1) that differs between egresses, so that those that began together are not looked
// at together.
func (p Policy) Wait(o Outlook, n int, spread float64) time.Duration {
	switch o {
	case OutlookStarting:
		return step(p.LookStarting, n)
	case OutlookEnding:
		return step(p.LookEnding, n)
	case OutlookActive:
		return time.Duration(float64(p.LookActive) * (0.9 + 0.2*spread))
	default:
		panic(fmt.Sprintf("egress: no such outlook: %q", o))
	}
}

func step(waits []Duration, n int) time.Duration {
	return waits[min(max(n, 0), len(waits)-1)].D()
}

// Spread maps an ID to a number in [0,1), always the same one (FNV-1a).
func Spread(id string) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // it never fails
	return float64(h.Sum32()) / (1 << 32)
}
