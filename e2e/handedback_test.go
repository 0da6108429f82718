package e2e

import (
	"fmt"
	"regexp"
	"slices"
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
	rounds := 0
	// passed counts the requests that went past Temporal, of which callers may tell different reasons.
	passed := func(why string) int {
		requests := map[string]bool{}
		for _, m := range regexp.MustCompile(`outcome=failed_open requestID=(\S+) .*error="?`+why).FindAllStringSubmatch(w.log.String(), -1) {
			requests[m[1]] = true
		}
		return len(requests)
	}
	handedBack := func() int { return passed("not started before") }
	// start asks for a recording of a new room so many times at once, with a key of theirs unless it is one.
	start := func(callers int) string {
		rounds++
		room, key := fmt.Sprintf("room-%d", rounds), ""
		if callers > 1 {
			key = fmt.Sprintf("key-%d", rounds)
		}
		w.room(room, fakelivekit.RoomScript{})
		var all errgroup.Group
		ids := make([]string, callers)
		for i := range ids {
			all.Go(func() error {
				info, err := w.ask(w.ctx(), room, key)
				ids[i] = info.GetEgressId()
				return err
			})
		}
		require.NoError(t, all.Wait())
		require.Equal(t, slices.Repeat(ids[:1], len(ids)), ids, "each joins the first")
		require.Len(t, w.fake.Egresses(), rounds)
		return ids[0]
	}
	for n, callers := range []int{1, 6} {
		egressID := start(callers)
		for handedBack() == n { // Temporal took over a second to accept it
			require.Less(t, rounds, 10)
			egressID = start(callers)
		}
		id := w.requestOf(egressID)
		w.answered("it is stopped", func() error {
			_, err := w.agent().StopEgress(w.ctx(), &livekit.StopEgressRequest{EgressId: egressID})
			return err
		})
		verdict, err := w.client.Wait(w.ctx(), id)
		require.NoError(t, err)
		require.Equal(t, egress.StopRequested, verdict.Stopped, "the stop went through the workflow")
		require.Len(t, w.consumer.told(egressID), 1)
	}
	require.Equal(t, rounds, passed(""))
	require.Equal(t, 2, handedBack(), "both were handed back")
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
