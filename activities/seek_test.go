package activities_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// recorded returns so many running egresses, each with its workflow.
func recorded(n int) *both {
	b := &both{here: map[string]bool{}}
	for i := range n {
		id := fmt.Sprintf("EG_%03d", i)
		b.items = append(b.items, running(id))
		b.running = append(b.running, workflowOf("r-"+id, id))
		b.here[id] = true
	}
	return b
}

// seeking runs a round that looks for all recorders, since none did before.
func seeking(t *testing.T, b *both) egress.Round {
	t.Helper()
	r, err := attemptBy(activities.NewReconciler(activities.ReconcilerConfig{
		Grace: egress.Duration(time.Minute), Policy: egress.DefaultPolicy(),
	}, b, b, keys(t)), rounds(nil), false)
	require.NoError(t, err)
	return r
}

func TestARoundSaysWhoseRecorderIsNotInItsRoom(t *testing.T) {
	t.Parallel()
	b := recorded(3)
	delete(b.here, "EG_001")
	r := seeking(t, b)
	require.Equal(t, []string{
		"list active=true", "seek EG_000 in standup", "seek EG_001 in standup", "seek EG_002 in standup", "tell r-EG_001 of EG_001",
	}, b.noted())
	require.Equal(t, [3]int{4, 3, 1}, [3]int{r.Calls, r.Sought, r.Suspected})
	require.Equal(t, r.At, r.SoughtAt)
}

// A request's own page may be in its room under another name.
func TestARoundSaysThatAPageIsNotInItsRoomWhereItHasBeen(t *testing.T) {
	t.Parallel()
	b := recorded(2)
	b.items[1].Request = ownPage(active).GetRequest()
	reconciler := activities.NewReconciler(activities.ReconcilerConfig{Grace: egress.Duration(time.Minute), Policy: egress.DefaultPolicy()}, b, b, keys(t))
	suspected := func() int {
		r, err := attemptBy(reconciler, rounds(nil), false)
		require.NoError(t, err)
		require.Equal(t, 2, r.Sought)
		return r.Suspected
	}
	b.here["EG_001"] = false
	require.Zero(t, suspected())
	b.here["EG_001"] = true
	require.Zero(t, suspected())
	b.here["EG_001"] = false
	require.Equal(t, 1, suspected())
}

func TestWhatARoundCouldNotLookForIsDueInTheNext(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]func(*both){
		"LiveKit is away":  func(b *both) { b.hereErr = because(egress.Unreachable) },
		"Temporal is away": func(b *both) { b.here, b.failing = nil, "EG_001" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := recorded(3)
			b(all)
			r := seeking(t, all)
			require.Equal(t, [2]int{3, 1}, [2]int{r.Sought, r.Failed})
			require.Zero(t, r.SoughtAt)
		})
	}
}

// Room returns one of b.rooms, or roomErr.
func (b *both) Room(_ context.Context, name, _ string) (*lk.Room, error) {
	b.note("room %s", name)
	for _, r := range b.rooms {
		if r.GetName() == name {
			return r, nil
		}
	}
	return nil, b.roomErr
}

// Where LiveKit passes the question for a recorder on to its room, nobody answers once that is gone.
func TestARoundSaysWhoseRoomIsGoneWhereNobodyAnswersForIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rooms            []*lk.Room
		roomErr          error
		calls, suspected int
	}{
		"it is gone":           {nil, nil, 1 + 20 + 2, 1},
		"LiveKit lists it":     {[]*lk.Room{{Name: "standup"}}, nil, 1 + 20 + 1, 0},
		"LiveKit does not say": {nil, because(egress.Ambiguous), 1 + 20 + 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				b := recorded(20)
				b.hereErrOf = map[string]error{"EG_007": because(egress.Ambiguous)}
				b.rooms, b.roomErr = tc.rooms, tc.roomErr
				r := seeking(t, b)
				require.Equal(t, [4]int{tc.calls, 20, tc.suspected, 1 - tc.suspected}, [4]int{r.Calls, r.Sought, r.Suspected, r.Failed})
			})
		})
	}
}

func TestALiveKitThatIsAwayIsNotAskedForAll(t *testing.T) {
	t.Parallel()
	b := recorded(100)
	b.hereErr = because(egress.Unreachable)
	r := seeking(t, b)
	require.Less(t, r.Sought, 50)
	require.Equal(t, 1, r.Failed)
}

// That LiveKit cannot answer for one room must not hold up other rooms' recorders.
func TestARoomThatLiveKitCannotAnswerForHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := recorded(100)
	b.hereErrOf = map[string]error{"EG_000": because(egress.Unreachable)}
	delete(b.here, "EG_099")
	r := seeking(t, b)
	require.Equal(t, [3]int{100, 1, 1}, [3]int{r.Sought, r.Suspected, r.Failed})
	require.Equal(t, r.At, r.SoughtAt)
}

func TestARoundLooksForSoManyAndNoMore(t *testing.T) {
	t.Parallel()
	b := recorded(2 * egress.MaxSought)
	b.here = nil
	r := seeking(t, b)
	require.Equal(t, [2]int{egress.MaxSought, egress.MaxSought}, [2]int{r.Sought, r.Suspected})
	require.Equal(t, r.At, r.SoughtAt)
	again := seeking(t, b)
	require.Equal(t, egress.MaxSought, again.Sought)
	told := map[string]bool{}
	for _, what := range b.noted() {
		told[what] = true
	}
	require.Greater(t, len(told), 2*egress.MaxSought+2, "not the same ones each time")
}

func TestNoRecorderIsLookedForWhereNobodySaysHowOften(t *testing.T) {
	t.Parallel()
	b := recorded(1)
	require.Zero(t, reconcile(t, b, true, egress.Expectation{}).Sought)
	b.items[0].Status = lk.EgressStatus_EGRESS_ENDING
	require.Zero(t, seeking(t, b).Sought)
}
