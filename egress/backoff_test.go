package egress_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAConsumerThatFailsIsAskedMoreAndMoreSeldom(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, tc := range map[string]struct {
		failed int
		asked  time.Duration
		spread float64
		want   time.Duration
	}{
		"the first":               {1, 0, 0.5, time.Second},
		"the first, soonest":      {1, 0, 0, 800 * ms},
		"the first, latest":       {1, 0, 1, 1200 * ms},
		"the second":              {2, 0, 0.5, 2 * time.Second},
		"the third, soonest":      {3, 0, 0, 3200 * ms},
		"the ninth":               {9, 0, 0.5, 256 * time.Second},
		"the tenth":               {10, 0, 0.5, 5 * minute},
		"the tenth, latest":       {10, 0, 1, 6 * minute},
		"after days":              {1 << 30, 0, 0.5, 5 * minute},
		"none is as the first":    {0, 0, 0.5, time.Second},
		"it asks for longer":      {1, minute, 0, minute},
		"it asks for it, latest":  {1, minute, 1, 72 * time.Second},
		"it asks for less":        {10, time.Second, 0.5, 5 * minute},
		"it asks for an age":      {1, 1 << 62, 0, 15 * minute},
		"it asks for what is not": {1, -time.Hour, 0.5, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, egress.RetryConsumer(tc.failed, tc.asked, tc.spread).Round(ms))
		})
	}
}

func TestWhoFindsNoPlaceComesAgainSoon(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		held   int
		spread float64
		want   time.Duration
	}{
		"the first, soonest": {1, 0, 500 * time.Millisecond},
		"the first, latest":  {1, 1, 1500 * time.Millisecond},
		"the second":         {2, 0.5, 2 * time.Second},
		"the fifth":          {5, 0.5, 16 * time.Second},
		"the seventh":        {7, 0.5, 64 * time.Second},
		"the eighth":         {8, 0.5, 2 * minute},
		"the thousandth":     {1000, 0.5, 2 * minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, egress.RetryHeldBack(tc.held, tc.spread))
		})
	}
}

func TestMediaIsLookedForMoreSeldomOnceNobodyWaits(t *testing.T) {
	t.Parallel()
	require.Equal(t, 500*time.Millisecond, egress.RetryLook(1, false, 0))
	require.Equal(t, 3*time.Second, egress.RetryLook(3, false, 0.5))
	require.Equal(t, 15*time.Second, egress.RetryLook(100, false, 1))
	require.Equal(t, time.Second, egress.RetryLook(1, true, 0.5))
	require.Equal(t, 5*minute, egress.RetryLook(100, true, 0.5))
}

// A hundred attempts that failed within one second are not retried within one second.
func TestThoseWhoFailedTogetherComeAgainApart(t *testing.T) {
	t.Parallel()
	perSecond := map[time.Duration]int{}
	for n := range 100 {
		spread := egress.Spread(fmt.Sprintf("9f1c7a52-5b0e-4bd8-a0d4-%012x/10/23/Announce", n))
		perSecond[egress.RetryConsumer(10, 0, spread).Truncate(10*time.Second)]++
	}
	require.GreaterOrEqual(t, len(perSecond), 10, "of the twelve that there are")
	for at, n := range perSecond {
		require.Less(t, n, 25, at)
	}
}
