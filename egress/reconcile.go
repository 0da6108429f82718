package egress

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
)

// MaxAsked is how many egresses one round asks LiveKit for by ID: with a round a minute, a
// twentieth of what LiveKit Cloud allows. Beyond that, listing everything is cheaper, since it is
// one request.
const MaxAsked = 50

// Listed is an egress as LiveKit lists it.
type Listed struct {
	ID     string
	Room   string
	RoomID string
	Status livekit.EgressStatus
	// Since is when it ended or, while it runs, when it started. If LiveKit gives neither, it is
	// the latest time that LiveKit does give, or zero.
	Since time.Time
	// RequestID is the request ID in our token. Empty: it has none.
	RequestID string
	// Others says that it has tokens, but none made with our keys.
	Others bool
	// KeepsNothing says that it streams, or sends to a websocket, and stores nothing.
	KeepsNothing bool
}

// ListedAs converts an egress of LiveKit's list. ours says whether one of our keys made a token.
func ListedAs(m *livekit.EgressInfo, ours func(Token) bool) Listed {
	l := Listed{ID: m.GetEgressId(), Room: m.GetRoomName(), RoomID: m.GetRoomId(), Status: m.GetStatus()}
	at := cmp.Or(m.GetEndedAt(), max(m.GetStartedAt(), m.GetUpdatedAt()))
	if !Ended(l.Status) {
		at = cmp.Or(m.GetStartedAt(), at) // so that updates do not reset how long it has been running
	}
	l.Since = unixNano(at)
	r, _ := RequestOf(m)
	kept := len(Destinations(r)) + len(m.GetFileResults()) + len(m.GetSegmentResults()) + len(m.GetImageResults()) // the results matter if the request is of a newer LiveKit
	l.KeepsNothing = kept == 0 && (len(m.GetStreamResults()) > 0 || m.GetTrack().GetWebsocketUrl() != "")
	t, ok := OurToken(m, ours)
	l.RequestID = t.RequestID
	l.Others = !ok && ourWebhook(m, func(Token) bool { return true }) != nil
	return l
}

// Adopter returns the request ID under which the egress is adopted: that of its token, or its own
// egress ID if it is a stray.
func (l Listed) Adopter() string { return cmp.Or(l.RequestID, l.ID) }

// Ours is an egress workflow as visibility shows it.
type Ours struct {
	RequestID string
	EgressID  string // empty until visibility knows it
	Room      string // as a search attribute holds it
	StartedAt time.Time
	ClosedAt  time.Time // zero while it runs
	Over      bool      // its egress is settled, whether or not everybody has been told
	Status    Status    // the status that it gives its egress
}

// Closed reports whether its workflow has closed and receives nothing any more.
func (o Ours) Closed() bool { return !o.ClosedAt.IsZero() }

// neverBegan reports whether the egress has been STARTING for too long to count as a recording.
func (l Listed) neverBegan(at time.Time) bool {
	return l.Status == livekit.EgressStatus_EGRESS_STARTING && !l.Since.IsZero() && at.Sub(l.Since) >= beginsWithin
}

// mistakes reports whether LiveKit's list shows that a verdict that may still be corrected is
// wrong: a failed egress runs again or ended differently, or a lost one has an end. That LiveKit
// calls a lost egress active proves nothing.
func (o Ours) mistakes(l Listed) bool {
	if !o.Over || o.Closed() {
		return false
	}
	if o.Status == Lost {
		return Ended(l.Status)
	}
	return o.Status.Failed() && o.Status != statusOf(l.Status)
}

// gone reports whether the bound egress of a request is lost, failed or was aborted, so that
// another one may be in its place.
func (o Ours) gone() bool { return o.Status == Lost || o.Status.Failed() }

// Sighting is what a round of the reconciler saw on both sides.
type Sighting struct {
	At    time.Time
	Deep  bool      // LiveKit was asked for all that it remembers, not only for what is active
	First time.Time // when the schedule was created, or earlier by a person's word: what ended before it is not ours to announce
	// Grace is how long a difference must have lasted before a round acts on it: a start may be
	// under way, or the webhook of an end.
	Grace  Duration
	Listed []Listed
	// Ours are the running workflows and, with Deep, the completed ones too.
	Ours []Ours
	// Unknown are egresses that LiveKit was asked for and does not know.
	Unknown []string
}

// Deed is what a round does about one egress.
type Deed string

// What can be done about an egress; also metric labels.
const (
	DeedAdopt      Deed = "adopted"     // start its workflow
	DeedNudge      Deed = "nudged"      // tell its workflow that it has ended
	DeedTwin       Deed = "twin"        // show its request's workflow that it is not the bound egress
	DeedPart       Deed = "part"        // tell its request's workflow that an egress other than the bound one has ended
	DeedSuspect    Deed = "suspected"   // have its workflow look for itself
	DeedQuarantine Deed = "quarantined" // leave it alone, and say why
)

// Deeds lists every Deed.
func Deeds() []Deed {
	return []Deed{DeedAdopt, DeedNudge, DeedTwin, DeedPart, DeedSuspect, DeedQuarantine}
}

// Measure is one action of a round.
type Measure struct {
	Deed      Deed
	EgressID  string
	RequestID string // of the workflow concerned
	Why       string // for a quarantine, in words
}

// Plan is what a round has to do.
type Plan struct {
	Measures []Measure // ordered by egress ID, so that a round can resume where it stopped
	// Ask are the egresses of running workflows that LiveKit does not call active, ordered by ID.
	// Their end is probably on its way to us.
	Ask        []string
	SeenBefore int // ended before the first round, or over Remembered ago or ahead, and not ours
	Waiting    int // left for a later round: too young, or possibly of one of our own starts
}

// Deepen reports whether so many egresses have to be asked for that one list of everything is
// cheaper.
func (p Plan) Deepen() bool { return len(p.Ask) > MaxAsked }

// Differs reports whether the two lists differ in anything that is ours to settle.
func (p Plan) Differs() bool {
	return len(p.Ask) > 0 || slices.ContainsFunc(p.Measures, func(s Measure) bool { return s.Deed != DeedQuarantine })
}

// PlanRound plans what to do about the differences between LiveKit's list and ours. A workflow
// that visibility does not show may still exist: adoption looks for it by its ID, which is unique.
func PlanRound(s Sighting) Plan {
	p := planner{Sighting: s, byID: map[string]*Ours{}, byRequest: map[string]*Ours{}, runs: map[string][]*Ours{}, adopting: map[string]bool{}, beginning: map[string]time.Time{}}
	for i := range s.Ours {
		p.know(&s.Ours[i])
	}
	listed := slices.Clone(s.Listed)
	slices.SortFunc(listed, inOrder)
	for _, l := range listed {
		p.judge(l)
	}
	p.suspect(listed)
	slices.SortStableFunc(p.plan.Measures, func(a, b Measure) int { return cmp.Compare(a.EgressID, b.EgressID) })
	slices.Sort(p.plan.Ask)
	return p.plan
}

// inOrder sorts running egresses before ended ones, and older before younger: of several egresses
// of one request, the first is the one to keep.
func inOrder(a, b Listed) int {
	over := func(l Listed) int {
		if Ended(l.Status) {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(over(a), over(b)), a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
}

// NotBefore returns the egresses without those that have ended and had begun before a time; all of
// them for the zero time.
func NotBefore(items []*livekit.EgressInfo, at time.Time) []*livekit.EgressInfo {
	return slices.DeleteFunc(slices.Clone(items), func(m *livekit.EgressInfo) bool {
		return Ended(m.GetStatus()) && beganBefore(m, at)
	})
}

// beganBefore reports whether an egress began before a time; never before the zero time. LiveKit's
// clock, which says when it began, may differ.
func beganBefore(m *livekit.EgressInfo, at time.Time) bool {
	began := Began(m)
	return began > 0 && time.Unix(0, began).Before(at.Add(-clocksDiffer))
}

// OfToken returns the egress whose request carries a token of ours, nil if none does. Of several it
// is the one to keep.
func OfToken(items []*livekit.EgressInfo, token Token, ours func(Token) bool) (kept *livekit.EgressInfo) {
	for _, m := range items {
		t, ok := OurToken(m, ours)
		if ok && t.Same(token) && (kept == nil || inOrder(ListedAs(m, ours), ListedAs(kept, ours)) < 0) {
			kept = m
		}
	}
	return kept
}

type planner struct {
	Sighting
	byID      map[string]*Ours // by egress ID
	byRequest map[string]*Ours
	runs      map[string][]*Ours   // by request ID
	adopting  map[string]bool      // by request ID: this round adopts an egress for it, or a later one will
	beginning map[string]time.Time // by room ("" for web egresses): when our first start that has no egress ID yet was made
	plan      Plan
}

func (p *planner) know(o *Ours) {
	p.runs[o.RequestID] = append(p.runs[o.RequestID], o)
	if known := p.byRequest[o.RequestID]; known == nil || known.Over {
		p.byRequest[o.RequestID] = o
	}
	if o.EgressID != "" {
		p.byID[o.EgressID] = o
	} else if first, ok := p.beginning[o.Room]; !o.Over && (!ok || o.StartedAt.Before(first)) {
		p.beginning[o.Room] = o.StartedAt
	}
}

// mayBegin reports whether an egress without a token may belong to one of our starts: it is not
// older than the start, and so young that the start may still be unanswered. A workflow may be open
// for days before its start: paused, delayed by Temporal, or of a version without workers.
func (p *planner) mayBegin(l Listed) bool {
	first, ok := p.beginning[Keyword(l.Room)]
	return ok && l.RequestID == "" && (l.Since.IsZero() || !l.Since.Before(first.Add(-clocksDiffer)) && p.At.Sub(l.Since) < givenUpBefore)
}

// clocksDiffer is the tolerated difference between LiveKit's clock and Temporal's.
const clocksDiffer = time.Minute

func (p *planner) judge(l Listed) {
	ours := p.byRequest[l.Adopter()]
	if ours == nil {
		ours = p.byID[l.ID] // for a LiveKit that does not echo our token
	} else if own := p.byID[l.ID]; own != nil && ours.EgressID != l.ID {
		ours = own // it was learned of too late to belong to its request
	}
	ended := Ended(l.Status)
	switch {
	case l.ID == "":
		p.quarantine(l, "an egress without an ID, "+string(statusOf(l.Status))+where(l)+": LiveKit could not start it")
	case ours != nil && ours.EgressID != l.ID && p.ofRunBefore(l, *ours): // which has announced it
	case ours != nil && ours.EgressID != "" && ours.EgressID != l.ID:
		p.other(l, *ours)
	case ours != nil && (ours.mistakes(l) || ended && !ours.Over):
		p.ended(l, Measure{Deed: DeedNudge, EgressID: l.ID, RequestID: ours.RequestID})
	case ours != nil: // both agree
	case l.Others:
		p.quarantine(l, l.ID+where(l)+" has a token that none of our keys made: another Reelkeeper's, or a secret's that was rotated away")
	case rank(l.Status) == 0:
		p.quarantine(l, fmt.Sprintf("%s%s has the status %s, which this version does not know", l.ID, where(l), statusOf(l.Status)))
	case ended && (!l.Since.After(p.First) || p.At.Sub(l.Since).Abs() > Remembered):
		p.plan.SeenBefore++ // otherwise, what LiveKit never forgets would be new again whenever Temporal has forgotten it
	case p.mayBegin(l):
		p.plan.Waiting++
	default:
		p.ended(l, Measure{Deed: DeedAdopt, EgressID: l.ID, RequestID: l.Adopter()})
		// A second egress of the same request waits until the first is bound.
		p.byRequest[l.Adopter()], p.adopting[l.Adopter()] = &Ours{RequestID: l.Adopter(), EgressID: l.ID, Over: true}, true
	}
}

// ofRunBefore reports whether an egress had ended before the last run of its request began, while an
// earlier run was open that has completed: each records by itself, under the same ID.
func (p *planner) ofRunBefore(l Listed, ours Ours) bool {
	runs, last := p.runs[ours.RequestID], time.Time{}
	for _, o := range runs {
		last = later(last, o.StartedAt)
	}
	return Ended(l.Status) && !l.Since.IsZero() && l.Since.Before(last.Add(-clocksDiffer)) && slices.ContainsFunc(runs, func(o *Ours) bool {
		return o.StartedAt.Before(last) && l.Since.Before(o.ClosedAt.Add(clocksDiffer))
	})
}

// other shows a workflow another egress of its request than the bound one: a running twin, or, if
// its own egress is gone, any egress. An ended one may be an earlier part that the workflow has
// not heard of; if it has, the news changes nothing. If the workflow has closed, the other egress
// becomes a recording of its own, unless the workflow knew it.
func (p *planner) other(l Listed, ours Ours) {
	s := Measure{Deed: DeedTwin, EgressID: l.ID, RequestID: ours.RequestID}
	switch {
	case ours.Closed():
		s.Deed = DeedAdopt
	case Ended(l.Status):
		s.Deed = DeedPart
	}
	switch {
	case p.adopting[ours.RequestID]:
		p.plan.Waiting++
	case Ended(l.Status) && !p.Deep: // the list holds it only because an earlier run was asked for
	case Ended(l.Status), ours.Closed():
		p.ended(l, s)
	case !ours.Over || ours.gone():
		p.add(s)
	}
}

// ended adds a measure once it has been due for the grace period. An end in the future stems from
// a clock that is ahead, and does not tell how long ago it was: deep rounds take it, between which
// its webhook has mostly come.
func (p *planner) ended(l Listed, s Measure) {
	age := p.At.Sub(l.Since)
	if toCome := p.Deep && Ended(l.Status) && age < -clocksDiffer; age < p.Grace.D() && !toCome {
		p.plan.Waiting++
		return
	}
	p.add(s)
}

func (p *planner) add(m Measure) { p.plan.Measures = append(p.plan.Measures, m) }

func (p *planner) quarantine(l Listed, why string) {
	p.add(Measure{Deed: DeedQuarantine, EgressID: l.ID, Why: why})
}

// suspect finds the workflows that wait for an egress that LiveKit does not list: it is no longer
// active or, if everything was listed or it was asked for, LiveKit does not know it.
func (p *planner) suspect(listed []Listed) {
	seen := make(map[string]bool, len(listed))
	for _, l := range listed {
		seen[l.ID] = true
	}
	for _, o := range p.Ours {
		switch {
		case o.EgressID == "" || o.Over || seen[o.EgressID] || p.At.Sub(o.StartedAt) < p.Grace.D():
		case p.Deep, slices.Contains(p.Unknown, o.EgressID):
			p.add(Measure{Deed: DeedSuspect, EgressID: o.EgressID, RequestID: o.RequestID})
		default:
			p.plan.Ask = append(p.plan.Ask, o.EgressID)
		}
	}
}

func where(l Listed) string {
	if l.Room == "" {
		return ""
	}
	return " in room " + l.Room
}
