package workflows_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// newRandom is a room of chance, with what happens in it.
func newRandom(t *testing.T, seed uint64) *random {
	t.Helper()
	r := &random{life: &life{t: t, TestWorkflowEnvironment: silentEnv()}, Rand: rand.New(rand.NewPCG(seed, 0)), shown: map[string]any{}}
	r.began, r.tell = r.Now(), func(activities.TellRequest) error { return nil }
	r.register()
	r.watchShown()
	r.roomEnds = r.began.Add(r.within(40 * time.Minute))
	r.started = func(_ context.Context, in activities.StartRequest) (s activities.Started, err error) {
		r.alone(func() { s, err = r.accept(in) })
		return s, err
	}
	r.poll = func(in activities.PollRequest) (l egress.Look, err error) {
		r.alone(func() { l, err = r.look(in) })
		return l, err
	}
	r.stop = func(id string) (i egress.Info, err error) {
		r.alone(func() { i, err = r.stops(id) })
		return i, err
	}
	r.answers = func(id string) (i egress.Info, err error) {
		r.alone(func() { i, err = r.probes(id) })
		return i, err
	}
	r.twin = func(in activities.TwinRequest) (a activities.TwinAnswer, err error) {
		r.alone(func() { a, err = r.stopsTwin(in) })
		return a, err
	}
	r.announce = func(e egress.Event) (err error) {
		r.alone(func() { err = r.hears(e) })
		return err
	}
	r.at(r.roomEnds.Sub(r.began), func() {
		r.say("room ends")
		if r.chance(0.7) {
			r.SignalWorkflow(egress.SignalHint, hint(t, egress.EventRoomFinished, roomID, ""))
		}
	})
	if r.chance(0.3) {
		r.at(r.within(45*time.Minute), func() { r.wantsEnd() })
	}
	if r.chance(0.2) {
		r.longest = r.within(45 * time.Minute)
	}
	if r.chance(0.2) { // another door begins it as well
		r.at(r.within(10*time.Minute), func() {
			if r.Now().Before(r.roomEnds) {
				f := r.begin(fmt.Sprintf("EG_%d_twin", len(r.fates)+1))
				r.say("twin %s", f.id)
			}
		})
	}
	for r.chance(0.3) {
		r.at(r.within(45*time.Minute), func() { r.SetContinueAsNewSuggested(true) })
	}
	for n := range 100 { // the reconciler's deep rounds: over a day
		r.at(time.Duration(n+1)*15*time.Minute, r.round)
	}
	return r
}

// silentEnv is a test environment for one run of the workflow. What happens is said by say.
func silentEnv() *testsuite.TestWorkflowEnvironment {
	var s testsuite.WorkflowTestSuite
	s.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	return envOf(&s, egress.WorkflowID(requestID))
}

// round tells the workflow of all that LiveKit lists.
func (r *random) round() {
	for n, f := range r.fates {
		r.at(time.Duration(n+1)*time.Millisecond, func() {
			if m := f.now(); m != nil {
				e, err := egress.ListedEvent(m)
				require.NoError(r.t, err)
				f.hear(m)
				r.SignalWorkflow(egress.SignalReconciled, e)
			}
		})
	}
}

// wantsEnd is a person who has enough.
func (r *random) wantsEnd() {
	r.wishes++
	if r.enough.IsZero() {
		r.enough = r.Now()
	}
	if r.chance(0.3) {
		r.say("cancelled")
		r.CancelWorkflow()
		return
	}
	r.say("stop asked")
	var told error
	r.askStop(fmt.Sprint("stop ", r.wishes), &told)
}

func (r *random) stops(id string) (egress.Info, error) {
	r.say("stop of %s", id)
	return r.fate(id).stop()
}

// probes is Stop for a worker that is asked first.
func (r *random) probes(id string) (egress.Info, error) {
	r.say("probe of %s", id)
	if f := r.fate(id); !f.dead() {
		return infoOf(r.t, f.now()), nil
	}
	return r.fate(id).stop()
}

// stopsTwin is StopTwin.
func (r *random) stopsTwin(in activities.TwinRequest) (a activities.TwinAnswer, err error) {
	r.say("stop of twin %+v", in)
	if in.Bound != "" {
		bound := r.fate(in.Bound)
		switch m := bound.now(); {
		case m == nil:
			return activities.TwinAnswer{BoundMissing: true}, nil
		case egress.Failed(m.GetStatus()):
			return activities.TwinAnswer{BoundFailed: infoOf(r.t, m)}, nil
		case !in.Over && in.Room != "" && bound.dead() && !egress.Ended(m.GetStatus()):
			return activities.TwinAnswer{BoundAbsent: true}, nil
		}
	}
	if in.Over {
		return a, nil
	}
	i, err := r.fate(in.Twin).stop()
	if err == nil && i.Ended() {
		a.Ended = i
	}
	return a, err
}

// hears is the consumer, which is told of an end.
func (r *random) hears(e egress.Event) error {
	if r.chance(0.2) {
		return fmt.Errorf("the consumer is away")
	}
	m := e.Proto().GetEgressInfo()
	f := r.fate(m.GetEgressId())
	r.say("told of %s %s %s %s", f.id, m.GetStatus(), m.GetError(), e.Proto().GetId())
	assert.True(r.t, f.dead() || !f.known.IsZero() || f.now().GetRetryCount() > m.GetRetryCount(), "told of the end of %s, which records", f.id)
	return nil
}

var lives = flag.Int("lives", 200, "how many lives chance plays; the first seed is 0")

// TestEveryLifeIsToldAsItWas has chance decide what becomes of the egresses of a room, which of
// their webhooks come, and when somebody has enough. Whatever that is, the recording comes to its
// end, each egress is told, the last time as it was, and none records any more, nor for long once
// somebody has enough.
func TestEveryLifeIsToldAsItWas(t *testing.T) {
	t.Parallel()
	for seed := range *lives {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := newRandom(t, uint64(seed))
			t.Cleanup(func() {
				if t.Failed() {
					r.alone(func() { t.Log(strings.Join(append([]string{""}, r.said...), "\n")) })
				}
			})
			in := plainInput(t)
			in.MaxDuration = egress.Duration(r.longest)
			v, err := r.runs(in)
			if err != nil { // it was refused, or was not found: the next round adopts what it began
				var refused *temporal.ApplicationError
				require.ErrorAs(t, err, &refused)
				require.Contains(t, []string{string(egress.NotFound), string(egress.TooLate)}, refused.Type(), err)
				require.Empty(t, r.announced, err)
				return
			}

			r.alone(func() {
				for _, f := range r.fates {
					if v.Knows(f.id) { // else a deep round adopts it
						f.isTold(v)
						f.isStopped()
					}
				}
				r.isShown(v)
			})
		})
	}
}

// isTold wants the consumer to know how it ended, and nothing to record any more. A second run
// under its ID, which may be stopped beside another, and of which nobody hears, is left out.
func (f *fate) isTold(v egress.Verdict) {
	told := slices.DeleteFunc(slices.Clone(f.announced), func(e egress.Event) bool { return e.Proto().GetEgressInfo().GetEgressId() != f.id })
	if !assert.NotEmpty(f.t, told, "nobody was told of %s", f.id) {
		return
	}
	for n, e := range told[1:] {
		before, now := told[n].Proto(), e.Proto()
		assert.True(f.t, before.GetId() == now.GetId() || before.GetEgressInfo().GetStatus() != now.GetEgressInfo().GetStatus(), "%s is told twice", f.id)
	}
	m, last := f.now(), told[len(told)-1].Proto().GetEgressInfo()
	f.isJudged(v, last)
	if f.ended != nil {
		assert.GreaterOrEqual(f.t, last.GetRetryCount(), f.ended.GetRetryCount(), "the second run of %s is not told", f.id)
		if last.GetRetryCount() == f.ended.GetRetryCount() {
			assert.Equal(f.t, f.ended.GetStatus(), last.GetStatus(), "%s is not told as the workflow has heard last", f.id)
		}
	}
	if m.GetRetryCount() > last.GetRetryCount() || !f.known.IsZero() {
		return
	}
	assert.True(f.t, f.dead(), "%s records for ever", f.id)
	if egress.Ended(m.GetStatus()) {
		assert.Equal(f.t, m.GetStatus(), last.GetStatus(), "%s ended otherwise", f.id)
	}
}

// isStopped wants it to have ended soon after somebody had enough, or its longest duration was over.
func (f *fate) isStopped() {
	end := f.endedAt()
	if end.IsZero() {
		return
	}
	for why, by := range map[string]time.Time{"when asked": f.enough, "at the longest duration": f.overAt()} {
		if f.heardOf.After(by) && !by.IsZero() {
			by = f.heardOf
		}
		assert.False(f.t, !by.IsZero() && end.Sub(by) > soon, "%s is not stopped %s", f.id, why)
	}
}

// overAt is when the longest duration is over. Zero: never.
func (r *random) overAt() time.Time {
	if r.longest == 0 || len(r.fates) == 0 {
		return time.Time{}
	}
	return r.fates[0].heardOf.Add(r.longest)
}

// soon is how long a stop takes at most: LiveKit is asked for something else first, say.
const soon = 2 * time.Minute
