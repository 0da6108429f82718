package egress

import (
	"slices"
	"time"
)

// Names of the workflow that remembers how our webhook endpoint was. There is one of
// it for all instances of the endpoint.
const (
	EndpointType = "Endpoint"         // argument: Ring
	EndpointID   = "egress-endpoint"  // its workflow ID, on TaskQueue
	SignalMinute = "endpoint.minute"  // payload: Minute
	QueryMinutes = "endpoint.minutes" // arguments: from, to (time.Time); result: Reported
)

// How long a Minute is.
const (
	// MinuteLength is how often an instance reports that nobody asks anything.
	MinuteLength = time.Minute
	// MinuteParts is how often in a minute it reports while webhooks come: every 10 s. A
	// verdict is mostly given by the first look, 20 s after an end, and needs to know.
	MinuteParts = 6
)

// The limits of a Ring.
const (
	keepMinutes   = 26 * time.Hour // longer than LiveKit remembers an ended egress
	mostMinutes   = 4_000          // about 0.6 MB, well below Temporal's 2 MB for a payload
	settledMinute = 10             // periods after which no report is expected to change a minute
)

// Minute is how one instance of the webhook endpoint fared for a minute or a part of
// it. One without requests is reported as well: it says that the endpoint was there.
// Of one instance, a Minute takes the place of a shorter one that begins at the same time.
type Minute struct {
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Every    Duration  `json:"every"`              // how long a whole one is
	Due      Duration  `json:"due"`                // in which time from Until the next report comes
	Instance string    `json:"instance,omitempty"` // a process; empty once it is merged with others

	Accepted    int      `json:"accepted,omitempty"`    // answered 200
	Refused     int      `json:"refused,omitempty"`     // signature, key, clock, hash, or no event
	Unavailable int      `json:"unavailable,omitempty"` // Temporal did not take it in time, or the body did not come
	Slowest     Duration `json:"slowest,omitempty"`     // the longest from header to answer
}

// Requests is how many webhooks were answered.
func (m Minute) Requests() int { return m.Accepted + m.Refused + m.Unavailable }

// join is the two as one: they overlap or touch.
func (m Minute) join(o Minute) Minute {
	if m.Instance != o.Instance {
		m.Instance = ""
	}
	m.From, m.Until = sooner(m.From, o.From), later(m.Until, o.Until)
	m.Every, m.Due, m.Slowest = max(m.Every, o.Every), max(m.Due, o.Due), max(m.Slowest, o.Slowest)
	m.Accepted, m.Refused, m.Unavailable = m.Accepted+o.Accepted, m.Refused+o.Refused, m.Unavailable+o.Unavailable
	return m
}

// Ring holds the minutes of the last 26 hours, in the order of their beginning. Those
// of all instances become one once they are old enough for no report to change them.
type Ring struct {
	Minutes []Minute `json:"minutes,omitempty"`
}

// Add takes a report. The same one again changes nothing.
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

// merge joins what different instances said of the same old minute.
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

// together reports whether both are of the same minute, with no hole between them.
func (m Minute) together(o Minute) bool {
	return m.From.Truncate(m.Every.D()).Equal(o.From.Truncate(m.Every.D())) && !m.From.After(o.Until)
}

func (r *Ring) last() (last time.Time) {
	for _, m := range r.Minutes {
		last = later(last, m.Until)
	}
	return last
}

// Reported is what is known of the endpoint in a span of time: the answer to QueryMinutes.
type Reported struct {
	Minutes []Minute  `json:"minutes,omitempty"` // that overlap the span
	First   time.Time `json:"first"`             // from when on anything is known; zero: nothing is
	Last    time.Time `json:"last"`              // until when
	Every   Duration  `json:"every"`             // how long a whole minute is
	Due     Duration  `json:"due"`               // in which time from Last the next report comes
}

// Between is what is known of a span.
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
