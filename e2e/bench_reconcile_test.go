package e2e

import (
	"strconv"
	"testing"
	"time"

	"github.com/lithammer/shortuuid/v4"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// BenchmarkReconcile measures rounds over many egresses that were all started without us: the first
// round adopts them, and the later ones find nothing to do.
func BenchmarkReconcile(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run("egresses="+strconv.Itoa(n), func(b *testing.B) {
			s := newStage(b, func(_ *fakelivekit.Config, environ map[string]string) {
				environ["REELKEEPER_RECONCILE_EVERY"], environ["REELKEEPER_RECONCILE_GRACE"] = "24h", "1ms"
				environ["REELKEEPER_LOOK_ACTIVE"], environ["REELKEEPER_LOOK_STARTING"] = "1h", "1h"
			})
			s.startPast(n)
			s.startWorker()
			c := s.temporal()
			first, took := s.reconcile(c, egress.Reconciliation{})
			require.Equal(b, n, first.Adopted, "%+v", first)
			s.figures.add("adopt-s", took.Seconds())
			require.Eventually(b, func() bool {
				ours, err := s.client.Running(s.ctx)
				return err == nil && len(ours) == n
			}, limit, 100*time.Millisecond)
			for b.Loop() {
				for name, in := range map[string]egress.Reconciliation{"round-ms": {}, "deep-round-ms": {Deep: true}} {
					r, took := s.reconcile(c, in)
					require.Equal(b, n, r.Active)
					require.Zero(b, r.Adopted+r.Nudged+r.Failed, "%+v", r)
					s.figures.add(name, milliseconds(took))
					s.figures.add("livekit-calls", float64(r.Calls))
				}
			}
			s.figures.report(b)
		})
	}
}

// startPast starts egresses directly at LiveKit, each in a room of its own.
func (s *stage) startPast(n int) {
	s.b.Helper()
	lk := lksdk.NewEgressClient(s.fake.URL(), apiKey, apiSecret)
	var g errgroup.Group
	g.SetLimit(32)
	for i := range n {
		g.Go(func() error {
			_, err := lk.StartRoomCompositeEgress(s.ctx, composite("room-"+strconv.Itoa(i)).(*livekit.RoomCompositeEgressRequest))
			return err
		})
	}
	require.NoError(s.b, g.Wait())
}

// reconcile runs one round, and returns how long it took from its start to its result.
func (s *stage) reconcile(c client.Client, in egress.Reconciliation) (egress.Round, time.Duration) {
	s.b.Helper()
	began := time.Now()
	run, err := c.ExecuteWorkflow(s.ctx, client.StartWorkflowOptions{ID: "round-" + shortuuid.New(), TaskQueue: egress.TaskQueue}, egress.ReconcileType, in)
	require.NoError(s.b, err)
	var r egress.Round
	require.NoError(s.b, run.Get(s.ctx, &r))
	return r, time.Since(began)
}
