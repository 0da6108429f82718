package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lithammer/shortuuid/v4"
	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

// reconciled sets up a world whose reconciler is started by the tests, and whose active egresses
// are left to it.
func reconciled(fake *fakelivekit.Config, environ map[string]string) {
	environ["REELKEEPER_RECONCILE_EVERY"], environ["REELKEEPER_RECONCILE_GRACE"] = "240000h", "1ms" // next in 2052
	environ["REELKEEPER_LOOK_ACTIVE"], environ["REELKEEPER_LOOK_ENDING"] = "5m", "5m"
	fake.Faults = map[fakelivekit.Fault]float64{fakelivekit.WebhookLost: 1, fakelivekit.RoomWebhookLost: 1}
}

// begin starts a round, as the schedule would.
func (w *world) begin(deep bool) client.WorkflowRun {
	w.t.Helper()
	id := "round-" + shortuuid.New()
	var run client.WorkflowRun
	w.answered("a round begins", func() (err error) {
		run, err = w.temporal().ExecuteWorkflow(w.ctx(), client.StartWorkflowOptions{
			ID: id, TaskQueue: egress.TaskQueue,
		}, egress.ReconcileType, egress.Reconciliation{Deep: deep})
		return err
	})
	return run
}

func (w *world) round(deep bool) egress.Round {
	w.t.Helper()
	var r egress.Round
	require.NoError(w.t, w.begin(deep).Get(w.ctx(), &r))
	return r
}

// roundWith runs a round, for which number must return want.
func (w *world) roundWith(want int, deep bool, number func(egress.Round) int) {
	w.t.Helper()
	r := w.round(deep)
	require.Equal(w.t, want, number(r), "%+v", r)
}

// stray starts an egress without us, with the token of a request if one is given, followed by a
// query.
func (w *world) stray(room, request string, query ...string) string {
	w.t.Helper()
	r := composite(room).(*livekit.RoomCompositeEgressRequest)
	if request != "" {
		keys, err := seal.New(seal.Config{Secret: apiSecret})
		require.NoError(w.t, err)
		r.Webhooks = []*livekit.WebhookConfig{{Url: keys.Token(request, 1).URL(w.door.URL) + strings.Join(query, ""), SigningKey: apiKey}}
	}
	info, err := lksdk.NewEgressClient(w.fake.URL(), apiKey, apiSecret).StartRoomCompositeEgress(w.ctx(), r)
	require.NoError(w.t, err)
	return info.GetEgressId()
}

func (w *world) becomes(egressID string, s livekit.EgressStatus) {
	w.t.Helper()
	w.want(egressID+" is "+s.String(), func() bool { return w.statusOf(egressID) == s })
}

// known waits until visibility shows the egress of a running workflow.
func (w *world) known(egressID string) {
	w.t.Helper()
	w.want(egressID+" in visibility", func() bool {
		ours, err := w.client.Running(w.ctx())
		return err == nil && slices.ContainsFunc(ours, func(o egress.Ours) bool { return o.EgressID == egressID })
	})
}

// workflows counts those of a type, according to visibility.
func (w *world) workflows(of string) int64 {
	w.t.Helper()
	return w.counted(fmt.Sprintf("WorkflowType = '%s'", of))
}

func (w *world) verdictOf(id string) egress.Verdict {
	w.t.Helper()
	v, err := w.client.Wait(w.ctx(), id)
	require.NoError(w.t, err)
	return v
}

func TestAStrayIsAdoptedAndItsEndIsHeardOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := w.stray("room", "")

	w.roundWith(1, false, func(r egress.Round) int { return r.Adopted })
	w.known(id)
	require.Zero(t, w.round(false).Adopted, "it is ours now")

	w.want("it is known to be active", func() bool { // otherwise the poll that sees this may see the end
		s, err := w.client.State(w.ctx(), id)
		return err == nil && s.Status == "EGRESS_ACTIVE"
	})
	require.NoError(t, w.fake.EndCall("room"))
	w.becomes(id, livekit.EgressStatus_EGRESS_COMPLETE)
	r := w.round(false)
	require.Equal(t, [2]int{1, 1}, [2]int{r.Asked, r.Nudged}, "it is not active any more: %+v", r)
	require.GreaterOrEqual(t, r.Calls, 2, "a list and a question, which is repeated where the answer is slow")

	v := w.verdictOf(egress.WorkflowID(id))
	require.Equal(t, egress.FromReconcile, v.EndedBy)
	require.NotEmpty(t, v.Missed)
	require.Len(t, w.consumer.told(id), 1)
	w.want("it is one workflow", func() bool { return w.workflows(egress.WorkflowType) == 1 })
}

func TestAStrayThatNoRoundSawRunningIsAnnouncedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := w.stray("room", "")
	w.becomes(id, livekit.EgressStatus_EGRESS_ACTIVE)
	require.NoError(t, w.fake.EndCall("room"))
	w.becomes(id, livekit.EgressStatus_EGRESS_COMPLETE)

	require.Zero(t, w.round(false).Adopted, "only a deep round sees it")
	w.roundWith(1, true, func(r egress.Round) int { return r.Adopted })

	v := w.verdictOf(egress.WorkflowID(id))
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.FromReconcile, v.EndedBy)
	require.Len(t, w.consumer.told(id), 1)
	require.Zero(t, w.round(true).Adopted)
	require.Len(t, w.consumer.told(id), 1)
	w.want("it is one workflow", func() bool { return w.workflows(egress.WorkflowType) == 1 })
}

// Egresses that LiveKit recorded before the first comparison were handled by somebody.
func TestWhatEndedBeforeTheFirstRoundIsNeverAnnounced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.room("room", fakelivekit.RoomScript{})
	w.room("other", fakelivekit.RoomScript{})
	before := w.stray("room", "")
	running := w.stray("other", "")
	w.becomes(before, livekit.EgressStatus_EGRESS_ACTIVE)
	require.NoError(t, w.fake.EndCall("room"))
	w.becomes(before, livekit.EgressStatus_EGRESS_COMPLETE)
	w.startWorker()

	r := w.round(true)
	require.Equal(t, [2]int{1, 1}, [2]int{r.SeenBefore, r.Adopted}, "%+v", r)

	require.NoError(t, w.fake.EndCall("other"))
	w.becomes(running, livekit.EgressStatus_EGRESS_COMPLETE)
	w.roundWith(1, true, func(r egress.Round) int { return r.Nudged })
	w.verdictOf(egress.WorkflowID(running))
	require.Len(t, w.consumer.told(running), 1)
	require.Empty(t, w.consumer.told(before))
	w.want("it is one workflow", func() bool { return w.workflows(egress.WorkflowType) == 1 })
}

// Temporal is down when an agent starts, and no webhook ever arrives for what LiveKit then records.
func TestAStartThatFailedOpenIsAdoptedOnceWithoutAnyWebhook(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		reconciled(fake, environ)
		environ["TEMPORAL_ADDRESS"], environ["TEMPORAL_NAMESPACE"] = o.Address, "away"
		environ["REELKEEPER_FAIL_OPEN_AFTER"] = "500ms"
	})
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	o.kill()
	info, err := w.ask(w.ctx(), "room", "key")
	require.NoError(t, err)
	o.back()
	var r egress.Round
	w.want("a round", func() bool {
		run, err := w.temporal().ExecuteWorkflow(w.ctx(), client.StartWorkflowOptions{
			ID: "round-" + shortuuid.New(), TaskQueue: egress.TaskQueue,
		}, egress.ReconcileType, egress.Reconciliation{})
		return err == nil && run.Get(w.ctx(), &r) == nil
	})

	require.LessOrEqual(t, r.Adopted, 1, "an attempt that was slow may have adopted it before")
	require.Zero(t, w.round(true).Adopted)
	require.NoError(t, w.fake.EndCall("room"))
	w.becomes(info.GetEgressId(), livekit.EgressStatus_EGRESS_COMPLETE)
	w.roundWith(1, true, func(r egress.Round) int { return r.Nudged })
	v := w.verdictOf("key")
	require.Equal(t, info.GetEgressId(), v.EgressID)
	require.Len(t, w.consumer.told(v.EgressID), 1)
	w.want("it is one workflow", func() bool { return w.workflows(egress.WorkflowType) == 1 })
}

// A web egress is started past Temporal, its worker dies, and neither a webhook nor a round of the
// reconciler reports it. The only sign is that LiveKit does not answer its agent's stop.
func TestAStopIsKeptAlsoWhereTheStartWentPastTemporal(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		reconciled(fake, environ)
		fake.Faults[fakelivekit.Zombie] = 1
		environ["TEMPORAL_ADDRESS"], environ["TEMPORAL_NAMESPACE"] = o.Address, "away"
		environ["REELKEEPER_FAIL_OPEN_AFTER"] = "500ms"
	})
	w.startWorker()
	o.kill()
	ctx, err := twirp.WithHTTPRequestHeaders(w.ctx(), http.Header{"Idempotency-Key": {"page"}})
	require.NoError(t, err)
	info, err := w.agent().StartWebEgress(lksdk.WithFailover(ctx, false), &livekit.WebEgressRequest{
		Url: "https://example.com/page", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "page-{time}.mp4"}},
	})
	require.NoError(t, err)
	o.back()
	w.want("the door has Temporal again", func() bool {
		_, err := w.client.State(w.ctx(), "page")
		return egress.ReasonOf(err) == egress.NotFound
	})

	_, err = w.agent().StopEgress(lksdk.WithFailover(w.ctx(), false), &livekit.StopEgressRequest{EgressId: info.GetEgressId()})

	te, ok := errors.AsType[twirp.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, twirp.DeadlineExceeded, te.Code(), "as LiveKit says it")
	v := w.verdictOf("page")
	require.Equal(t, egress.Lost, v.Status)
	require.Equal(t, egress.StopRequested, v.Stopped)
	require.Len(t, w.consumer.told(info.GetEgressId()), 1)
}

func TestTwoReconcilersAtOnceAdoptOnce(t *testing.T) {
	t.Parallel()
	const strays = 20
	w := newWorld(t, reconciled)
	w.startWorker()
	var ids []string
	for n := range strays {
		room := fmt.Sprint("room-", n)
		w.room(room, fakelivekit.RoomScript{})
		request := ""
		if n%2 == 0 {
			request = "key-" + room
		}
		ids = append(ids, w.stray(room, request))
	}
	both := func(deep bool) {
		var wg sync.WaitGroup
		for range 2 {
			run := w.begin(deep)
			wg.Go(func() { _ = run.Get(w.ctx(), nil) })
		}
		wg.Wait()
	}
	both(false)
	for n, id := range ids {
		w.becomes(id, livekit.EgressStatus_EGRESS_ACTIVE)
		require.NoError(t, w.fake.EndCall(fmt.Sprint("room-", n)))
	}
	for _, id := range ids {
		w.becomes(id, livekit.EgressStatus_EGRESS_COMPLETE)
	}
	both(true)

	for _, id := range ids {
		w.want(id+" is delivered", func() bool { return len(w.consumer.told(id)) == 1 })
	}
	w.want("each has a workflow", func() bool { return w.workflows(egress.WorkflowType) == strays })
	both(true)
	for _, id := range ids {
		require.Len(t, w.consumer.told(id), 1)
	}
	w.want("each has a workflow", func() bool { return w.workflows(egress.WorkflowType) == strays })
}

func TestLiveKitIsDownForThreeRounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := w.stray("room", "")
	w.fake.SetDown(true)
	for range 3 {
		require.ErrorContains(t, w.begin(false).Get(w.ctx(), nil), "ListEgress")
	}
	w.fake.SetDown(false)
	w.roundWith(1, false, func(r egress.Round) int { return r.Adopted })
	w.known(id)
}

func TestAnEndThatNobodyHeardOfIsToldByTheReconciler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := w.start("room").Info.Proto().GetEgressId()
	w.known(id)
	w.want("the first look", func() bool { return w.state("room").Status == "EGRESS_ACTIVE" })
	require.NoError(t, w.fake.EndCall("room"))
	w.becomes(id, livekit.EgressStatus_EGRESS_COMPLETE)

	w.roundWith(1, false, func(r egress.Round) int { return r.Nudged })

	v := w.verdict("room")
	require.Equal(t, egress.FromReconcile, v.EndedBy)
	require.Len(t, w.consumer.told(id), 1)
}

func TestAnotherEgressOfARequestIsStoppedByTheReconciler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := w.start("room").Info.Proto().GetEgressId()
	w.known(id)
	twin := w.stray("room", "r-room")
	w.becomes(twin, livekit.EgressStatus_EGRESS_ACTIVE)

	w.roundWith(1, false, func(r egress.Round) int { return r.Twins })

	w.becomes(twin, livekit.EgressStatus_EGRESS_COMPLETE)
	w.want("it is known as a twin", func() bool { return slices.Equal([]string{twin}, w.state("room").Twins) })
	require.Equal(t, livekit.EgressStatus_EGRESS_ACTIVE, w.statusOf(id))
}

func TestTheScheduleDoesARound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconciled)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := w.stray("room", "")
	// The worker may not have had time for it.
	w.answered("there is a schedule", func() error { return w.client.EnsureReconcile(w.ctx(), 240000*time.Hour) })
	schedule := w.temporal().ScheduleClient().GetHandle(w.ctx(), egress.ReconcileSchedule)
	require.NoError(t, schedule.Trigger(w.ctx(), client.ScheduleTriggerOptions{}))
	w.known(id)
	w.want("it is known to be healthy", func() bool {
		ok, err := w.client.Reconciled(w.ctx(), time.Now().Add(-time.Minute))
		return err == nil && ok
	})
}

// CreateRoom with automatic egress answers 200 even if there is no worker, and nothing reports that
// nothing is recorded.
func TestARoomThatMustBeRecordedIsRecordedOnTheSpot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		reconciled(fake, environ)
		fake.RefuseWith = []twirp.ErrorCode{twirp.Unavailable}
		fake.Faults[fakelivekit.StartRefused] = 1
		environ["REELKEEPER_EXPECT"], environ["REELKEEPER_EXPECT_AFTER"] = "standup-*, retro", "1s"
		environ["REELKEEPER_EXPECT_START"] = "{room_name}-{time}.mp4"
	})
	w.startWorker()
	rooms := lksdk.NewRoomServiceClient(w.fake.URL(), apiKey, apiSecret)
	_, err := rooms.CreateRoom(w.ctx(), &livekit.CreateRoomRequest{Name: "standup-7", Egress: &livekit.RoomEgress{
		Room: &livekit.RoomCompositeEgressRequest{FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "auto.mp4"}}},
	}})
	require.NoError(t, err)
	w.room("elsewhere", fakelivekit.RoomScript{})
	require.Empty(t, w.fake.Egresses())
	require.NoError(t, w.fake.SetFault(fakelivekit.StartRefused, 0))

	var r egress.Round
	w.want("a round that finds it", func() bool { r = w.round(false); return len(r.Unrecorded) > 0 })

	require.Equal(t, []string{"standup-7"}, r.Unrecorded)
	require.Equal(t, []string{"standup-7"}, r.Recording)
	w.want("it is recorded", func() bool {
		list := w.fake.Egresses()
		return len(list) == 1 && list[0].Info.GetRoomName() == "standup-7" && list[0].Recorded
	})
	require.Empty(t, w.round(false).Unrecorded)
	require.Len(t, w.fake.Egresses(), 1)
}
