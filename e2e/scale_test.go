package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// Two hundred concurrent recordings are settled only by our own polls.
//
//nolint:paralleltest // takes the cores for itself: others would wait too long
func TestTwoHundredAtOnceWithEveryWebhookLost(t *testing.T) {
	const egresses = 200
	w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1, fakelivekit.RoomWebhookLost: 1}
	})
	w.startWorker()
	verdicts := make([]egress.Verdict, egresses)
	var g errgroup.Group
	for n := range egresses {
		room := fmt.Sprintf("room-%d", n)
		w.room(room, fakelivekit.RoomScript{})
		g.Go(func() (err error) {
			if _, err = w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-" + room, Request: composite(room)}); err != nil {
				return err
			}
			if err := w.fake.EndCall(room); err != nil {
				return err
			}
			verdicts[n], err = w.client.Wait(w.ctx(), "r-"+room)
			return err
		})
	}
	require.NoError(t, g.Wait())

	for _, v := range verdicts {
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		require.Equal(t, egress.FromPoll, v.EndedBy)
		require.NotEmpty(t, v.Missed)
		require.Len(t, w.consumer.under(v.EgressID), 1)
	}
	require.Len(t, w.fake.Egresses(), egresses)
	require.Zero(t, w.twins())
}
