package egress

import (
	"slices"
	"time"
)

// Names of the workflow that remembers how our webhook endpoint fared. One workflow serves all
// instances of the endpoint.
const (
	EndpointType = "Endpoint"         // argument: Ring
	EndpointID   = "egress-endpoint"  // its workflow ID, on TaskQueue
	SignalMinute = "endpoint.minute"  // payload: Minute
	QueryMinutes = "endpoint.minutes" // arguments: from, to (time.Time); result: Reported
)

// The length of a Minute.
const (
	// MinuteLength is how often an instance without requests reports.
	MinuteLength = time.Minute
	// MinuteParts is how many reports an instance sends per minute while webhooks come: one every
	// 10 s. Most verdicts are given by the first look, 20 s after an end, and need them.
	MinuteParts = 6
)

// The limits of a Ring.
const (
	keepMinutes   = 26 * time.Hour // longer than LiveKit remembers an ended egress
	mostMinutes   = 4_000          // about 0.6 MB, well below Temporal's 2 MB limit for a payload
	settledMinute = 10             // periods after which no report is expected to change a minute
)

// Minute is how one instance of the webhook endpoint fared for a minute or part of one. A Minute
// without requests is reported as well: it shows that the endpoint was up. It replaces a shorter
// Minute of the same instance that begins at the same time.
type Minute struct {
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Every    Duration  `json:"every"`              // length of a whole one
	Due      Duration  `json:"due"`                // how long after Until the next report comes
	Instance string    `json:"instance,omitempty"` // names the process; empty once merged with others

	Accepted    int      `json:"accepted,omitempty"`    // answered 200
	Refused     int      `json:"refused,omitempty"`     // bad signature, key, clock or hash, or not an event
	Unavailable int      `json:"unavailable,omitempty"` // Temporal did not accept it in time, or the body did not arrive
	Slowest     Duration `json:"slowest,omitempty"`     // longest time from header to answer
}

// Requests is how many webhooks were answered.
func (m Minute) Requests() int { return m.Accepted + m.Refused + m.Unavailable }

// join returns two overlapping or adjacent minutes as one.
func (m Minute) join(o Minute) Minute {
	if m.Instance != o.Instance {
		m.Instance = ""
	}
	m.From, m.Until = sooner(m.From, o.From), later(m.Until, o.Until)
	m.Every, m.Due, m.Slowest = max(m.Every, o.Every), max(m.Due, o.Due), max(m.Slowest, o.Slowest)
	m.Accepted, m.Refused, m.Unavailable = m.Accepted+o.Accepted, m.Refused+o.Refused, m.Unavailable+o.Unavailable
	return m
}

// Ring holds the minutes of the last 26 hours, ordered by From. Those of different instances are
// merged once they are so old that no report can change them.
type Ring struct {
	Minutes []Minute `json:"minutes,omitempty"`
}

// Add adds a report. Adding the same one again changes nothing.
func (r *Ring) Add(m Minute) {
	if !m.Until.After(m.From) || m.Every <= 0 {
		return
	}
	same := slices.IndexFunc(r.Minutes, func(o Minute) bool { return o.Instance == m.Instance && o.From.Equal(m.From) })
	switch {
	case same < 0:
		at, _ := slices.BinarySearchFunc(r.Minutes, m.From, func(o Minute, from time.Time) int { return o.From.Compare(from) })
		r.Minutes = slices.Insert(r.Minutes, at, m)
	case m.Until.After(r.Minutes[same].Until):
		r.Minutes[same] = m
	}
	r.merge()
	last := r.last()
	r.Minutes = slices.DeleteFunc(r.Minutes, func(o Minute) bool { return last.Sub(o.Until) > keepMinutes })
	if over := len(r.Minutes) - mostMinutes; over > 0 {
		r.Minutes = slices.Delete(r.Minutes, 0, over)
	}
}

// merge joins what different instances reported of the same old minute.
func (r *Ring) merge() {
	last := r.last()
	kept := r.Minutes[:0]
	for _, m := range r.Minutes {
		n := len(kept) - 1
		if n >= 0 && last.Sub(m.Until) >= settledMinute*m.Every.D() && m.together(kept[n]) {
			kept[n] = kept[n].join(m)
			continue
		}
		kept = append(kept, m)
	}
	r.Minutes = kept
}

// together reports whether both belong to the same minute, with no gap between them.
func (m Minute) together(o Minute) bool {
	return m.From.Truncate(m.Every.D()).Equal(o.From.Truncate(m.Every.D())) && !m.From.After(o.Until)
}

func (r *Ring) last() (last time.Time) {
	for _, m := range r.Minutes {
		last = later(last, m.Until)
	}
	return last
}

// Reported is what is known of the endpoint for a span of time: the answer to QueryMinutes.
type Reported struct {
	Minutes []Minute  `json:"minutes,omitempty"` // those that overlap the span
	First   time.Time `json:"first"`             // since when anything is known; zero: nothing is
	Last    time.Time `json:"last"`              // until when anything is known
	Every   Duration  `json:"every"`             // length of a whole minute
	Due     Duration  `json:"due"`               // how long after Last the next report comes
}

// Between returns what is known of a span.
func (r *Ring) Between(from, to time.Time) Reported {
	out := Reported{Last: r.last()}
	for i, m := range r.Minutes {
		if i == 0 {
			out.First = m.From
		}
		out.Every = max(out.Every, m.Every)
		if m.Until.Equal(out.Last) {
			out.Due = m.Due
		}
		if m.Until.After(from) && m.From.Before(to) {
			out.Minutes = append(out.Minutes, m)
		}
	}
	return out
}
