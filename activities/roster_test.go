package activities_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// regular returns a reconciler that has done its first round.
func regular(t *testing.T, b *both) *activities.Reconciler {
	t.Helper()
	a := reconciler(t, b, egress.Expectation{})
	round(t, a, false)
	require.Equal(t, 1, b.reads, "the first round of a worker reads all")
	b.done = nil
	return a
}

func round(t *testing.T, a *activities.Reconciler, deep bool) egress.Round {
	t.Helper()
	r, err := attemptBy(a, rounds(nil), deep)
	require.NoError(t, err)
	return r
}

func closed(o egress.Ours) egress.Ours {
	o.ClosedAt, o.Over = time.Now(), true
	return o
}

func unbound(request string) egress.Ours { return workflowOf(request, "") }

func settled(o egress.Ours) egress.Ours {
	o.Over, o.Status = true, egress.Lost
	return o
}

func TestARoundReadsWhatChangedAndNotWhatWaits(t *testing.T) {
	t.Parallel()
	b := &both{items: []*lk.EgressInfo{running("EG_1")}, running: []egress.Ours{workflowOf("r-1", "EG_1")}}
	a := regular(t, b)
	before := time.Now()
	for range 3 {
		require.Equal(t, 1, round(t, a, false).Workflows)
	}
	require.Equal(t, 1, b.reads)
	require.WithinDuration(t, before.Add(-time.Minute), b.since, 30*time.Second, "visibility may lag by a minute")

	b.items = append(b.items, running("EG_2"))
	b.changed = []egress.Ours{workflowOf("r-2", "EG_2")}
	require.Equal(t, 2, round(t, a, false).Workflows, "one began")
	b.items, b.changed = b.items[1:], []egress.Ours{closed(workflowOf("r-1", "EG_1"))}
	require.Equal(t, 1, round(t, a, false).Workflows, "one closed")
	require.Equal(t, 1, b.reads)
	require.NotContains(t, b.noted(), "get EG_1", "what closed is waited for by nobody")

	round(t, a, true)
	require.Equal(t, 2, b.reads, "a deep round reads all")
}

// A round must not act on what an earlier one saw.
func TestWhatARoundWouldActOnIsReadAnew(t *testing.T) {
	t.Parallel()
	bound := workflowOf("r-1", "EG_1")
	for name, tc := range map[string]struct {
		first   egress.Ours   // as the first round sees it
		changed []egress.Ours // since then
		now     []egress.Ours // all that are running
		listed  []*lk.EgressInfo
		want    []string
	}{
		"its egress is not active any more": {bound, nil, []egress.Ours{bound}, []*lk.EgressInfo{over("EG_1")}, []string{"get EG_1", "list active=true", "tell r-1 of EG_1"}},
		"it closed, and visibility lagged":  {bound, nil, nil, []*lk.EgressInfo{over("EG_1")}, []string{"list active=true"}},
		"its next part, and not a twin":     {bound, nil, []egress.Ours{workflowOf("r-1", "EG_2")}, []*lk.EgressInfo{withToken(t, "EG_2", "r-1", 1)}, []string{"list active=true"}},
		"a stray":                           {bound, nil, []egress.Ours{bound}, []*lk.EgressInfo{running("EG_1"), running("EG_9")}, []string{"adopt EG_9 as EG_9", "list active=true"}},
		"it is bound by now":                {unbound("r-1"), nil, []egress.Ours{bound}, nil, []string{"get EG_1", "list active=true", "tell r-1 of EG_1"}},
		"it is not bound yet":               {unbound("r-1"), []egress.Ours{unbound("r-1")}, nil, nil, []string{"list active=true"}},
		"it runs again":                     {settled(bound), nil, []egress.Ours{bound}, nil, []string{"get EG_1", "list active=true", "tell r-1 of EG_1"}},
		"it is over":                        {bound, []egress.Ours{settled(bound)}, nil, nil, []string{"list active=true"}},
		"a later run of its ID":             {bound, []egress.Ours{workflowOf("r-1", "EG_2"), closed(bound)}, nil, []*lk.EgressInfo{withToken(t, "EG_2", "r-1", 1)}, []string{"list active=true"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &both{items: []*lk.EgressInfo{running("EG_1")}, running: []egress.Ours{tc.first}}
			a := regular(t, b)
			b.items, b.changed, b.running = tc.listed, tc.changed, tc.now
			round(t, a, false)
			require.Equal(t, tc.want, b.noted())
		})
	}
}

// A quarantined egress comes back in each round, and needs no workflow of ours.
func TestWhatIsPutAsideMakesNobodyReadAll(t *testing.T) {
	t.Parallel()
	b := &both{items: []*lk.EgressInfo{{Status: active, RoomName: room}}}
	require.Len(t, round(t, regular(t, b), false).Words, 1)
	require.Equal(t, 1, b.reads)
}

func TestARoundThatCouldNotReadLeavesWhatWasKept(t *testing.T) {
	t.Parallel()
	b := &both{items: []*lk.EgressInfo{running("EG_1")}, running: []egress.Ours{workflowOf("r-1", "EG_1")}}
	a := regular(t, b)
	since := func() time.Time { round(t, a, false); return b.since }
	first := since()
	b.visibilityErr = errors.New("Temporal is away")
	for _, deep := range []bool{false, true} {
		_, err := attemptBy(a, rounds(nil), deep)
		require.ErrorContains(t, err, "Temporal is away")
	}
	failing := b.since
	b.visibilityErr = nil
	require.Equal(t, failing, since(), "what changed in a round that failed is asked for again")
	require.False(t, since().Before(first))
	require.Equal(t, 2, b.reads, "the first and the deep one, which failed")
}

// A completed workflow does not change, so a deep round reads only those completed since the last
// one.
func TestADeepRoundReadsWhatHasCompletedOnce(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-20 * time.Hour)
	first := over("EG_1")
	first.StartedAt = began.UnixNano()
	b := &both{items: []*lk.EgressInfo{first, over("EG_2")}, completed: []egress.Ours{closed(workflowOf("r-1", "EG_1"))}}
	a := reconciler(t, b, egress.Expectation{})
	require.Equal(t, 1, round(t, a, true).Adopted, "EG_2 alone")
	require.WithinDuration(t, began.Add(-time.Minute), b.doneSince, time.Second, "no further back than LiveKit's list goes")

	b.completed = []egress.Ours{closed(workflowOf("EG_2", "EG_2"))}
	require.Zero(t, round(t, a, true).Adopted, "EG_1 is not forgotten")
	require.WithinDuration(t, time.Now().Add(-time.Minute), b.doneSince, 30*time.Second)

	b.visibilityErr = errors.New("Temporal is away")
	_, err := attemptBy(a, rounds(nil), true)
	require.ErrorContains(t, err, "Temporal is away")
	b.visibilityErr, b.completed = nil, nil
	require.Zero(t, round(t, a, true).Adopted)
}

// LiveKit lists an egress whose worker was killed as active forever, and its workflow closes one
// day.
func TestWhatHasClosedIsLeftAloneUntilItMovesOrARoundIsDeep(t *testing.T) {
	t.Parallel()
	b := &both{items: []*lk.EgressInfo{running("EG_zombie"), running("EG_2")}, running: []egress.Ours{workflowOf("r-2", "EG_2")}, closed: "EG_zombie"}
	a := reconciler(t, b, egress.Expectation{})
	asks := func(deep bool) bool {
		b.done, b.reads = nil, 0
		r, err := attemptBy(a, rounds(nil), deep)
		require.NoError(t, err)
		require.Equal(t, 2, r.Seen)
		require.Zero(t, r.Adopted)
		return slices.Contains(b.noted(), "adopt EG_zombie as EG_zombie")
	}
	require.True(t, asks(false))
	for range 3 {
		require.False(t, asks(false))
		require.Zero(t, b.reads, "and all is not read for it")
	}
	require.True(t, asks(true), "a deep round asks again")
	require.False(t, asks(false))

	b.items[0].Status = lk.EgressStatus_EGRESS_ENDING
	require.True(t, asks(false), "it has moved")

	b.changed = []egress.Ours{workflowOf("r-z", "EG_zombie")}
	require.False(t, asks(false), "it runs after all")
	b.changed[0].ClosedAt = time.Now()
	require.True(t, asks(false), "and has closed since")
}

// Its request's workflow is bound to another egress, and need not be told in each deep round.
// Temporal may have lost the first signal in a failover.
func TestAnEndBesideTheBoundEgressIsToldTwiceAndCountedOnce(t *testing.T) {
	t.Parallel()
	ended := withToken(t, "EG_2", "r-1", 1)
	ended.Status, ended.EndedAt = lk.EgressStatus_EGRESS_FAILED, minutesAgo(5)
	b := &both{items: []*lk.EgressInfo{running("EG_1"), ended}, running: []egress.Ours{workflowOf("r-1", "EG_1")}}
	a := reconciler(t, b, egress.Expectation{})
	type result struct {
		told    bool
		counted int
	}
	tells := func(deep bool) result {
		b.done = nil
		counted := round(t, a, deep).Parts
		return result{slices.Contains(b.noted(), "tell r-1 of EG_2"), counted}
	}
	first, again, never := result{true, 1}, result{true, 0}, result{}
	deepRounds := func(n int) (all []result) {
		for range n {
			all = append(all, tells(true))
			require.Equal(t, never, tells(false), "what has ended is listed in a deep round")
		}
		return all
	}
	require.Equal(t, never, tells(false))
	require.Equal(t, []result{first, again, never, never}, deepRounds(4))

	ended.Status = complete
	require.Equal(t, []result{first, again, never}, deepRounds(3), "it ended otherwise after all")

	b.items = b.items[:1]
	require.Equal(t, []result{never}, deepRounds(1))
	b.items = append(b.items, ended)
	require.Equal(t, []result{first}, deepRounds(1), "what LiveKit lists no more is forgotten")
}

// It no longer changes.
func TestAnEndThatAClosedWorkflowKnewOfIsAskedForOnce(t *testing.T) {
	t.Parallel()
	ended := withToken(t, "EG_2", "r-1", 1)
	ended.Status, ended.EndedAt = complete, minutesAgo(5)
	last := closed(workflowOf("r-1", "EG_1"))
	last.Status = "EGRESS_COMPLETE"
	b := &both{items: []*lk.EgressInfo{ended}, completed: []egress.Ours{last}, closed: "EG_2"}
	a := reconciler(t, b, egress.Expectation{})
	for _, want := range []bool{true, false, false} {
		b.done = nil
		require.Zero(t, round(t, a, true).Adopted)
		require.Equal(t, want, slices.Contains(b.noted(), "adopt EG_2 as r-1"))
	}
}

// Temporal was restored from a backup, or emptied, while the worker ran.
func TestWhatARosterHasOfBeforeAGapIsReadAnew(t *testing.T) {
	t.Parallel()
	b := &both{items: []*lk.EgressInfo{running("EG_1"), over("EG_2")}, running: []egress.Ours{workflowOf("r-1", "EG_1")}, completed: []egress.Ours{closed(workflowOf("r-2", "EG_2"))}}
	a := reconciler(t, b, egress.Expectation{})
	round(t, a, true)
	require.Equal(t, []string{"completed", "list active=false"}, b.noted())
	b.running, b.completed = nil, nil
	next := func(deep bool, anew time.Time) []string {
		b.done = nil
		_, err := roundAnew(a, rounds(nil), deep, anew)
		require.NoError(t, err)
		return b.noted()
	}
	require.Empty(t, slices.DeleteFunc(next(false, time.Now().Add(-time.Hour)), func(s string) bool { return s == "list active=true" }), "a gap that is long past")

	gap := time.Now()
	require.Contains(t, next(false, gap), "adopt EG_1 as EG_1")
	reads := b.reads
	require.Contains(t, next(true, gap), "adopt EG_2 as EG_2", "it has completed, as Temporal knew before")
	b.items = nil
	next(false, gap)
	require.Equal(t, reads+1, b.reads, "the deep round read all, and the one after it had no need to")
}
