package activities_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// both is LiveKit and Temporal as a round sees them. It notes what is done.
type both struct {
	items     []*lk.EgressInfo
	rooms     []*lk.Room
	over      int    // how many recordings of a room have already ended
	meanwhile func() // runs when the rooms are listed
	running   []egress.Ours
	changed   []egress.Ours
	completed []egress.Ours
	listErr   error
	here      map[string]bool
	hereErr   error
	roomErr   error
	hereErrOf map[string]error // for one recorder
	deepErr   error            // for a list of everything
	getErrOf  map[string]error // for one egress
	failing   string           // egress ID for which every step fails
	closed    string           // egress ID whose workflow has closed
	lost      string           // request ID whose workflow only visibility shows

	stranded      map[string]int64
	strandedErr   error
	strandedSince time.Time // since when pollers were asked for

	visibilityErr error
	reads         int       // how often all running workflows were read
	since         time.Time // since when changes were asked for
	doneSince     time.Time // and since when completed ones

	mu   sync.Mutex
	done []string
}

func (b *both) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, fmt.Sprintf(format, args...))
}

func (b *both) noted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.Sort(b.done)
	return b.done
}

func (b *both) All(_ context.Context, active bool) ([]*lk.EgressInfo, int, error) {
	b.note("list active=%t", active)
	items := slices.Clone(b.items)
	if active {
		items = slices.DeleteFunc(items, func(m *lk.EgressInfo) bool { return egress.Ended(m.GetStatus()) })
	}
	if !active && b.deepErr != nil {
		return nil, 1, b.deepErr
	}
	return items, 1, b.listErr
}

func (b *both) Get(_ context.Context, id string) (*lk.EgressInfo, error) {
	b.note("get %s", id)
	for _, m := range b.items {
		if m.GetEgressId() == id {
			return m, b.getErrOf[id]
		}
	}
	return nil, because(egress.NotFound)
}

func (b *both) Rooms(context.Context) ([]*lk.Room, error) {
	b.note("rooms")
	if b.meanwhile != nil {
		b.meanwhile()
	}
	return b.rooms, nil
}

func (b *both) Present(_ context.Context, room, identity string) (bool, error) {
	b.note("seek %s in %s", identity, room)
	return b.here[identity], cmp.Or(b.hereErrOf[identity], b.hereErr)
}

func (b *both) Stranded(_ context.Context, since time.Time) (map[string]int64, error) {
	b.strandedSince = since
	return b.stranded, b.strandedErr
}

func (b *both) Running(context.Context) ([]egress.Ours, error) {
	b.reads++
	return slices.Clone(b.running), b.visibilityErr
}

func (b *both) Changed(_ context.Context, since time.Time) ([]egress.Ours, error) {
	b.since = since
	return b.changed, b.visibilityErr
}

func (b *both) Completed(_ context.Context, since time.Time) ([]egress.Ours, error) {
	b.note("completed")
	b.doneSince = since
	return slices.Clone(b.completed), b.visibilityErr
}

func (b *both) ReconcilingSince(context.Context) (time.Time, error) {
	return time.Now().Add(-time.Hour), nil
}

func (b *both) Tell(_ context.Context, requestID string, e egress.Event) (bool, error) {
	id := e.Proto().GetEgressInfo().GetEgressId()
	if id == b.failing {
		return false, errors.New("Temporal is away")
	}
	b.note("tell %s of %s", requestID, id)
	return requestID != b.lost, nil
}

func (b *both) AdoptListed(_ context.Context, requestID string, _ egress.Extras, e egress.Event) (bool, error) {
	id := e.Proto().GetEgressInfo().GetEgressId()
	if id == b.failing {
		return false, errors.New("Temporal is away")
	}
	b.note("adopt %s as %s", id, requestID)
	return id != b.closed, nil
}

func (b *both) Record(_ context.Context, key string, r egress.Request) (begun, over bool, err error) {
	b.note("record %s: %s", key, egress.Summarize(r).Title())
	over = b.over > 0
	b.over--
	return !over, over, nil
}

func minutesAgo(n int) int64 { return time.Now().Add(-time.Duration(n) * time.Minute).UnixNano() }

func running(id string) *lk.EgressInfo {
	return &lk.EgressInfo{EgressId: id, RoomName: room, Status: active, StartedAt: minutesAgo(10), Request: &lk.EgressInfo_RoomComposite{}}
}

func over(id string) *lk.EgressInfo {
	return &lk.EgressInfo{EgressId: id, RoomName: room, Status: complete, EndedAt: minutesAgo(5)}
}

func workflowOf(request, egressID string) egress.Ours {
	return egress.Ours{RequestID: request, EgressID: egressID, Room: room, StartedAt: time.Now().Add(-time.Hour)}
}

// rounds returns Temporal's environment for one attempt at a round; every heartbeat is passed to
// kept.
func rounds(kept func(*converter.EncodedValues)) *testsuite.TestActivityEnvironment {
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	env := s.NewTestActivityEnvironment()
	env.SetDataConverter(payload.Converter())
	if kept != nil {
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { kept(&details) })
	}
	return env
}

func reconcile(t *testing.T, b *both, deep bool, expect egress.Expectation) egress.Round {
	t.Helper()
	r, err := attempt(t, rounds(nil), b, deep, expect)
	require.NoError(t, err)
	require.NotZero(t, r.At)
	return r
}

func attempt(t *testing.T, env *testsuite.TestActivityEnvironment, b *both, deep bool, expect egress.Expectation) (egress.Round, error) {
	t.Helper()
	return attemptBy(reconciler(t, b, expect), env, deep)
}

func reconciler(t *testing.T, b *both, expect egress.Expectation) *activities.Reconciler {
	t.Helper()
	return activities.NewReconciler(activities.ReconcilerConfig{Grace: egress.Duration(time.Minute), Expect: expect}, b, b, keys(t))
}

func attemptBy(a *activities.Reconciler, env *testsuite.TestActivityEnvironment, deep bool) (egress.Round, error) {
	return roundAnew(a, env, deep, time.Time{})
}

// roundAnew runs a round for which nothing remembered from before anew counts.
func roundAnew(a *activities.Reconciler, env *testsuite.TestActivityEnvironment, deep bool, anew time.Time) (egress.Round, error) {
	env.RegisterActivity(a.Reconcile)
	v, err := env.ExecuteActivity(a.Reconcile, activities.RoundRequest{At: time.Now(), Deep: deep, Anew: anew})
	if err != nil {
		return egress.Round{}, err
	}
	var r egress.Round
	return r, v.Get(&r)
}

func TestARoundAsksForWhatIsActiveAndADeepOneForEverything(t *testing.T) {
	t.Parallel()
	b := &both{items: []*lk.EgressInfo{running("EG_1"), over("EG_2")}, running: []egress.Ours{workflowOf("r-1", "EG_1")}}
	r := reconcile(t, b, false, egress.Expectation{})
	require.Equal(t, []string{"list active=true"}, b.noted())
	require.Equal(t, 1, r.Calls)
	require.Equal(t, [3]int{1, 1, 1}, [3]int{r.Seen, r.Active, r.Workflows})
	require.Zero(t, r.DeepAt)

	b.done = nil
	r = reconcile(t, b, true, egress.Expectation{})
	require.Equal(t, []string{"adopt EG_2 as EG_2", "completed", "list active=false"}, b.noted())
	require.Equal(t, [4]int{2, 1, 1, 1}, [4]int{r.Seen, r.Active, r.Workflows, r.Adopted})
	require.Equal(t, r.At, r.DeepAt)

	b.done, b.completed = nil, []egress.Ours{{RequestID: "r-2", EgressID: "EG_2", Over: true}}
	require.Zero(t, reconcile(t, b, true, egress.Expectation{}).Adopted)
}

func TestOnlyATokenThatOurKeyMadeNamesARequest(t *testing.T) {
	t.Parallel()
	with := func(id string, token egress.Token) *lk.EgressInfo {
		m := running(id)
		m.Request = &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{Webhooks: []*lk.WebhookConfig{{Url: token.URL(publicURL)}}}}
		return m
	}
	ours := keys(t).Token("r-1", 1)
	forged := egress.Token{RequestID: "r-2", Part: 1, MAC: ours.MAC}
	b := &both{items: []*lk.EgressInfo{with("EG_1", ours), with("EG_2", forged), running("EG_3")}}
	r := reconcile(t, b, false, egress.Expectation{})
	require.Equal(t, []string{"adopt EG_1 as r-1", "adopt EG_3 as EG_3", "list active=true"}, b.noted())
	require.Len(t, r.Words, 1)
	require.Contains(t, r.Words[0], "EG_2 in room standup has a token that none of our keys made")
}

func TestWhatIsNotActiveAnyMoreIsAskedForOneByOneWhileItIsFew(t *testing.T) {
	t.Parallel()
	b := &both{
		items:   []*lk.EgressInfo{over("EG_1")},
		running: []egress.Ours{workflowOf("r-1", "EG_1"), workflowOf("r-2", "EG_2")},
	}
	r := reconcile(t, b, false, egress.Expectation{})
	require.Equal(t, []string{"get EG_1", "get EG_2", "list active=true", "tell r-1 of EG_1", "tell r-2 of EG_2"}, b.noted())
	require.Equal(t, [4]int{3, 2, 1, 1}, [4]int{r.Calls, r.Asked, r.Nudged, r.Suspected})
	require.Zero(t, r.DeepAt)
}

func TestWhatCannotBeAskedForIsOneFailedStepOfItsRound(t *testing.T) {
	t.Parallel()
	b := &both{getErrOf: map[string]error{"EG_2": because(egress.RateLimited), "EG_3": because(egress.RateLimited)}}
	for _, id := range []string{"EG_1", "EG_2", "EG_3"} {
		b.items, b.running = append(b.items, over(id)), append(b.running, workflowOf("r-"+id, id))
	}
	r := reconcile(t, b, false, egress.Expectation{})
	require.Equal(t, [3]int{3, 1, 1}, [3]int{r.Asked, r.Nudged, r.Failed})
}

// Its row would otherwise be told in every round, and nobody would hear of the end.
func TestAnEndWhoseWorkflowOnlyVisibilityShowsIsAdopted(t *testing.T) {
	t.Parallel()
	for closed, want := range map[string]int{"": 1, "EG_1": 0} {
		b := &both{
			items:   []*lk.EgressInfo{over("EG_1")},
			running: []egress.Ours{workflowOf("r-1", "EG_1")},
			lost:    "r-1", closed: closed,
		}
		r := reconcile(t, b, false, egress.Expectation{})
		require.Equal(t, []string{"adopt EG_1 as r-1", "get EG_1", "list active=true", "tell r-1 of EG_1"}, b.noted())
		require.Equal(t, [3]int{want, 0, 0}, [3]int{r.Adopted, r.Nudged, r.Failed})
	}
}

func TestManyThatAreNotActiveAnyMoreCostOneCall(t *testing.T) {
	t.Parallel()
	b := &both{}
	for n := range 10 * egress.MaxAsked {
		id := fmt.Sprintf("EG_%03d", n)
		b.items = append(b.items, over(id))
		b.running = append(b.running, workflowOf("r-"+id, id))
	}
	r := reconcile(t, b, false, egress.Expectation{})
	require.Equal(t, 10*egress.MaxAsked, r.Nudged)
	require.Equal(t, 2, r.Calls, "one list of what is active, one of everything")
	require.Equal(t, r.At, r.DeepAt)
}

// dying is both sides, as seen by a worker that dies while adopting an egress.
type dying struct {
	*both
	egressID string
	die      context.CancelFunc
}

func (d dying) AdoptListed(ctx context.Context, requestID string, x egress.Extras, e egress.Event) (bool, error) {
	if e.Proto().GetEgressInfo().GetEgressId() == d.egressID {
		d.die()
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return d.both.AdoptListed(ctx, requestID, x, e)
}

func TestAnAttemptGoesOnBehindWhatTheLastOneDid(t *testing.T) {
	t.Parallel()
	const all, atOnce = 100, 16
	b := &both{}
	for n := range all {
		b.items = append(b.items, running(fmt.Sprintf("EG_%03d", n)))
	}
	var last converter.EncodedValues
	env := rounds(func(d *converter.EncodedValues) { last = *d })
	ctx, die := context.WithCancel(t.Context())
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
	first := dying{b, "EG_050", die}
	_, err := attemptBy(activities.NewReconciler(activities.ReconcilerConfig{Grace: egress.Duration(time.Minute)}, first, first, keys(t)), env, false)
	require.ErrorContains(t, err, "context canceled")

	var kept json.RawMessage
	require.NoError(t, last.Get(&kept))
	env = rounds(nil)
	env.SetHeartbeatDetails(kept)
	r, err := attempt(t, env, b, false, egress.Expectation{})
	require.NoError(t, err)

	require.Equal(t, all, r.Adopted, "what is told is of the whole round")
	adoptions := slices.DeleteFunc(b.noted(), func(what string) bool { return !strings.HasPrefix(what, "adopt ") })
	require.Less(t, len(adoptions), all+atOnce, "what was under way is done again, and no more")
	require.Len(t, slices.Compact(adoptions), all, "and nothing is left out")
}

func TestWhatCannotBeDoneHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	b := &both{items: []*lk.EgressInfo{running("EG_1"), running("EG_2"), {Status: lk.EgressStatus_EGRESS_FAILED, RoomName: room}}, failing: "EG_1"}
	r := reconcile(t, b, true, egress.Expectation{})
	require.Equal(t, [3]int{1, 1, 1}, [3]int{r.Adopted, r.Failed, r.Quarantined})
	require.Equal(t, []string{"an egress without an ID, EGRESS_FAILED in room standup: LiveKit could not start it"}, r.Words)
}

func TestARoundThatCannotAskLiveKitFails(t *testing.T) {
	t.Parallel()
	_, err := attempt(t, rounds(nil), &both{listErr: because(egress.Unreachable)}, false, egress.Expectation{})
	_, e := failed(t, err)
	require.Equal(t, egress.Unreachable, e.Reason)
}

// Ended egresses may be too many to list, or LiveKit may limit us. Active ones are compared all
// the same.
func TestADeepRoundThatCannotBeDoneIsAnOrdinaryOne(t *testing.T) {
	t.Parallel()
	b := recorded(2)
	b.running = nil
	b.deepErr = because(egress.RateLimited)
	r, err := attempt(t, rounds(nil), b, true, egress.Expectation{})
	require.NoError(t, err)
	require.Subset(t, b.noted(), []string{"list active=false", "list active=true"})
	require.Equal(t, 2, r.Adopted)
	require.Equal(t, 1, r.Failed)
	require.Zero(t, r.DeepAt, "the next one is due")
}

// Otherwise, the more ends nobody has told us of, the fewer we would hear of.
func TestWhereWhatHasEndedCannotBeListedSomeAreAskedFor(t *testing.T) {
	t.Parallel()
	for _, deep := range []bool{false, true} {
		b := &both{deepErr: because(egress.RateLimited)}
		for n := range 2 * egress.MaxAsked {
			id := fmt.Sprintf("EG_%03d", n)
			b.items = append(b.items, over(id))
			b.running = append(b.running, workflowOf("r-"+id, id))
		}
		r, err := attempt(t, rounds(nil), b, deep, egress.Expectation{})
		require.NoError(t, err)
		require.Equal(t, [2]int{egress.MaxAsked, egress.MaxAsked}, [2]int{r.Asked, r.Nudged})
		require.Equal(t, 1, r.Failed, "everything is asked for once a round")
	}
}
