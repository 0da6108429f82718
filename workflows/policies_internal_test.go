package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"
)

// Without it, the next attempt begins only when the time of the first one is up: an hour, for a start.
func TestAWorkerThatDiesInALongActivityIsNoticedWithinTenSeconds(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]workflow.ActivityOptions{
		"start": startOptions, "poll": pollOptions, "verify": verifyOptions, "reconcile": reconcileOptions,
	} {
		require.Equal(t, 10*time.Second, o.HeartbeatTimeout, name)
	}
}
