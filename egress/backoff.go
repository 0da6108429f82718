package egress

import "time"

// The waits between attempts at a consumer, and between looks at a store.
const (
	firstRetry = time.Second
	// lastRetry is short enough that a consumer that is back after a day is told within minutes,
	// and long enough that a thousand waiting ends cost it 3 requests a second.
	lastRetry = 5 * time.Minute
	// longestAsked bounds what a consumer may ask for. A wrong figure, such as milliseconds or a
	// date by another clock, must not use up the days of an announcement.
	longestAsked = 15 * time.Minute
	// lastHeldBack is the longest wait for a free slot at a consumer that answers. Ten thousand
	// ends that wait for one that is slow cost Temporal 80 attempts a second.
	lastHeldBack = 2 * time.Minute
	// lastLook is the longest wait for media while an announcement waits for it.
	lastLook = 15 * time.Second
)

// RetryConsumer returns the wait before the next attempt at a consumer after that many failed
// ones: 1 s, doubled each time up to 5 min, ±20 %. asked is the wait that the consumer itself
// asked for, or zero: the result is at least that, capped at 15 min, plus up to a fifth. spread is
// a number in [0,1) that differs between attempts, so that those that failed together are not
// retried together.
func RetryConsumer(failed int, asked time.Duration, spread float64) time.Duration {
	return max(
		times(Doubled(firstRetry, failed, lastRetry), 0.8+0.4*spread),
		times(min(asked, longestAsked), 1+0.2*spread),
	)
}

// RetryHeldBack returns the wait of an attempt that has found no free slot that many times at a
// consumer that answers: 1 s, doubled each time up to 2 min, ±50 %.
func RetryHeldBack(held int, spread float64) time.Duration {
	return times(Doubled(firstRetry, held, lastHeldBack), 0.5+spread)
}

// RetryLook returns the wait before media is looked for once more after that many looks: 1 s,
// doubled each time up to 15 s, less up to half. Behind an announcement, when nobody waits for it any more,
// it is up to 5 min, ±20 %: a store may be down for days.
func RetryLook(looks int, behind bool, spread float64) time.Duration {
	if behind {
		return RetryConsumer(looks, 0, spread)
	}
	return times(Doubled(firstRetry, looks, lastLook), 0.5+spread/2)
}

// Doubled returns first for n ≤ 1, doubled for each further n, up to most, and never more than
// 1,024 times first, so that the shift cannot overflow.
func Doubled(first time.Duration, n int, most time.Duration) time.Duration {
	return min(first<<min(max(n-1, 0), 10), most)
}

func times(d time.Duration, factor float64) time.Duration {
	return time.Duration(float64(d) * factor)
}
