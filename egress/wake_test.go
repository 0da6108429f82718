package egress_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// A workflow that woke for nothing would sleep for no time, wake again, and so on forever.
func TestWhoeverWakesHasSomethingToDo(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var now time.Time
	at := func() time.Time {
		if r.IntN(3) == 0 {
			return time.Time{}
		}
		then := noon.Add(time.Duration(r.IntN(9))*minute/4 + time.Duration(r.IntN(3)-1)*time.Duration(r.IntN(2000))*time.Millisecond)
		if then.After(now) {
			now = then
		}
		return then
	}
	begun := watched(t)
	for range 50_000 {
		s := *begun
		now = noon
		s.NewsAt, s.LookedAt, s.EndExpected, s.SuspectedAt, s.BoundAt = noon, at(), at(), at(), noon
		if r.IntN(2) == 0 {
			s.AnsweredAt = s.LookedAt
		}
		s.Evidence = egress.Evidence{MissingSince: at(), RoomGone: at(), RecorderGone: at(), Absent: at(), Probed: at(), Asked: at(), Unanswered: at()}
		s.MaxDuration = egress.Duration(r.IntN(3)) * egress.Duration(minute)
		if r.IntN(2) == 0 {
			s.Stopped, s.StoppedAt = egress.StopRequested, noon
		}
		if r.IntN(2) == 0 {
			s.Stuck = "x"
		}
		wake := s.NextLook()
		if alarm := s.Alarm(); !alarm.IsZero() && alarm.Before(wake) {
			wake = alarm
		}
		if wake.Before(now) { // all of the above has happened
			wake = now
		}
		require.NotEqual(t, egress.ActNothing, s.Due(wake), "%+v", s)
	}
}
