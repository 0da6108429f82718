package egress

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
)

// MaxAsked is how many egresses one round asks LiveKit for by their ID: at a round a
// minute it is a twentieth of what LiveKit Cloud allows. More than that are cheaper
// to learn by listing everything, which is one question.
const MaxAsked = 50

// Listed is an egress as LiveKit lists it.
type Listed struct {
	ID     string
	Room   string
	RoomID string
	Status livekit.EgressStatus
	// Since is when it ended or, while it runs, when it started. Where LiveKit does not say,
	// it is the latest time that it gives; zero where it gives none.
	Since time.Time
	// RequestID is what our token in it names. Empty: it has none.
	RequestID string
	// Others says that it has a token, and none that our keys made.
	Others bool
	// KeepsNothing says that it is streamed, or sent to a websocket, and written nowhere.
	KeepsNothing bool
}

// ListedAs is an egress of LiveKit's list. ours says whether one of our keys made a
// token.
func ListedAs(m *livekit.EgressInfo, ours func(Token) bool) Listed {
	l := Listed{ID: m.GetEgressId(), Room: m.GetRoomName(), RoomID: m.GetRoomId(), Status: m.GetStatus()}
	at := cmp.Or(m.GetEndedAt(), max(m.GetStartedAt(), m.GetUpdatedAt()))
	if !Ended(l.Status) {
		at = cmp.Or(m.GetStartedAt(), at) // how long it has been running, however often it was updated
	}
	l.Since = unixNano(at)
	r, _ := RequestOf(m)
	kept := len(Destinations(r)) + len(m.GetFileResults()) + len(m.GetSegmentResults()) + len(m.GetImageResults()) // the results, where the request is of a newer LiveKit
	l.KeepsNothing = kept == 0 && (len(m.GetStreamResults()) > 0 || m.GetTrack().GetWebsocketUrl() != "")
	t, ok := OurToken(m, ours)
	l.RequestID = t.RequestID
	l.Others = !ok && ourWebhook(m, func(Token) bool { return true }) != nil
	return l
}

// Adopter is the request ID under which the egress is adopted: that of its token, and
// for a stray its own egress ID.
func (l Listed) Adopter() string { return cmp.Or(l.RequestID, l.ID) }

// Ours is an egress workflow as visibility shows it.
type Ours struct {
	RequestID string
	EgressID  string // empty until visibility is told
	Room      string // as a search attribute holds it
	StartedAt time.Time
	Over      bool   // its egress is settled, whether or not everybody has been told
	Closed    bool   // its workflow has ended, and hears of nothing any more
	Status    Status // what it calls its egress
}

// neverBegan reports whether it has been STARTING for too long to be taken for a recording.
func (l Listed) neverBegan(at time.Time) bool {
	return l.Status == livekit.EgressStatus_EGRESS_STARTING && !l.Since.IsZero() && at.Sub(l.Since) >= beginsWithin
}

// mistakes reports whether LiveKit's list shows that a verdict which may still be
// corrected is wrong: what failed runs again or has ended otherwise, or what is lost has
// an end. That LiveKit calls what is lost active says nothing.
func (o Ours) mistakes(l Listed) bool {
	if !o.Over || o.Closed {
		return false
	}
	if o.Status == Lost {
		return Ended(l.Status)
	}
	return o.Status.Failed() && o.Status != statusOf(l.Status)
}

// gone reports whether the bound egress of a request that is over is lost, or failed or was
// aborted: another one can be in its place.
func (o Ours) gone() bool { return o.Status == Lost || o.Status.Failed() }

// Sighting is what a round of the reconciler has seen on both sides.
type Sighting struct {
	At    time.Time
	Deep  bool      // LiveKit was asked for all that it remembers, not for what is active alone
	First time.Time // what ended before is none of ours to announce: when the schedule was made
	// Grace is how long something must have been so before a round acts on it: a start
	// may be under way, and the webhook of an end.
	Grace  Duration
	Listed []Listed
	// Ours are the workflows that run, and with Deep those that have completed, too.
	Ours []Ours
	// Unknown are egresses that LiveKit was asked for, and does not know.
	Unknown []string
}

// Deed is what a round does about one egress.
type Deed string

// What can be done about an egress, as labels of metrics too.
const (
	DeedAdopt      Deed = "adopted"     // make its workflow
	DeedNudge      Deed = "nudged"      // tell its workflow that it has ended
	DeedTwin       Deed = "twin"        // show its request's workflow that it is another one than the one that is bound
	DeedPart       Deed = "part"        // tell its request's workflow that another one than the bound one has ended
	DeedSuspect    Deed = "suspected"   // have its workflow look for itself
	DeedQuarantine Deed = "quarantined" // leave it alone, and say why
)

// Deeds lists every Deed.
func Deeds() []Deed {
	return []Deed{DeedAdopt, DeedNudge, DeedTwin, DeedPart, DeedSuspect, DeedQuarantine}
}

// Measure is one deed of a round.
type Measure struct {
	Deed      Deed
	EgressID  string
	RequestID string // whose workflow it is about
	Why       string // of a quarantine, in words
}

// Plan is what a round has to do.
type Plan struct {
	Steps []Measure // in the order of their egress IDs, so that a round can go on where it stopped
	// Ask are the egresses of running workflows that LiveKit does not call active, in the
	// order of their IDs. Their end is probably on its way to us.
	Ask        []string
	SeenBefore int // ended before the first round or over Remembered ago, and none of ours
	Waiting    int // left for a later round: too young, or a start of ours may be theirs
}

// Deepen reports whether so many have to be asked for that one list of everything is
// cheaper.
func (p Plan) Deepen() bool { return len(p.Ask) > MaxAsked }

// Differs reports whether the two lists differ in anything that is ours to settle.
func (p Plan) Differs() bool {
	return len(p.Ask) > 0 || slices.ContainsFunc(p.Steps, func(s Measure) bool { return s.Deed != DeedQuarantine })
}

// PlanRound says what to do about the difference between LiveKit's list and ours.
// That visibility does not show a workflow never means that there is none: whoever
// adopts asks for it by its ID, which only one workflow can have.
func PlanRound(s Sighting) Plan {
	p := planner{Sighting: s, byID: map[string]*Ours{}, byRequest: map[string]*Ours{}, beginning: map[string]time.Time{}}
	for i := range s.Ours {
		p.know(&s.Ours[i])
	}
	listed := slices.Clone(s.Listed)
	slices.SortFunc(listed, inOrder)
	for _, l := range listed {
		p.judge(l)
	}
	p.suspect(listed)
	slices.SortStableFunc(p.plan.Steps, func(a, b Measure) int { return cmp.Compare(a.EgressID, b.EgressID) })
	slices.Sort(p.plan.Ask)
	return p.plan
}

// inOrder puts what still runs first, and the older one first: of several egresses
// of one request, it is the one to keep.
func inOrder(a, b Listed) int {
	over := func(l Listed) int {
		if Ended(l.Status) {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(over(a), over(b)), a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
}

type planner struct {
	Sighting
	byID      map[string]*Ours // by egress ID
	byRequest map[string]*Ours
	beginning map[string]time.Time // when the first start of ours that has no egress ID yet was made, by room; "" is web egresses'
	plan      Plan
}

func (p *planner) know(o *Ours) {
	if known := p.byRequest[o.RequestID]; known == nil || known.Over {
		p.byRequest[o.RequestID] = o
	}
	if o.EgressID != "" {
		p.byID[o.EgressID] = o
	} else if first, ok := p.beginning[o.Room]; !o.Over && (!ok || o.StartedAt.Before(first)) {
		p.beginning[o.Room] = o.StartedAt
	}
}

// mayBegin reports whether an egress without a token may be that of a start of ours: it is not
// older than that.
func (p *planner) mayBegin(l Listed) bool {
	first, ok := p.beginning[Keyword(l.Room)]
	return ok && l.RequestID == "" && (l.Since.IsZero() || !l.Since.Before(first.Add(-clocksDiffer)))
}

// clocksDiffer is how far LiveKit's clock and Temporal's may be apart.
const clocksDiffer = time.Minute

func (p *planner) judge(l Listed) {
	ours := p.byRequest[l.Adopter()]
	if ours == nil {
		ours = p.byID[l.ID] // a LiveKit that does not echo our token
	} else if own := p.byID[l.ID]; own != nil && ours.EgressID != l.ID {
		ours = own // it was heard of too late to be of its request
	}
	ended := Ended(l.Status)
	switch {
	case l.ID == "":
		p.quarantine(l, "an egress without an ID, "+string(statusOf(l.Status))+where(l)+": LiveKit could not start it")
	case ours != nil && ours.EgressID != "" && ours.EgressID != l.ID:
		p.other(l, *ours)
	case ours != nil && (ours.mistakes(l) || ended && !ours.Over):
		p.ended(l, Measure{Deed: DeedNudge, EgressID: l.ID, RequestID: ours.RequestID})
	case ours != nil: // both say the same
	case l.Others:
		p.quarantine(l, l.ID+where(l)+" has a token that none of our keys made: another Reelkeeper's, or a secret's that was rotated away")
	case rank(l.Status) == 0:
		p.quarantine(l, fmt.Sprintf("%s%s has the status %s, which this version does not know", l.ID, where(l), statusOf(l.Status)))
	case ended && (!l.Since.After(p.First) || p.At.Sub(l.Since).Abs() > Remembered):
		p.plan.SeenBefore++ // what LiveKit never forgets would be new again whenever Temporal has forgotten it
	case p.mayBegin(l):
		p.plan.Waiting++
	default:
		p.ended(l, Measure{Deed: DeedAdopt, EgressID: l.ID, RequestID: l.Adopter()})
		// A second one of the same request waits until the first is bound.
		p.byRequest[l.Adopter()] = &Ours{RequestID: l.Adopter(), EgressID: l.ID, Over: true}
	}
}

// other shows a workflow another egress of its request than the one that is bound: a twin
// that runs, or where its own is gone, all there is. What has ended may be an earlier part
// of it that nobody told it of. Where it knows that already, the news changes nothing.
// Where the workflow has closed, the other one is a recording of its own, unless that knew
// of it.
func (p *planner) other(l Listed, ours Ours) {
	s := Measure{Deed: DeedTwin, EgressID: l.ID, RequestID: ours.RequestID}
	switch {
	case ours.Closed:
		s.Deed = DeedAdopt
	case Ended(l.Status):
		s.Deed = DeedPart
	}
	switch {
	case ours.Over && ours.Status == "": // this very round adopts it
		p.plan.Waiting++
	case Ended(l.Status) && !p.Deep: // it was asked for as that of an earlier run
	case Ended(l.Status), ours.Closed:
		p.ended(l, s)
	case !ours.Over || ours.gone():
		p.step(s)
	}
}

// ended does a step once it has been due for the grace. An end that is still to come is by a
// clock that is ahead, and says nothing of how long.
func (p *planner) ended(l Listed, s Measure) {
	age := p.At.Sub(l.Since)
	if toCome := Ended(l.Status) && age < -clocksDiffer; age < p.Grace.D() && !toCome {
		p.plan.Waiting++
		return
	}
	p.step(s)
}

func (p *planner) step(s Measure) { p.plan.Steps = append(p.plan.Steps, s) }

func (p *planner) quarantine(l Listed, why string) {
	p.step(Measure{Deed: DeedQuarantine, EgressID: l.ID, Why: why})
}

// suspect finds the workflows that wait for an egress which LiveKit does not list: it is
// not active any more, or where all was listed or it was asked for, LiveKit does not know
// it.
func (p *planner) suspect(listed []Listed) {
	seen := make(map[string]bool, len(listed))
	for _, l := range listed {
		seen[l.ID] = true
	}
	for _, o := range p.Ours {
		switch {
		case o.EgressID == "" || o.Over || seen[o.EgressID] || p.At.Sub(o.StartedAt) < p.Grace.D():
		case p.Deep, slices.Contains(p.Unknown, o.EgressID):
			p.step(Measure{Deed: DeedSuspect, EgressID: o.EgressID, RequestID: o.RequestID})
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
