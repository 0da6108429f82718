package egress

import (
	"fmt"
	"time"
)

// Names by which the canary of the webhooks' path is reached.
const (
	CanaryType     = "Canary"        // no argument, result: Canary
	CanarySchedule = "egress-canary" // the schedule, and how the IDs of its workflows begin
)

// CanaryOutcome is what became of an event of ours that took the path of LiveKit's webhooks.
type CanaryOutcome string

// The outcomes. After the first two, webhooks arrive.
const (
	CanaryOK          CanaryOutcome = "ok"          // our endpoint took it
	CanarySlow        CanaryOutcome = "slow"        // it took it after over 1 s, a tenth of what LiveKit waits
	CanaryUnreachable CanaryOutcome = "unreachable" // nobody answered within LiveKit's 10 s: it repeats for up to 65 s
	CanaryUnavailable CanaryOutcome = "unavailable" // 429 or 5xx: it repeats likewise
	CanaryBent        CanaryOutcome = "bent"        // another answer, or not our endpoint's: LiveKit takes it for delivered
)

// CanaryOutcomes lists every CanaryOutcome, for metrics whose labels exist from the start.
func CanaryOutcomes() []CanaryOutcome {
	return []CanaryOutcome{CanaryOK, CanarySlow, CanaryUnreachable, CanaryUnavailable, CanaryBent}
}

// Well reports whether webhooks arrive.
func (o CanaryOutcome) Well() bool { return o == CanaryOK || o == CanarySlow }

// canaryBreak is how many probes in a row must fail before people are told: one falls
// into many a restart of an endpoint, which LiveKit's own repeats outlast.
const canaryBreak = 2

// Passage is what a probe, one event of ours, met on the way.
type Passage struct {
	Outcome CanaryOutcome `json:"outcome"`
	Took    Duration      `json:"took"`
	Found   string        `json:"found"`
	Fix     string        `json:"fix,omitempty"` // in words
	// Notify and For are the settings of the worker that sent it: whether there is a
	// notification hook, and how long a notice is tried.
	Notify bool     `json:"notify,omitempty"`
	For    Duration `json:"for,omitempty"`
}

// Canary is what is known of the way after a probe, and all that the next one needs.
type Canary struct {
	Passage
	At          time.Time `json:"at"`
	Failures    int       `json:"failures,omitempty"` // in a row
	BrokenSince time.Time `json:"broken_since,omitzero"`
	Told        bool      `json:"told,omitempty"` // people have been told of this break
}

// Next takes what a probe met. It returns the notice that is due, nil where there is none: one
// when the way breaks, and one when a break is over that people have been told of.
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

// notice has an ID of the break, so that each is told once however often it is asked for.
func (c Canary) notice(concern Concern, since time.Time) *Notice {
	return &Notice{
		Concern: concern, RequestID: fmt.Sprintf("canary-%d", since.Unix()), For: c.For,
		Because: Clip(c.Found, maxBecause), Fix: Clip(c.Fix, maxBecause), Since: since, EndedAt: c.At,
	}
}
