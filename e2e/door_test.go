package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// agent is LiveKit's own client, pointed at the door.
func (w *world) agent() *lksdk.EgressClient { return agentAt(w.door.URL) }

func agentAt(url string) *lksdk.EgressClient { return lksdk.NewEgressClient(url, apiKey, apiSecret) }

// ask starts a recording of a room through the door, as an agent does, with an idempotency key if
// one is given.
func (w *world) ask(ctx context.Context, room, key string) (*livekit.EgressInfo, error) {
	return askAt(ctx, w.agent(), room, key)
}

func askAt(ctx context.Context, agent *lksdk.EgressClient, room, key string) (*livekit.EgressInfo, error) {
	if key != "" {
		var err error
		if ctx, err = twirp.WithHTTPRequestHeaders(ctx, http.Header{"Idempotency-Key": {key}}); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second) // LiveKit's SDKs wait for 10 s, which is close to our answer on a busy machine
	defer cancel()
	return agent.StartRoomCompositeEgress(lksdk.WithFailover(ctx, false), composite(room).(*livekit.RoomCompositeEgressRequest))
}

// requestOf returns the request ID that LiveKit holds for an egress.
func (w *world) requestOf(egressID string) string {
	w.t.Helper()
	for _, r := range w.fake.Egresses() {
		if t, ok := tokenIn(r.Info); ok && r.Info.GetEgressId() == egressID {
			return t.RequestID
		}
	}
	w.t.Fatalf("%s has no token of ours", egressID)
	return ""
}

func TestAnAgentChangesOneURLAndItsRecordingIsDurable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1, fakelivekit.RoomWebhookLost: 1}
		environ["REELKEEPER_FAIL_OPEN_AFTER"] = "off" // the test is about the way through the workflow
	})
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})

	info, err := w.ask(w.ctx(), "room", "")
	require.NoError(t, err)
	stopped, err := w.agent().StopEgress(w.ctx(), &livekit.StopEgressRequest{EgressId: info.GetEgressId()})
	require.NoError(t, err)
	require.Equal(t, info.GetEgressId(), stopped.GetEgressId())

	v, err := w.client.Wait(w.ctx(), w.requestOf(info.GetEgressId()))
	require.NoError(t, err)
	require.Equal(t, egress.StopRequested, v.Stopped, "the stop went through the workflow")
	require.Equal(t, apiKey, v.StoppedBy.APIKey)
	require.Len(t, w.consumer.told(info.GetEgressId()), 1)
}

func TestAListKnowsBetterThanLiveKitWhatIsLostOrForgotten(t *testing.T) {
	t.Parallel()
	for room, fault := range map[string]fakelivekit.Fault{"zombie": fakelivekit.Zombie, "forgotten": fakelivekit.Forgotten} {
		t.Run(room, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.startWorker()
			w.room(room, fakelivekit.RoomScript{Call: time.Second, Faults: []fakelivekit.Fault{fault}})
			id := w.start(room).Info.Proto().GetEgressId()
			require.Equal(t, egress.Lost, w.verdict(room).Status)
			for name, ask := range map[string]*livekit.ListEgressRequest{"by ID": {EgressId: id}, "by room": {RoomName: room}} {
				w.want(name, func() bool { // visibility lags behind
					list, err := w.agent().ListEgress(w.ctx(), ask)
					return err == nil && len(list.GetItems()) == 1 && list.GetItems()[0].GetStatus() == livekit.EgressStatus_EGRESS_FAILED &&
						strings.HasPrefix(list.GetItems()[0].GetError(), "lost: ")
				})
			}
			w.want("none is active", func() bool {
				active, err := w.agent().ListEgress(w.ctx(), &livekit.ListEgressRequest{Active: true})
				return err == nil && len(active.GetItems()) == 0
			})
		})
	}
}

func TestCallersWithOneKeyAtTheSameMomentGetOneEgress(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprintf("Temporal away %t", away), func(t *testing.T) {
			t.Parallel()
			g := newGate(t, server.Address)
			w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
				environ["TEMPORAL_ADDRESS"] = g.Address
				if away { // LiveKit then has more time
					environ["REELKEEPER_FAIL_OPEN_AFTER"] = "1s"
				}
			})
			w.startWorker()
			w.room("room", fakelivekit.RoomScript{})
			if away {
				g.cut()
			}
			var all errgroup.Group
			ids := make([]string, 8)
			for n := range ids {
				all.Go(func() error {
					info, err := w.ask(w.ctx(), "room", "one-key")
					ids[n] = info.GetEgressId()
					return err
				})
			}
			require.NoError(t, all.Wait())
			require.Equal(t, slices.Repeat(ids[:1], len(ids)), ids)
			require.Len(t, w.fake.Egresses(), 1)
		})
	}
}

// outage is a test's own Temporal server that can be killed, and restarted on the same store.
type outage struct {
	*gate
	t      *testing.T
	store  string
	server *devtemporal.Server
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{gate: newGate(t, ""), t: t, store: filepath.Join(t.TempDir(), "temporal.db")}
	o.start()
	t.Cleanup(func() { o.server.Kill() })
	return o
}

func (o *outage) start() {
	var err error
	o.server, err = devtemporal.Start(within(o.t), devtemporal.Options{
		Headless: true, DBFilename: o.store, Namespace: "away", SearchAttributes: egress.Attributes(),
	})
	require.NoError(o.t, err)
	o.lead(o.server.Address)
}

func (o *outage) kill() {
	o.cut()
	o.server.Kill()
}

func (o *outage) back() {
	o.start()
	o.open()
}

// Temporal is killed before, during and after starts, and restarted on the same store. Whatever
// LiveKit accepted ends with one verdict and one delivery.
func TestTemporalIsAwayWhenAgentsStart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		kill func(w *world, o *outage, start func()) // calls start, and kills before, during or after it
	}{
		{"before", func(_ *world, o *outage, start func()) { o.kill(); start() }},
		{"while LiveKit is asked", func(w *world, o *outage, start func()) {
			w.fake.HoldStarts()
			var wg sync.WaitGroup
			wg.Go(start)
			w.want("a start", func() bool { return w.fake.Calls()["StartRoomCompositeEgress"] > 0 })
			o.kill()
			w.fake.ReleaseStarts()
			wg.Wait()
		}},
		{"after", func(_ *world, o *outage, start func()) { start(); o.kill() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOutage(t)
			w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
				environ["TEMPORAL_ADDRESS"], environ["TEMPORAL_NAMESPACE"] = o.Address, "away"
			})
			w.startWorker()
			w.room("room", fakelivekit.RoomScript{})
			var info *livekit.EgressInfo
			var err error

			tt.kill(w, o, func() { info, err = w.ask(w.ctx(), "room", "key") })
			o.back()
			if err != nil { // the caller knows how to ask again
				require.ErrorContains(t, err, "Idempotency-Key: key")
				w.want("an answer", func() bool { info, err = w.ask(w.ctx(), "room", "key"); return err == nil })
			}
			require.NoError(t, w.fake.EndCall("room"))

			var v egress.Verdict
			w.want("a verdict", func() bool {
				ctx, cancel := context.WithTimeout(w.ctx(), 3*time.Second)
				defer cancel()
				v, err = w.client.Wait(ctx, "key")
				return err == nil
			})
			require.Equal(t, info.GetEgressId(), v.EgressID)
			require.Len(t, w.consumer.told(v.EgressID), 1)
			require.Len(t, w.fake.Egresses(), 1)
		})
	}
}

// Its room exists by now, and all workers are down: the earlier refusal of the key must not cost
// the recording.
func TestAKeyThatWasRefusedFailsOpenWithoutAWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	stop := w.runWorker()
	_, err := w.ask(w.ctx(), "room", "key")
	require.ErrorContains(t, err, "requested room does not exist")
	stop()
	w.room("room", fakelivekit.RoomScript{})

	var info *livekit.EgressInfo
	w.want("an answer", func() bool { info, err = w.ask(w.ctx(), "room", "key"); return err == nil })
	w.startWorker()
	require.NoError(t, w.fake.EndCall("room"))
	v := w.verdictOf("key")
	require.Equal(t, info.GetEgressId(), v.EgressID)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Len(t, w.consumer.told(v.EgressID), 1)
	require.Len(t, w.fake.Egresses(), 1)
}

// stormSeed is different for each run, unless REELKEEPER_SEED sets it.
func stormSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("REELKEEPER_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	t.Logf("seed %d (REELKEEPER_SEED)", seed)
	return seed
}

// Five hundred agents start through the door while replies are lost, LiveKit fails after it has
// accepted, calls hang, and the worker is killed: each gets exactly one recording and one verdict.
// Starts do not fail open here: what is started past Temporal is adopted by a webhook, and this
// storm loses those.
//
//nolint:paralleltest // takes the cores for itself: others would wait too long
func TestFiveHundredStartsInAStorm(t *testing.T) {
	const requests, callers, maxTries = 500, 64, 20
	seed := stormSeed(t)
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		fake.Seed = seed
		fake.Faults = map[fakelivekit.Fault]float64{
			fakelivekit.ReplyLost: 0.3, fakelivekit.Reply5xx: 0.1, fakelivekit.ReplyHang: 0.1,
		}
		environ["REELKEEPER_START_CALL_TIMEOUT"] = "1s" // the fake hangs for ever
		environ["REELKEEPER_FAIL_OPEN_AFTER"] = "off"
		environ["REELKEEPER_LOG_LEVEL"] = "error"
	})
	ctx, end := context.WithCancel(t.Context())
	defer end()
	killed := make(chan int)
	go w.killWorkers(ctx, rand.New(rand.NewPCG(seed, 2)), killed)

	ids := make([]string, requests)
	var g errgroup.Group
	g.SetLimit(callers)
	for n := range requests {
		room := fmt.Sprintf("room-%d", n)
		w.room(room, fakelivekit.RoomScript{})
		g.Go(func() error {
			for tries := 1; ; tries++ {
				info, err := w.ask(ctx, room, "r-"+room)
				var te twirp.Error
				switch {
				case err == nil:
					ids[n] = info.GetEgressId()
					return nil
				case errors.As(err, &te) && te.Code() != twirp.DeadlineExceeded && te.Code() != twirp.Unavailable && te.Code() != twirp.Internal:
					return err
				case ctx.Err() != nil || tries == maxTries:
					return fmt.Errorf("%s, asked %d times: %w", room, tries, err)
				}
				// Temporal at once refuses calls to a workflow whose tasks died with three workers.
				<-time.After(time.Second)
			}
		})
	}
	err := g.Wait()
	end()
	require.NoError(t, err)
	kills := <-killed
	t.Logf("%d workers were killed", kills)
	require.NotZero(t, kills, "the storm needs it")

	w.startWorker()
	for n := range requests {
		require.NoError(t, w.fake.EndCall(fmt.Sprintf("room-%d", n)))
	}
	recorded := map[string]bool{}
	for n := range requests {
		var v egress.Verdict
		w.want("a verdict", func() (ended bool) { // a start that nobody found in time is adopted by its webhook
			var err error
			v, err = w.client.Wait(w.ctx(), fmt.Sprintf("r-room-%d", n))
			return err == nil
		})
		require.Equal(t, ids[n], v.EgressID)
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
		require.Len(t, w.consumer.under(v.EgressID), 1)
		recorded[v.EgressID] = true
	}
	require.Len(t, recorded, requests, "as many distinct recordings")
	require.Zero(t, w.twins())
}

// killWorkers runs one worker process after the other, and kills each after a while.
func (w *world) killWorkers(ctx context.Context, r *rand.Rand, killed chan<- int) {
	for n := 0; ; n++ {
		p := w.workerProcess()
		select {
		case <-time.After(time.Duration(4000+r.IntN(6000)) * time.Millisecond):
			p.kill()
		case <-ctx.Done():
			p.kill()
			killed <- n
			return
		}
	}
}
