package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// shortHistories is a world on a Temporal server that suggests continue-as-new after a few events
// instead of thousands. Its webhook endpoint reports at the given interval; zero: as it ships.
func shortHistories(t *testing.T, hurry time.Duration) *world {
	t.Helper()
	s, err := devtemporal.Start(within(t), devtemporal.Options{
		Headless: true, SearchAttributes: egress.Attributes(),
		Args: []string{"--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=25"},
	})
	require.NoError(t, err)
	t.Cleanup(s.Kill)
	w := newWorldInAHurry(t, hurry, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookRepeated: 1}
		environ["TEMPORAL_ADDRESS"], environ["TEMPORAL_NAMESPACE"] = s.Address, "default"
	})
	w.startWorker()
	return w
}

func TestALongLifeGoesOnAsANewRun(t *testing.T) {
	t.Parallel()
	w := shortHistories(t, 0)
	w.room("room", fakelivekit.RoomScript{Call: 3 * time.Second})
	id := w.start("room").Info.Proto().GetEgressId()

	v := w.verdict("room")

	require.Equal(t, id, v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Len(t, w.consumer.told(id), 1)
	last := w.history("r-room")
	for _, e := range last {
		require.NotEqual(t, "Start", e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName(), "the next run does not start again")
	}
	require.NotEmpty(t, last[0].GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId(), "there was an earlier run")
	require.Equal(t, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, last[len(last)-1].GetEventType())
}
