package e2e

import (
	"fmt"
	"testing"
	"time"

	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// BenchmarkStart compares recordings.Start with LiveKit's own client, alternating calls on the same
// LiveKit: one that answers at once, so that all the time is ours, and one that takes the recorded
// 0.55 s.
func BenchmarkStart(b *testing.B) {
	for _, bb := range []struct {
		name  string
		pairs int
		named bool
		slow  bool
	}{
		{"livekit=0s", 300, false, false},
		{"livekit=0s/own-id", 300, true, false},
		{"livekit=0.55s", 10, false, true},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := newStage(b, func(fake *fakelivekit.Config, environ map[string]string) {
				everythingOn(fake, environ)
				if d := fakelivekit.DefaultTimings(); bb.slow {
					fake.Timings.StartClaim, fake.Timings.StartReply = d.StartClaim, d.StartReply
				}
			})
			s.startWorker()
			direct := lksdk.NewEgressClient(s.fake.URL(), apiKey, apiSecret)
			warm := 50
			if bb.slow {
				warm = 2
			}
			s.pairs(direct, "warm", warm, bb.named)
			f := &s.figures
			for n := 0; b.Loop(); n++ {
				theirs, ours := s.pairs(direct, fmt.Sprint("r", n), bb.pairs, bb.named)
				f.addTimes("direct", theirs)
				f.addTimes("ours", ours)
				a, o := quantile(theirs, 0.5), quantile(ours, 0.5)
				f.add("over-direct-p50-ms", milliseconds(o-a))
				f.add("ratio-p50", float64(o)/float64(a))
			}
			f.report(b)
		})
	}
}

// BenchmarkStartsAtOnce lets a hundred callers start at the same moment, first directly and then
// through our client and through the door, at a LiveKit that takes the recorded 0.55 s.
func BenchmarkStartsAtOnce(b *testing.B) {
	const callers = 100
	s := newStage(b, func(fake *fakelivekit.Config, environ map[string]string) {
		everythingOn(fake, environ)
		d := fakelivekit.DefaultTimings()
		fake.Timings.StartClaim, fake.Timings.StartReply = d.StartClaim, d.StartReply
	})
	s.startWorker()
	byLiveKitsClient := func(url, prefix string) func(n int) (time.Duration, error) {
		start := startOf(s, lksdk.NewEgressClient(url, apiKey, apiSecret), prefix)
		return func(n int) (time.Duration, error) {
			began := time.Now()
			err := start(n)
			return time.Since(began), err
		}
	}
	theirs, byDoor := byLiveKitsClient(s.fake.URL(), "direct"), byLiveKitsClient(s.door.URL, "door")
	ours := func(n int) (time.Duration, error) {
		began := time.Now()
		_, err := s.start("", n)
		return time.Since(began), err
	}
	s.round(callers, callers, ours)
	s.round(callers, callers, byDoor)
	for b.Loop() {
		straight, through, door := s.round(callers, callers, theirs).starts, s.round(callers, callers, ours).starts, s.round(callers, callers, byDoor).starts
		s.figures.addTimes("direct", straight)
		s.figures.addTimes("ours", through)
		s.figures.addTimes("door", door)
		s.figures.add("over-direct-p99-ms", milliseconds(quantile(through, 0.99)-quantile(straight, 0.99)))
		s.figures.add("door-over-direct-p99-ms", milliseconds(quantile(door, 0.99)-quantile(straight, 0.99)))
	}
	s.figures.report(b)
}

// pairs starts egresses alternately with LiveKit's own client and with ours.
func (s *stage) pairs(direct *lksdk.EgressClient, round string, n int, named bool) (theirs, ours []time.Duration) {
	for i := range n {
		began := time.Now()
		_, err := direct.StartRoomCompositeEgress(s.ctx, composite(fmt.Sprint("direct-", i)).(*livekit.RoomCompositeEgressRequest))
		require.NoError(s.b, err)
		theirs = append(theirs, time.Since(began))

		id := ""
		if named {
			id = fmt.Sprint("start-", round, "-", i)
		}
		began = time.Now()
		_, err = s.start(id, i)
		require.NoError(s.b, err)
		ours = append(ours, time.Since(began))
	}
	return theirs, ours
}
