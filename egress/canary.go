package egress

import (
	"fmt"
	"time"
)

// Names of the canary that tests the path of LiveKit's webhooks.
const (
	CanaryType     = "Canary"        // no argument, result: Canary
	CanarySchedule = "egress-canary" // the schedule, and the prefix of its workflows' IDs
)

// CanaryOutcome is what became of a test event that we sent along the path of LiveKit's webhooks.
type CanaryOutcome string

// The outcomes. Webhooks arrive after the first two.
const (
	CanaryOK          CanaryOutcome = "ok"          // our endpoint accepted it
	CanarySlow        CanaryOutcome = "slow"        // our endpoint accepted it after over 1 s, a tenth of what LiveKit waits
	CanaryUnreachable CanaryOutcome = "unreachable" // nobody answered within LiveKit's 10 s: LiveKit would retry for up to 65 s
	CanaryUnavailable CanaryOutcome = "unavailable" // 429 or 5xx: LiveKit would retry likewise
	CanaryBent        CanaryOutcome = "bent"        // another answer, or not our endpoint's: LiveKit would take it as delivered
)

// CanaryOutcomes lists every CanaryOutcome, for metrics whose labels exist from the start.
func CanaryOutcomes() []CanaryOutcome {
	return []CanaryOutcome{CanaryOK, CanarySlow, CanaryUnreachable, CanaryUnavailable, CanaryBent}
}

// Well reports whether webhooks arrive.
func (o CanaryOutcome) Well() bool { return o == CanaryOK || o == CanarySlow }

// canaryBreak is how many probes in a row must fail before people are told. One often fails while
// an endpoint restarts, which LiveKit's own retries outlast.
const canaryBreak = 2

// Passage is the result of one probe: one test event of ours.
type Passage struct {
	Outcome CanaryOutcome `json:"outcome"`
	Took    Duration      `json:"took"`
	Found   string        `json:"found"`
	Fix     string        `json:"fix,omitempty"` // in words
	// Notify and For are settings of the worker that sent the event: whether it has a notification
	// hook, and how long delivery of a notice is tried.
	Notify bool     `json:"notify,omitempty"`
	For    Duration `json:"for,omitempty"`
}

// Canary is the state of the webhooks' path after a probe, and all that the next probe needs.
type Canary struct {
	Passage
	At          time.Time `json:"at"`
	Failures    int       `json:"failures,omitempty"` // in a row
	BrokenSince time.Time `json:"broken_since,omitzero"`
	Told        bool      `json:"told,omitempty"` // people have been told of this break
}

// Next folds in the result of a probe. It returns the notice that is due, or nil: one when the
// path breaks, and one when a break that people were told of is over.
func (c Canary) Next(p Passage, at time.Time) (Canary, *Notice) {
	next := Canary{Passage: p, At: at}
	if p.Outcome.Well() {
		if c.Told && p.Notify {
			return next, next.notice(ConcernHealed, c.BrokenSince)
		}
		return next, nil
	}
	next.Failures, next.BrokenSince, next.Told = c.Failures+1, c.BrokenSince, c.Told
	if c.Failures == 0 {
		next.BrokenSince = at
	}
	if next.Failures < canaryBreak || next.Told || !p.Notify {
		return next, nil
	}
	next.Told = true
	return next, next.notice(ConcernBroken, next.BrokenSince)
}

// notice returns a notice whose ID is that of the break, so that each break is announced once
// however often it is asked for.
func (c Canary) notice(concern Concern, since time.Time) *Notice {
	return &Notice{
		Concern: concern, RequestID: fmt.Sprintf("canary-%d", since.Unix()), For: c.For,
		Because: Clip(c.Found, maxNoticed), Fix: Clip(c.Fix, maxNoticed/2), Since: since, EndedAt: c.At,
	}
}
