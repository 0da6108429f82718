package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// Every worker is late: by the time a start could reach LiveKit, its moment has passed.
//
//nolint:paralleltest // takes the cores for itself: Temporal has a second to accept each start
func TestAStartThatIsAcceptedInTimeAndComesTooLateIsRecordedOnce(t *testing.T) {
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_FAIL_OPEN_AFTER"] = "1ms"
	})
	w.startWorker()
	for n, key := range []string{"", "one-key"} { // the second joins the first
		room := fmt.Sprintf("room-%d", n)
		w.room(room, fakelivekit.RoomScript{})
		var all errgroup.Group
		ids := make([]string, max(1, 6*n))
		for i := range ids {
			all.Go(func() error {
				info, err := w.ask(w.ctx(), room, key)
				ids[i] = info.GetEgressId()
				return err
			})
		}
		require.NoError(t, all.Wait())
		require.Equal(t, slices.Repeat(ids[:1], len(ids)), ids)
		require.Len(t, w.fake.Egresses(), n+1)
		id := w.requestOf(ids[0])
		w.answered("it is stopped", func() error {
			_, err := w.agent().StopEgress(w.ctx(), &livekit.StopEgressRequest{EgressId: ids[0]})
			return err
		})
		verdict, err := w.client.Wait(w.ctx(), id)
		require.NoError(t, err)
		require.Equal(t, egress.StopRequested, verdict.Stopped, "the stop went through the workflow")
		require.Len(t, w.consumer.told(ids[0]), 1)
	}
	require.Equal(t, 2, strings.Count(w.log.String(), "outcome=failed_open"))
	require.Equal(t, 2, strings.Count(w.log.String(), "error=\"not started before"), "both were handed back")
}

// The door has another secret than the workers, which cannot open what it seals.
func TestAStartThatNoWorkerCanOpenIsRecordedAndToldAllTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_SEAL_KEY"] = "the door's secret of 32 letters or more"
	})
	w.environ["REELKEEPER_SEAL_KEY"] = "the workers' secret of 32 letters or more"
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})

	info, err := w.ask(w.ctx(), "room", "one-key")

	require.NoError(t, err)
	w.want("it records", func() bool {
		v, err := w.client.State(w.ctx(), "one-key")
		return err == nil && v.Status == "EGRESS_ACTIVE"
	})
	_, err = w.agent().StopEgress(w.ctx(), &livekit.StopEgressRequest{EgressId: info.GetEgressId()})
	require.NoError(t, err)
	v, err := w.client.Wait(w.ctx(), "one-key")
	require.NoError(t, err)
	require.Equal(t, info.GetEgressId(), v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Len(t, w.fake.Egresses(), 1)
	require.Len(t, w.consumer.told(info.GetEgressId()), 1)
}
