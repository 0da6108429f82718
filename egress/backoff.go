package egress

import "time"

// The waits between attempts at a consumer.
const (
	firstRetry = time.Second
	// lastRetry is short enough that a consumer which is back after a day is told within
	// minutes, and long enough that a thousand ends in wait for it cost 3 requests a second.
	lastRetry = 5 * time.Minute
	// longestAsked bounds what a consumer may ask for. A wrong figure, such as
	// milliseconds or a date of another clock, must not use up the days of an announcement.
	longestAsked = 15 * time.Minute
	// lastHeldBack is the longest wait for a place at a consumer that answers.
	lastHeldBack = 30 * time.Second
)

// RetryConsumer is the wait before the next attempt at a consumer, when that many have
// failed: 1 s, doubled each time up to 5 min, give or take 20 %. asked is what the
// consumer itself asked for, zero where it did not; up to 15 min of it the wait is no
// shorter, and at most 20 % longer. spread is a number in [0,1) that differs between
// attempts, so that those which failed together do not come again together.
func RetryConsumer(failed int, asked time.Duration, spread float64) time.Duration {
	return max(
		times(Doubled(firstRetry, failed, lastRetry), 0.8+0.4*spread),
		times(min(asked, longestAsked), 1+0.2*spread),
	)
}

// RetryHeldBack is the wait of an attempt that found no place at a consumer who answers,
// for that many times: half to one and a half of 1 s, doubled each time up to 30 s.
func RetryHeldBack(held int, spread float64) time.Duration {
	return times(Doubled(firstRetry, held, lastHeldBack), 0.5+spread)
}

// Doubled is first for n of 1 or less, and doubled for each one more, up to most: at most 1,024
// times first, so that nothing is shifted away.
func Doubled(first time.Duration, n int, most time.Duration) time.Duration {
	return min(first<<min(max(n-1, 0), 10), most)
}

func times(d time.Duration, factor float64) time.Duration {
	return time.Duration(float64(d) * factor)
}
