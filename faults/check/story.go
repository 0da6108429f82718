package check

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// ended is the event that counts.
const ended = "egress_ended"

// The statuses of an egress that is stopped while it records, and before it does.
const (
	complete = "EGRESS_COMPLETE"
	aborted  = "EGRESS_ABORTED"
)

// abortion is the fault by which an egress aborts itself.
const abortion = "aborted"

// Lost is the verdict on an egress whose end nobody can know. It is announced to the consumer as a
// failure.
const Lost = "LOST"

// lostMark begins the error in the announcement of such an egress.
const lostMark = "lost: "

// end is one end of an egress, as LiveKit records it.
type end struct {
	at     time.Time
	status string
}

// confirming is how much later than the answer to a stop LiveKit's log shows the end of an aborted
// egress.
const confirming = 250 * time.Millisecond

// is reports whether an announcement is about this end, by LiveKit's own time if it has one.
func (e end) is(a announcement) bool {
	off := skew
	if e.status == aborted {
		off = confirming
	}
	return e.status == a.status && (a.endedAt.IsZero() || e.at.Sub(a.endedAt).Abs() <= off)
}

// recorded is an egress with its whole life, from LiveKit's log.
type recorded struct {
	Egress
	ends     []end
	again    time.Time // when it ran a second time; zero if it did not
	former   int       // how many of its ends were before that
	goneAt   time.Time // when its worker died, or LiveKit forgot it
	answered bool      // its agent was told of it
	taken    bool      // the project's endpoint accepted a webhook of it
	cut      bool      // LiveKit, a worker or Temporal was killed between its acceptance and that
	theirs   *neighbour
	life     *life // of the agent that recorded it; empty if there is none
}

// life is what an agent wanted, and the result.
type life struct {
	n        int
	subject  string
	own      string    // path of the request's own webhook
	until    time.Time // when its recording may end at the earliest
	ignored  string    // how the request for its end failed; empty if it was granted, or there was none
	refused  bool      // that request, for good
	outcome  Outcome
	egressID string
	// answeredAt is when its agent got the last answer that it waited for.
	answeredAt time.Time
	stoppedAt  time.Time
	egresses   []*recorded
}

// neighbour is somebody who shares LiveKit with us and records a page.
type neighbour struct{ over time.Time } // when they asked for its end

// announcement is an egress_ended as the consumer handled it.
type announcement struct {
	at       time.Time
	eventID  string
	egressID string
	status   string
	endedAt  time.Time // LiveKit's; zero if it has none
	media    string    // what it says of the media; empty if it says nothing
}

// same reports whether both are about one end, by LiveKit's own time of it.
func (a announcement) same(b announcement) bool {
	return !a.endedAt.IsZero() && a.status == b.status && a.endedAt.Equal(b.endedAt)
}

// stories combines the logs: the lives in the order in which they began, and every egress by its
// ID.
func stories(l Logs) ([]*life, map[string]*recorded) {
	lives, bySubject := livesOf(l.Agents)
	egresses, neighbours := map[string]*recorded{}, neighboursOf(l.Agents)
	for _, line := range l.LiveKit {
		if w := line.Webhook; w != nil && w.Outcome == "sent" && egresses[w.EgressID] != nil {
			r := egresses[w.EgressID]
			r.taken = r.taken || w.Path != r.life.own
		}
		if line.Egress == nil {
			continue
		}
		r := egresses[line.Egress.ID]
		if r == nil {
			r = &recorded{theirs: neighbours[line.Egress.URL], life: &life{}}
			egresses[line.Egress.ID] = r
			if of := bySubject[subjectOf(line.Egress)]; of != nil {
				of.egresses, r.life = append(of.egresses, r), of
				r.answered = of.egressID == line.Egress.ID
			}
		}
		r.take(line)
	}
	for _, r := range egresses {
		r.cut = slices.ContainsFunc(l.Kills, func(k Kill) bool {
			killed := !k.Asked && (k.Part == "livekit" || k.Part == "worker" || k.Part == "temporal")
			return killed && k.At.After(r.Accepted) && k.At.Before(r.goneAt)
		})
	}
	return lives, egresses
}

func livesOf(agents []Agent) ([]*life, map[string]*life) {
	var lives []*life
	byNumber, bySubject := map[int]*life{}, map[string]*life{}
	for _, a := range agents {
		f := byNumber[a.Life]
		if f == nil {
			f = &life{n: a.Life}
			byNumber[a.Life] = f
			lives = append(lives, f)
		}
		switch a.Did {
		case Began:
			f.subject, f.own, f.until = a.Subject, a.Own, a.At.Add(a.Call)
			bySubject[a.Subject] = f
		case Answered:
			f.outcome, f.egressID, f.answeredAt = a.Outcome, a.EgressID, a.At
		case Stopped:
			f.stoppedAt, f.ignored, f.refused = a.At, a.Error, a.Outcome == Refused
		case Forged, Neighbour, NeighbourOver, Elsewhere, Done:
		}
	}
	return lives, bySubject
}

// neighboursOf returns the neighbours, by the pages that they record.
func neighboursOf(agents []Agent) map[string]*neighbour {
	all := map[string]*neighbour{}
	for _, a := range agents {
		switch {
		case a.Did == Neighbour:
			all[a.Subject] = &neighbour{}
		case a.Did == NeighbourOver && all[a.Subject] != nil:
			all[a.Subject].over = a.At
		}
	}
	return all
}

// stoppedBefore reports whether it was stopped before a moment, or at all if that is zero: an egress
// runs until somebody asks for its end or its room is empty, unless it fails.
func (r *recorded) stoppedBefore(t time.Time) bool {
	return slices.ContainsFunc(r.ends, func(e end) bool {
		asked := e.status == complete || e.status == aborted && !slices.Contains(r.Faults, abortion)
		return asked && (t.IsZero() || e.at.Before(t))
	})
}

// subjectOf returns what an egress records: a page, or else a room.
func subjectOf(e *Egress) string {
	if e.URL != "" {
		return e.URL
	}
	return e.Room
}

// take adds one state to the life of an egress.
func (r *recorded) take(line LiveKit) {
	e := *line.Egress
	if !e.Ended.IsZero() && !e.Ended.Equal(r.Ended) {
		r.ends = append(r.ends, end{e.Ended, e.Status})
	}
	if e.Ended.IsZero() && !r.Ended.IsZero() {
		r.again, r.former = line.At, len(r.ends)
	}
	if (e.Dead || e.Forgotten) && r.goneAt.IsZero() {
		r.goneAt = line.At
	}
	r.Egress = e
}

// replyFault begins the faults of a start whose reply does not reach the caller: it is lost, an
// error, or arrives after everybody has stopped waiting.
const replyFault = "reply-"

// unknowable reports whether nobody, or only its agent, can know of the egress. LiveKit forgot it
// before our endpoint accepted any webhook of it; and either it was started past Temporal, or it
// was forgotten before its caller could ask again: because the reply was lost, or because LiveKit,
// the worker, or Temporal, which had to keep the reply, was killed.
func (r *recorded) unknowable(by Rules) bool {
	if !r.Forgotten || r.taken {
		return false
	}
	inVain := r.cut || slices.ContainsFunc(r.Faults, func(f string) bool { return strings.HasPrefix(f, replyFault) })
	return r.past(by) || !r.answered && inVain && r.goneAt.Before(r.Accepted.Add(by.Hang))
}

// past reports whether it was started past Temporal.
func (r *recorded) past(by Rules) bool {
	host, _, _ := strings.Cut(r.Host, ":")
	return host == by.Past
}

// page reports whether it records no room, so that only a stop shows that it is dead.
func (r *recorded) page() bool { return r.URL != "" }

// due is the moment from which its end must be announced, zero while there is none. For an egress
// that ran twice, it is the last end. For a dead one that records a page, it is when its agent
// asked for its end.
func (r *recorded) due() time.Time {
	asked := r.life.stoppedAt
	switch {
	case r.Dead && !r.Forgotten && r.page() && (asked.IsZero() || asked.After(r.goneAt)):
		return asked
	case r.Dead, r.Forgotten:
		return r.goneAt
	case len(r.ends) > 0 && !r.runsAgain():
		return r.ends[len(r.ends)-1].at
	}
	return time.Time{}
}

// recordsAt reports whether it records at a moment: it was accepted, and has neither ended nor
// gone, or has begun again since it ended.
func (r *recorded) recordsAt(t time.Time) bool {
	over := func(at time.Time) bool { return !at.IsZero() && !at.After(t) }
	ends := r.ends
	if over(r.again) {
		ends = ends[r.former:]
	}
	return !r.Accepted.After(t) && !over(r.goneAt) && !slices.ContainsFunc(ends, func(e end) bool { return over(e.at) })
}

// runsAgain reports whether it is in a second run, after its end.
func (r *recorded) runsAgain() bool {
	return slices.Contains([]string{"EGRESS_STARTING", "EGRESS_ACTIVE", "EGRESS_ENDING"}, r.Status)
}

// became describes what became of it, in the words of the figures.
func (r *recorded) became() []string {
	list := []string{r.Status}
	if r.Dead {
		list = append(list, "died")
	}
	if r.Forgotten {
		list = append(list, "forgotten")
	}
	if len(r.ends) > 1 {
		list = append(list, "ran twice")
	}
	return list
}

// announcements returns those that the consumer handled, by path and egress, in order of arrival.
// Those that it could not verify are counted separately.
func announcements(log []Request) (told map[string][]announcement, unverified int) {
	told = map[string][]announcement{}
	for _, r := range log {
		if !r.Verified {
			unverified++
			continue
		}
		a, ok := announcementOf(r)
		if ok && r.Answer/100 == 2 {
			told[r.Path] = append(told[r.Path], a)
		}
	}
	return told, unverified
}

// announcementOf reads a webhook as any LiveKit consumer does.
func announcementOf(r Request) (announcement, bool) {
	var e struct {
		Event, ID  string
		EgressInfo struct {
			EgressID, Status, Error string
			EndedAt                 json.Number
		}
	}
	if err := json.Unmarshal([]byte(r.Body), &e); err != nil || e.Event != ended {
		return announcement{}, false
	}
	a := announcement{at: r.At, eventID: e.ID, egressID: e.EgressInfo.EgressID, status: e.EgressInfo.Status, media: headerOf(r.Header, "-Media")}
	if n, err := e.EgressInfo.EndedAt.Int64(); err == nil && n != 0 {
		a.endedAt = time.Unix(0, n)
	}
	if strings.HasPrefix(e.EgressInfo.Error, lostMark) {
		a.status = Lost
	}
	return a, true
}

// ownWords returns the IDs of the events that LiveKit itself made.
func ownWords(log []LiveKit) map[string]bool {
	ids := map[string]bool{}
	for _, line := range log {
		if line.Webhook != nil {
			ids[line.Webhook.ID] = true
		}
	}
	return ids
}

// ours leaves out what LiveKit itself sent to a path that it was given, since only LiveKit answers
// for that. If something of ours remains, LiveKit's first event stays before it: then both
// announced the same end there.
func (r *recorded) ours(path string, list []announcement, made map[string]bool) []announcement {
	if !slices.Contains(r.Hooks, path) {
		return list
	}
	var theirs, rest []announcement
	for _, a := range list {
		if made[a.eventID] {
			theirs = append(theirs, a)
		} else {
			rest = append(rest, a)
		}
	}
	if len(theirs) > 0 && len(rest) > 0 {
		rest = slices.Insert(rest, 0, theirs[0])
	}
	return rest
}

// byEgress groups announcements, and drops repeats of an event ID, as a consumer does: it looks at
// the ID before anything else. same reports whether each of those repeats was of the same egress
// and end.
func byEgress(told []announcement) (groups map[string][]announcement, same bool) {
	groups, same = map[string][]announcement{}, true
	first := map[string]announcement{}
	for _, a := range told {
		f, known := first[a.eventID]
		if !known {
			first[a.eventID], groups[a.egressID] = a, append(groups[a.egressID], a)
			continue
		}
		same = same && f.egressID == a.egressID && f.status == a.status && f.endedAt.Equal(a.endedAt)
	}
	return groups, same
}
