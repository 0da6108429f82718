package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// BenchmarkAnnounce measures how many announcements a worker delivers per second, to a consumer
// that answers each at once: Temporal hands out the activity, the worker signs and posts it, and
// Temporal gets its result.
func BenchmarkAnnounce(b *testing.B) {
	const senders, each, total = 16, 25, 2000
	s := newStage(b, nil)
	s.startWorker()
	c := s.temporal()
	w := worker.New(c, "announcer", worker.Options{DisableRegistrationAliasing: true})
	w.RegisterWorkflowWithOptions(announceMany, workflow.RegisterOptions{Name: "announceMany"})
	require.NoError(b, w.Start())
	b.Cleanup(w.Stop)
	deliver := func(n int) {
		var g errgroup.Group
		g.SetLimit(senders)
		for range n / each {
			g.Go(func() error {
				run, err := c.ExecuteWorkflow(s.ctx, client.StartWorkflowOptions{TaskQueue: "announcer"}, "announceMany", each)
				if err != nil {
					return err
				}
				return run.Get(s.ctx, nil)
			})
		}
		require.NoError(b, g.Wait())
	}
	deliver(senders * each)
	for b.Loop() {
		before, began := cpuNow(serverPID(server.Address)), time.Now()
		deliver(total)
		s.figures.add("deliveries/s", total/time.Since(began).Seconds())
		used := cpuNow(serverPID(server.Address)).since(before)
		s.figures.add("cpu-ms", milliseconds(used.own/total))
		s.figures.add("server-cpu-ms", milliseconds(used.server/total))
	}
	s.figures.report(b)
}

// announceMany makes the shipped worker announce an end n times at once.
func announceMany(ctx workflow.Context, n int) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: egress.TaskQueue, StartToCloseTimeout: time.Minute})
	event := map[string]any{
		"event": egress.EventEnded, "id": "EV_bench", "createdAt": "1795435200",
		"egressInfo": map[string]any{"egressId": "EG_bench", "roomName": "bench", "status": "EGRESS_COMPLETE", "endedAt": "1795435200000000000"},
	}
	var all []workflow.Future
	for range n {
		all = append(all, workflow.ExecuteActivity(ctx, "Announce", map[string]any{"event": event, "headers": map[string]string{egress.HeaderVerdict: "EGRESS_COMPLETE"}}))
	}
	for _, f := range all {
		if err := f.Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkTold measures the time from the end of an egress, by LiveKit's clock, to its consumer's
// 200: when LiveKit's webhook arrives, and when it is lost. The waits for news are scaled by
// lagScale, and multiplied by it in the result; the delivery itself is not scaled.
func BenchmarkTold(b *testing.B) {
	const lives = 100
	for name, tc := range map[string]struct {
		lost, roomLost, scale float64
	}{
		"webhook comes":                {0, 0, 1},
		"lost, room's webhooks come":   {1, 0, lagScale},
		"lost, and the room's as well": {1, 1, lagScale},
	} {
		b.Run(name, func(b *testing.B) {
			taker := &taker{scale: tc.scale}
			consumer := httptest.NewServer(taker)
			b.Cleanup(consumer.Close)
			s := newStage(b, func(fake *fakelivekit.Config, environ map[string]string) {
				fake.WebhookURLs = []string{environ["REELKEEPER_PUBLIC_URL"] + egress.WebhookPath}
				fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: tc.lost, fakelivekit.RoomWebhookLost: tc.roomLost}
				environ["REELKEEPER_ANNOUNCE_URL"] = consumer.URL
				environ["REELKEEPER_LOOK_STARTING"], environ["REELKEEPER_LOOK_ACTIVE"] = "1500ms,3s,6s", "30s"
				environ["REELKEEPER_LOOK_ENDING"] = "2s,4s,6s"
				environ["REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE"] = "600000"
			})
			s.startWorker()
			for b.Loop() {
				taker.reset()
				var g errgroup.Group
				for n := range lives {
					g.Go(func() error {
						_, err := s.lag(b.Name()+strconv.Itoa(b.N)+"-"+strconv.Itoa(n), time.Duration(n)*300*time.Millisecond)
						return err
					})
				}
				require.NoError(b, g.Wait())
				require.Len(b, taker.ages, lives)
				s.figures.addTimes("told", taker.ages)
				s.figures.addTimes("delivery", taker.deliveries)
			}
			s.figures.report(b)
		})
	}
}

// taker is a consumer that records how old the ends are when it takes them.
type taker struct {
	scale float64

	mu         sync.Mutex
	ages       []time.Duration // from the end until now
	deliveries []time.Duration // from when we heard of it until now
}

// ServeHTTP takes one announcement.
func (k *taker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e struct{ EgressInfo json.RawMessage }
	var info egress.Info
	err := json.NewDecoder(r.Body).Decode(&e)
	if err == nil {
		err = json.Unmarshal(e.EgressInfo, &info)
	}
	seconds, bad := strconv.ParseFloat(r.Header.Get(egress.HeaderLag), 64)
	if err != nil || bad != nil || info.Proto().GetStatus() != livekit.EgressStatus_EGRESS_COMPLETE {
		http.Error(w, fmt.Sprint(err, bad), http.StatusBadRequest) // so that the round never ends
		return
	}
	delivery := max(0, time.Since(info.EndTime())-inTime(seconds))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ages, k.deliveries = append(k.ages, inTime(seconds*k.scale)+delivery), append(k.deliveries, delivery)
}

func inTime(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func (k *taker) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ages, k.deliveries = nil, nil
}
