package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// crowd is a consumer that counts its concurrent requests.
type crowd struct {
	*httptest.Server
	takes func(context.Context) // how it handles a request

	mu         sync.Mutex
	here, most int
	ids        map[string]bool // request IDs of the ends that it took
}

func newCrowd(t *testing.T, takes func(context.Context)) *crowd {
	t.Helper()
	c := &crowd{takes: takes, ids: map[string]bool{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// ServeHTTP takes one announcement.
func (c *crowd) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // its content does not matter
	c.mu.Lock()
	c.here++
	c.most = max(c.most, c.here)
	c.mu.Unlock()
	c.takes(r.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.here--
	if id := r.Header.Get(egress.HeaderRequestID); id != "" && r.Context().Err() == nil { // intermediate events have none
		c.ids[id] = true
	}
}

func (c *crowd) took() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ids)
}

// hooked starts n recordings that name a webhook, and ends all of them at once.
func (w *world) hooked(n int, url string) {
	w.t.Helper()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range n {
		room := fmt.Sprintf("room-%d", i)
		w.room(room, fakelivekit.RoomScript{})
		g.Go(func() error {
			r := &livekit.RoomCompositeEgressRequest{
				RoomName: room, FileOutputs: []*livekit.EncodedFileOutput{{Filepath: room + ".mp4"}},
				Webhooks: []*livekit.WebhookConfig{{Url: url, SigningKey: apiKey}},
			}
			_, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-" + room, Request: r})
			return err
		})
	}
	require.NoError(w.t, g.Wait())
	w.want("all record", func() bool {
		for _, r := range w.fake.Egresses() {
			if r.Info.GetStatus() != livekit.EgressStatus_EGRESS_ACTIVE {
				return false
			}
		}
		return true
	})
	for i := range n {
		require.NoError(w.t, w.fake.EndCall(fmt.Sprintf("room-%d", i)))
	}
}

// A burst of ends waits in line for a slow consumer, eight at a time, and all of them arrive.
//
//nolint:paralleltest // takes the cores for itself: others would wait too long
func TestAHundredEndsInOneSecondReachAConsumerThatTakesFiftyMillisecondsForEach(t *testing.T) {
	const ends = 100
	slow := newCrowd(t, func(context.Context) { <-time.After(50 * time.Millisecond) })
	w := newWorld(t, func(fake *fakelivekit.Config, _ map[string]string) { // polls cost the server less than 400 webhooks at once
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1}
	})
	w.startWorker()
	w.hooked(ends, slow.URL+"/hook")

	for i := range ends {
		v := w.verdict(fmt.Sprintf("room-%d", i))
		require.ElementsMatch(t, []string{"announce", "webhook-1"}, v.Delivered)
		require.Len(t, w.consumer.under(v.EgressID), 1)
	}
	require.Equal(t, ends, slow.took())
	require.LessOrEqual(t, slow.most, 8)
}

func TestAConsumerThatHangsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	const ends = 30
	hang := make(chan struct{})
	release := sync.OnceFunc(func() { close(hang) })
	hangs := newCrowd(t, func(ctx context.Context) {
		select {
		case <-hang:
		case <-ctx.Done(): // the worker has given up
		}
	})
	t.Cleanup(release) // before the server closes
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_CONSUMER_CONCURRENCY"] = "4"
	})
	w.startWorker()
	w.hooked(ends, hangs.URL+"/hook")

	w.want("the other consumer is told of all", func() bool { return len(w.consumer.knows()) == ends })
	require.Zero(t, hangs.took(), "while this one still hangs")
	release()
	for i := range ends {
		w.verdict(fmt.Sprintf("room-%d", i))
	}
	require.Equal(t, ends, hangs.took())
}

// While an announcement waits for its next attempt, it is held by Temporal, and by no worker.
func TestAConsumerThatIsDownHoldsNoWorkerSlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.consumer.answerWith(func(*livekit.WebhookEvent) int { return http.StatusServiceUnavailable })
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{Call: time.Second})
	id := w.start("room").Info.Proto().GetEgressId()
	w.want("the third attempt has failed", func() bool { return len(w.consumer.told(id)) >= 3 })
	var waits *workflowpb.PendingActivityInfo
	w.want("it waits", func() bool {
		d, err := w.temporal().DescribeWorkflowExecution(w.ctx(), egress.WorkflowID("r-room"), "")
		if err == nil && len(d.GetPendingActivities()) == 1 {
			waits = d.GetPendingActivities()[0]
		}
		return waits.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED
	})
	require.Equal(t, "Announce", waits.GetActivityType().GetName())
	require.True(t, waits.GetNextAttemptScheduleTime().AsTime().After(waits.GetLastAttemptCompleteTime().AsTime()))
	w.consumer.answerWith(nil)
	require.Equal(t, []string{egress.StepAnnounce}, w.verdict("room").Delivered)
}
