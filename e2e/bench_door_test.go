package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// BenchmarkDoor compares LiveKit's own client at the front door with the same client directly at
// the same LiveKit: alternating starts, starts at full speed with 16 callers, and a call of
// RoomService, which the door proxies.
func BenchmarkDoor(b *testing.B) {
	for _, bb := range []struct {
		name   string
		starts int
		slow   bool
	}{{"livekit=0s", 200, false}, {"livekit=0.55s", 10, true}} {
		b.Run(bb.name, func(b *testing.B) {
			s := newStage(b, func(fake *fakelivekit.Config, environ map[string]string) {
				everythingOn(fake, environ)
				if d := fakelivekit.DefaultTimings(); bb.slow {
					fake.Timings.StartClaim, fake.Timings.StartReply = d.StartClaim, d.StartReply
				}
			})
			s.startWorker()
			direct, door := lksdk.NewEgressClient(s.fake.URL(), apiKey, apiSecret), lksdk.NewEgressClient(s.door.URL, apiKey, apiSecret)
			s.inTurn(20, startOf(s, direct, "warm-direct"), startOf(s, door, "warm-door"))
			for n := 0; b.Loop(); n++ {
				theirs, ours := s.inTurn(bb.starts, startOf(s, direct, fmt.Sprint("direct-", n)), startOf(s, door, fmt.Sprint("door-", n)))
				s.figures.addTimes("direct", theirs)
				s.figures.addTimes("door", ours)
				s.figures.add("over-direct-p50-ms", milliseconds(quantile(ours, 0.5)-quantile(theirs, 0.5)))
				s.figures.add("direct-starts/s", s.rate(16, bb.starts, startOf(s, direct, fmt.Sprint("fast-direct-", n))))
				s.figures.add("door-starts/s", s.rate(16, bb.starts, startOf(s, door, fmt.Sprint("fast-door-", n))))
			}
			s.figures.report(b)
		})
	}
	b.Run("proxied", func(b *testing.B) {
		s := newStage(b, everythingOn)
		rooms := func(url string) func(int) error {
			c := lksdk.NewRoomServiceClient(url, apiKey, apiSecret)
			return func(int) error {
				_, err := c.ListRooms(s.ctx, &livekit.ListRoomsRequest{})
				return err
			}
		}
		direct, door := rooms(s.fake.URL()), rooms(s.door.URL)
		s.inTurn(50, direct, door)
		for b.Loop() {
			theirs, ours := s.inTurn(1000, direct, door)
			s.figures.addTimes("direct", theirs)
			s.figures.addTimes("door", ours)
			s.figures.add("direct-calls/s", s.rate(16, 2000, direct))
			s.figures.add("door-calls/s", s.rate(16, 2000, door))
		}
		s.figures.report(b)
	})
}

// startOf returns a start of a room composite egress, each in a room of its own.
func startOf(s *stage, c *lksdk.EgressClient, prefix string) func(int) error {
	return func(n int) error {
		_, err := c.StartRoomCompositeEgress(s.ctx, composite(fmt.Sprint(prefix, "-", n)).(*livekit.RoomCompositeEgressRequest))
		return err
	}
}

// inTurn times the two calls alternately.
func (s *stage) inTurn(n int, one, other func(int) error) (first, second []time.Duration) {
	for i := range n {
		for _, call := range []struct {
			times *[]time.Duration
			do    func(int) error
		}{{&first, one}, {&second, other}} {
			began := time.Now()
			require.NoError(s.b, call.do(i))
			*call.times = append(*call.times, time.Since(began))
		}
	}
	return first, second
}

// rate returns how many calls per second a number of callers get answered.
func (s *stage) rate(callers, calls int, do func(int) error) float64 {
	var g errgroup.Group
	g.SetLimit(callers)
	began := time.Now()
	for n := range calls {
		g.Go(func() error { return do(n) })
	}
	require.NoError(s.b, g.Wait())
	return float64(calls) / time.Since(began).Seconds()
}
