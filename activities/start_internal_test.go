package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
)

func TestAStartThatIsSentLongAfterItWasDueMayHaveBeenSentBefore(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	for after, want := range map[time.Duration]bool{0: false, 2 * time.Second: false, 2*time.Second + 1: true, time.Hour: true} {
		require.Equal(t, want, sentLate(activity.Info{ScheduledTime: due, StartedTime: due.Add(after)}), after)
	}
}
