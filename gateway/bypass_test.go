package gateway

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatIsNoLongerRememberedIsSweptOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b bypass
		for _, step := range []struct {
			wait time.Duration
			key  string
			kept []string
		}{
			{0, "a", []string{"a"}},
			{30 * time.Second, "b", []string{"a", "b"}},
			{remembered - 30*time.Second, "c", []string{"b", "c"}},
			{sweepEvery - 1, "d", []string{"b", "c", "d"}},
			{1, "e", []string{"c", "d", "e"}},
		} {
			<-time.After(step.wait) // on the bubble's own clock
			b.noteDoubt(step.key)
			require.Equal(t, step.kept, slices.Sorted(maps.Keys(b.keys)))
		}
		require.False(t, b.of("b").known())
	})
}
