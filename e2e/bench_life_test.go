package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// webhooksOfALife is how many webhooks LiveKit sends for an egress that is stopped.
const webhooksOfALife = 4

// news are those webhooks, in LiveKit's order.
var news = [webhooksOfALife]struct {
	event  string
	status livekit.EgressStatus
}{
	{egress.EventStarted, livekit.EgressStatus_EGRESS_STARTING},
	{egress.EventUpdated, livekit.EgressStatus_EGRESS_ACTIVE},
	{egress.EventUpdated, livekit.EgressStatus_EGRESS_ENDING},
	{egress.EventEnded, livekit.EgressStatus_EGRESS_COMPLETE},
}

// BenchmarkLife compares whole lives, from the start to the announced end, with floors, alternating
// on the same server.
func BenchmarkLife(b *testing.B) {
	for _, bb := range []struct{ callers, lives, turns int }{{1, 100, 4}, {8, 240, 4}, {100, 400, 1}} {
		b.Run(fmt.Sprintf("callers=%d", bb.callers), func(b *testing.B) {
			s := newStage(b, everythingOn)
			s.startWorker()
			s.besideFloors(bb.callers, bb.lives, bb.turns)
		})
	}
}

// BenchmarkLifeOnPostgreSQL is BenchmarkLife on Temporal's own server over PostgreSQL, as in
// docker-compose.yml. Both run on the same two cores.
func BenchmarkLifeOnPostgreSQL(b *testing.B) {
	temporal := startProduction(b)
	s := newStage(b, func(fake *fakelivekit.Config, environ map[string]string) {
		everythingOn(fake, environ)
		environ["TEMPORAL_ADDRESS"] = temporal.Address
	})
	s.startWorker()
	s.besideFloors(8, 240, 4)
}

// besideFloors measures lives and floors, alternating.
func (s *stage) besideFloors(callers, lives, turns int) {
	s.b.Helper()
	floor := s.startFloor()
	ours := func(n int) (time.Duration, error) { return s.life(n, s.signalAll) }
	theirs := func(int) (time.Duration, error) { return s.floorLife(floor, extras{}) }
	s.inTurns(callers, max(50, 2*callers), 1, ours, theirs)
	for s.b.Loop() {
		life, bare := s.inTurns(callers, lives, turns, ours, theirs)
		s.figures.add("rate-of-floor", life.rate()/bare.rate())
		if bare.cpu.server > 0 {
			s.figures.add("cpu-of-floor", life.cpu.of(bare.cpu))
		}
		life.addTo(&s.figures, "life")
		bare.addTo(&s.figures, "floor")
	}
	s.figures.report(s.b)
}

// inTurns measures lives of two kinds: some of the one, as many of the other, and in the next turn
// in the other order, so that a machine that gets slower slows both.
func (s *stage) inTurns(callers, lives, turns int, one, other func(n int) (time.Duration, error)) (a, b round) {
	s.b.Helper()
	first, second := func() { a.add(s.round(callers, lives/turns, one)) }, func() { b.add(s.round(callers, lives/turns, other)) }
	for range turns {
		first()
		second()
		first, second = second, first
	}
	return a, b
}

// BenchmarkLifeByDoor is BenchmarkLife with each webhook signed and posted to the door: its figures
// include the sender's signing and our HTTP endpoint.
func BenchmarkLifeByDoor(b *testing.B) {
	s := newStage(b, everythingOn)
	s.startWorker()
	ours := func(n int) (time.Duration, error) { return s.life(n, s.postAll) }
	s.round(8, 50, ours)
	for b.Loop() {
		s.round(8, 240, ours).addTo(&s.figures, "life")
	}
	s.figures.report(b)
}

// round holds the times of a number of lives, run by a number of callers.
type round struct {
	took   time.Duration
	cpu    cpu
	starts []time.Duration
	wholes []time.Duration
}

// rate is in lives per second.
func (r round) rate() float64 { return float64(len(r.wholes)) / r.took.Seconds() }

// add appends the times of another round.
func (r *round) add(next round) {
	r.took += next.took
	r.cpu = r.cpu.and(next.cpu)
	r.starts, r.wholes = append(r.starts, next.starts...), append(r.wholes, next.wholes...)
}

func (s *stage) round(callers, lives int, live func(n int) (time.Duration, error)) round {
	s.b.Helper()
	r := round{starts: make([]time.Duration, lives), wholes: make([]time.Duration, lives)}
	pid := serverPID(s.environ["TEMPORAL_ADDRESS"])
	before, began := cpuNow(pid), time.Now()
	var g errgroup.Group
	g.SetLimit(callers)
	for n := range lives {
		g.Go(func() (err error) {
			began := time.Now()
			r.starts[n], err = live(n)
			r.wholes[n] = time.Since(began)
			return err
		})
	}
	require.NoError(s.b, g.Wait())
	r.took, r.cpu = time.Since(began), cpuNow(pid).since(before)
	return r
}

func (r round) addTo(f *figures, name string) {
	lives := float64(len(r.wholes))
	f.add(name+"-rate/s", r.rate())
	f.addTimes(name+"-start", r.starts)
	f.addTimes(name+"-whole", r.wholes)
	f.add(name+"-cpu-ms", milliseconds(r.cpu.own)/lives)
	if r.cpu.server > 0 {
		f.add(name+"-server-cpu-ms", milliseconds(r.cpu.server)/lives)
	}
}

// life runs one egress from start to verdict: everything is as shipped, except LiveKit's own
// webhooks, which tell sends.
func (s *stage) life(n int, tell func(recordings.Started) error) (start time.Duration, err error) {
	began := time.Now()
	r, err := s.start("", n)
	if err != nil {
		return 0, err
	}
	start = time.Since(began)
	if err := tell(r); err != nil {
		return 0, err
	}
	v, err := s.client.Wait(s.ctx, workflowOf(r))
	if err == nil && v.EndedBy != egress.FromWebhook {
		err = fmt.Errorf("ended by %s: %s", v.EndedBy, v.Because)
	}
	return start, err
}

// signalAll sends the webhooks as the signals that the door makes from them.
func (s *stage) signalAll(r recordings.Started) error {
	for _, w := range news {
		e, err := egress.ParseEvent(webhookBody(s.b, r, w.event, w.status))
		if err != nil {
			return err
		}
		if err := s.client.Signal(s.ctx, workflowOf(r), egress.SignalObserved, e.Proto().GetId(), e); err != nil {
			return err
		}
	}
	return nil
}

// postAll posts the webhooks as LiveKit does.
func (s *stage) postAll(r recordings.Started) error {
	for _, w := range news {
		if err := s.post(s.signed(s.path(r.RequestID), webhookBody(s.b, r, w.event, w.status))); err != nil {
			return err
		}
	}
	return nil
}
