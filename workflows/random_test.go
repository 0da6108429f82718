package workflows_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/assert"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// moment is how an egress is from a time on.
type moment struct {
	at time.Time
	m  *lk.EgressInfo
}

// fate is an egress of the random LiveKit: how it is and will be.
type fate struct {
	*random
	id      string
	way     []moment
	dies    time.Time      // its worker is gone from then on, and LiveKit calls it active for good; zero: never
	forgot  time.Time      // LiveKit does not know it from then on; zero: never
	known   time.Time      // but does so again; zero: never
	hidden  time.Time      // its room does not show it from then on; zero: never
	late    bool           // it runs again later than its end is held
	heardOf time.Time      // when the workflow was first told of it
	webhook bool           // a webhook has told an end of it
	ended   *lk.EgressInfo // the last of its ends that the workflow was told of
}

// random is a LiveKit, a consumer and people of whom chance decides, around one workflow.
type random struct {
	*life
	*rand.Rand
	turn     sync.Mutex
	roomEnds time.Time
	fates    []*fate
	begun    *fate          // what an attempt at a start began that did not answer
	enough   time.Time      // when its end was first asked for
	wishes   int            // how often that was asked for
	longest  time.Duration  // that it may take; zero: any
	events   []*event       // what happens, or is to happen
	shown    map[string]any // what visibility is told
	said     []string
}

// alone does one thing after the other: activities run beside each other.
func (r *random) alone(do func()) {
	r.turn.Lock()
	defer r.turn.Unlock()
	do()
}

// at schedules what happens after that long.
func (r *random) at(after time.Duration, do func()) {
	e := &event{at: r.Now().Add(after), do: do}
	r.events = append(r.events, e)
	r.await(e, r.Now())
}

func (r *random) chance(p float64) bool { return r.Float64() < p }

// within is a time up to that long.
func (r *random) within(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) + 1 }

// say notes what happens, for who reads of a failure.
func (r *random) say(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf("%10s ", r.took().Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// begin makes an egress in the room.
func (r *random) begin(id string) *fate {
	f, now := &fate{random: r, id: id}, r.Now()
	r.fates = append(r.fates, f)
	active := now.Add(r.within(10 * time.Second))
	end := r.roomEnds.Add(r.within(3 * time.Second))
	if end.Before(active) {
		end = active.Add(time.Second)
	}
	midway := active.Add(r.within(max(end.Sub(active), time.Second)))
	f.add(now, lk.EgressStatus_EGRESS_STARTING)
	if f.chance(0.1) { // people often have enough when something has happened
		f.at(midway.Add(r.within(2*time.Minute)).Sub(now), r.wantsEnd)
	}
	if f.chance(0.1) {
		f.hidden = midway
	}
	switch r.IntN(10) {
	case 0:
		f.add(active, lk.EgressStatus_EGRESS_ABORTED)
		return f
	case 1:
		f.add(active, lk.EgressStatus_EGRESS_ACTIVE)
		f.add(midway, lk.EgressStatus_EGRESS_FAILED)
		return f
	case 2:
		f.add(active, lk.EgressStatus_EGRESS_ACTIVE)
		f.add(midway, lk.EgressStatus_EGRESS_LIMIT_REACHED)
		return f
	case 3:
		f.dies = midway
		if f.chance(0.5) {
			f.at(midway.Sub(now), func() { f.SignalWorkflow(egress.SignalHint, hint(f.t, egress.EventParticipantLeft, roomID, f.id)) })
		}
	case 4:
		f.forgot = midway
		if f.chance(0.5) {
			f.known = midway.Add(r.within(10 * time.Minute))
		}
	case 5:
		f.add(active, lk.EgressStatus_EGRESS_ACTIVE)
		f.add(midway, lk.EgressStatus_EGRESS_FAILED)
		again := 25 * time.Second // while its end is held
		if f.late = f.chance(0.4); f.late {
			again = 10 * time.Minute
		}
		active = midway.Add(r.within(again))
		end = active.Add(r.within(10 * time.Minute))
	case 6: // somebody ends it past us, or who is recorded leaves
		end = midway
	}
	f.add(active, lk.EgressStatus_EGRESS_ACTIVE)
	f.add(end, lk.EgressStatus_EGRESS_ENDING)
	f.add(end.Add(r.within(5*time.Second)), lk.EgressStatus_EGRESS_COMPLETE)
	return f
}

// add has the egress be so from a time on, of which LiveKit tells by webhook: mostly.
func (f *fate) add(at time.Time, s lk.EgressStatus) {
	m := message(f.id, s)
	m.UpdatedAt, m.StartedAt, m.EndedAt = at.UnixNano(), 0, 0
	if n := len(f.way); n > 0 {
		last := f.way[n-1].m
		m.StartedAt, m.RetryCount = last.GetStartedAt(), last.GetRetryCount()
		if egress.Ended(last.GetStatus()) {
			m.StartedAt, m.RetryCount = 0, last.GetRetryCount()+1
		}
	}
	if s == lk.EgressStatus_EGRESS_ACTIVE {
		m.StartedAt = at.UnixNano()
	}
	event := egress.EventUpdated
	if egress.Ended(s) {
		m.EndedAt, event = at.UnixNano(), egress.EventEnded
	}
	f.way = append(f.way, moment{at, m})
	for f.chance(0.7) { // once, often, or not at all
		delay := time.Millisecond
		if f.chance(0.3) {
			delay = f.within(2 * time.Minute)
		}
		f.at(max(at.Sub(f.Now()), 0)+delay, func() {
			if f.happened(m) {
				f.say("webhook %s %s", f.id, m.GetStatus())
				f.hear(m)
				f.webhook = f.webhook || event == egress.EventEnded
				f.SignalWorkflow(egress.SignalObserved, webhook(f.t, event, m))
			}
		})
		if f.chance(0.8) {
			break
		}
	}
}

// happened reports whether it was ever so: it may have been stopped before, or its worker be dead.
func (f *fate) happened(m *lk.EgressInfo) bool {
	return slices.ContainsFunc(f.way, func(o moment) bool { return o.m == m && (f.dies.IsZero() || o.at.Before(f.dies)) })
}

// now is how LiveKit has it, nil where it does not know it.
func (f *fate) now() *lk.EgressInfo {
	now := f.Now()
	if !f.forgot.IsZero() && !now.Before(f.forgot) && (f.known.IsZero() || now.Before(f.known)) {
		return nil
	}
	m := f.way[0].m
	for _, o := range f.way {
		if !o.at.After(now) && f.happened(o.m) {
			m = o.m
		}
	}
	return m
}

// dead reports whether nothing records it any more, whatever LiveKit calls it.
func (f *fate) dead() bool {
	return !f.dies.IsZero() && !f.Now().Before(f.dies) || f.now() == nil || egress.Ended(f.now().GetStatus())
}

// stop ends it, as LiveKit does.
func (f *fate) stop() (egress.Info, error) {
	m, now := f.now(), f.Now()
	switch {
	case m == nil:
		return egress.Info{}, failure(egress.NotFound, "egress does not exist")
	case egress.Ended(m.GetStatus()):
		return infoOf(f.t, m), nil
	case f.dead():
		return egress.Info{}, failure(egress.Unanswered, "no response from servers")
	}
	f.way = slices.DeleteFunc(f.way, func(o moment) bool { return o.at.After(now) })
	f.dies, f.forgot = time.Time{}, time.Time{}
	if m.GetStatus() == lk.EgressStatus_EGRESS_STARTING {
		f.add(now.Add(time.Millisecond), lk.EgressStatus_EGRESS_ABORTED)
	} else {
		f.add(now, lk.EgressStatus_EGRESS_ENDING)
		f.add(now.Add(300*time.Millisecond), lk.EgressStatus_EGRESS_COMPLETE)
	}
	return infoOf(f.t, f.now()), nil
}

func (r *random) fate(id string) *fate {
	return r.fates[slices.IndexFunc(r.fates, func(f *fate) bool { return f.id == id })]
}

// accept is an attempt at a start. One that does not answer may have begun the egress, which another
// one finds: mostly.
func (r *random) accept(in activities.StartRequest) (activities.Started, error) {
	if f := r.begun; f != nil {
		switch {
		case r.chance(0.5):
			return activities.Started{}, errNoAnswer
		case r.chance(0.1):
			r.say("start of part %d not found", in.Part)
			r.begun = nil
			return activities.Started{}, failure(egress.TooLate, "not found")
		}
		r.begun = nil
		return r.answer(in, f), nil
	}
	if r.Now().After(r.roomEnds) {
		r.say("start of part %d refused", in.Part)
		return activities.Started{}, failure(egress.NotFound, "requested room does not exist")
	}
	assert.True(r.t, in.Part == 1 || r.enough.IsZero(), "part %d is started although its end was asked for", in.Part)
	if over := r.overAt(); in.Part > 1 && !over.IsZero() {
		assert.True(r.t, r.Now().Before(over), "part %d is started although its longest duration is over", in.Part)
	}
	for _, f := range r.fates {
		assert.True(r.t, f.dead() || f.heardOf.IsZero() || f.late || !f.known.IsZero() || r.Now().Sub(f.heardOf) < 10*time.Second, "part %d is started beside %s", in.Part, f.id)
	}
	if last := r.fates; len(last) == 1 && last[0].now() != nil {
		assert.NotEqual(r.t, lk.EgressStatus_EGRESS_COMPLETE, last[0].now().GetStatus(), "part %d follows a good end", in.Part)
	}
	f := r.begin(fmt.Sprintf("EG_%d", len(r.fates)+1))
	if r.chance(0.2) {
		r.say("start of part %d without an answer: %s", in.Part, f.id)
		r.begun = f
		return activities.Started{}, errNoAnswer
	}
	return r.answer(in, f), nil
}

var errNoAnswer = errors.New("no answer")

func (r *random) answer(in activities.StartRequest, f *fate) activities.Started {
	r.say("start of part %d: %s", in.Part, f.id)
	f.hear(f.now())
	t := terms()
	t.Policy, t.Recover = egress.DefaultPolicy(), 2
	return activities.Started{Info: infoOf(r.t, f.now()), Terms: t}
}

// hear notes that the workflow is told that it is so.
func (f *fate) hear(m *lk.EgressInfo) {
	if f.heardOf.IsZero() {
		f.heardOf = f.Now()
	}
	if egress.Ended(m.GetStatus()) && (f.ended == nil || m.GetRetryCount() > f.ended.GetRetryCount()) {
		f.ended = m
	}
}

// endedAt is when it ended by LiveKit's word. Zero: it never did, or nobody could have stopped it.
func (f *fate) endedAt() time.Time {
	last := f.way[len(f.way)-1]
	if !f.dies.IsZero() || !f.forgot.IsZero() || !f.known.IsZero() || last.m.GetRetryCount() > 0 {
		return time.Time{}
	}
	return last.at
}

// look is one look of a poll, also before it is due: the test environment knows no next delay.
func (r *random) look(in activities.PollRequest) (egress.Look, error) {
	f, now := r.fate(in.EgressID), r.Now()
	again := fmt.Errorf("no news")
	if r.chance(0.05) { // LiveKit could not be asked
		return egress.Look{}, again
	}
	m := f.now()
	l := egress.Look{RecorderSeen: true}
	switch gone := now.After(r.roomEnds); {
	case m == nil:
		l.MissingSince = f.forgot
		return l, when(now.Sub(f.forgot) >= in.Policy.LostAfter.D(), again)
	case f.dead():
		l.RecorderAbsent, l.RecorderGone, l.EndExpected = true, f.dies, f.dies
		if gone {
			l.RoomGone = r.roomEnds
		}
	case !f.hidden.IsZero() && now.After(f.hidden):
		l.RecorderAbsent, l.RecorderGone, l.EndExpected = true, now, now
	default:
		l.RecorderHere = true
	}
	l.Info = infoOf(r.t, m)
	news := egress.Ahead(m.GetStatus(), in.Have) && m.GetStatus() != lk.EgressStatus_EGRESS_ENDING
	until := in.Until
	if act := l.EndExpected.Add(in.Policy.LostAfter.D()); !l.EndExpected.IsZero() && (until.IsZero() || act.Before(until)) {
		until = act
	}
	return l, when(news || in.Doubt || !until.IsZero() && !now.Before(until), again)
}

// when is no error where that is so.
func when(so bool, err error) error {
	if so {
		return nil
	}
	return err
}
