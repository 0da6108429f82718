package egress_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const anHour = egress.Duration(time.Hour)

// sought returns the egresses whose recorder a round at noon looks for, if none did before.
func sought(l []egress.Listed, o []egress.Ours) (ids []string) {
	s := egress.Sighting{At: noon, Grace: egress.Duration(grace), Listed: l, Ours: o}
	for _, m := range s.Recorders(anHour, noon, time.Time{}) {
		ids = append(ids, fmt.Sprintf("%s %s as %s", m.Deed, m.EgressID, m.RequestID))
	}
	return ids
}

func TestTheRecordersOfWhatOurWorkflowsWaitForAreLookedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]sight{
		"it is active":                {all(listed("EG_1", active)), have(ours("r", "EG_1")), does("suspected EG_1 as r")},
		"it began just the grace ago": {all(listed("EG_1", active, ago(grace))), have(ours("r", "EG_1")), does("suspected EG_1 as r")},
		"it has only just begun":      {all(listed("EG_1", active, ago(grace-1))), have(ours("r", "EG_1")), nil},
		"it starts":                   {all(listed("EG_1", starting)), have(ours("r", "EG_1")), nil},
		"it uploads":                  {all(listed("EG_1", livekit.EgressStatus_EGRESS_ENDING)), have(ours("r", "EG_1")), nil},
		"it has ended":                {all(listed("EG_1", finished)), have(ours("r", "EG_1")), nil},
		"it is a web egress":          {all(listed("EG_1", active, roomless)), have(ours("r", "EG_1", web)), nil},
		"it is nobody's":              {all(listed("EG_1", active)), nil, nil},
		"it is another one":           {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1")), nil},
		"its workflow is over":        {all(listed("EG_1", active)), have(ours("r", "EG_1", over)), nil},
		"a continued one":             {all(listed("EG_1", active)), have(ours("r", "EG_1"), ours("r", "EG_1", over)), does("suspected EG_1 as r")},
		"it has no ID":                {all(listed("", active)), have(ours("r", "")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, sought(tc.listed, tc.ours))
		})
	}
}

// turns returns how often the most and the least frequent of some egresses come up in rounds.
func turns(t *testing.T, of int, last time.Time, rounds ...time.Duration) (most, least int) {
	t.Helper()
	s := egress.Sighting{At: noon, Grace: egress.Duration(grace)}
	for n := range of {
		id := fmt.Sprintf("EG_%04d", n)
		s.Listed = append(s.Listed, listed(id, active))
		s.Ours = append(s.Ours, ours("r-"+id, id))
	}
	count := map[string]int{}
	for _, at := range rounds {
		for _, m := range s.Recorders(anHour, noon.Add(at), last) {
			count[m.EgressID]++
		}
		last = noon.Add(at)
	}
	least = len(rounds)
	for _, l := range s.Listed {
		most, least = max(most, count[l.ID]), min(least, count[l.ID])
	}
	return most, least
}

func TestEachRecorderIsLookedForOnceAnHour(t *testing.T) {
	t.Parallel()
	var regular, late []time.Duration
	for n := range 60 {
		regular = append(regular, time.Duration(n+1)*minute)
		if n%3 == 0 || n == 59 { // rounds that were left out are made up for
			late = append(late, time.Duration(n+1)*minute)
		}
	}
	for name, tc := range map[string]struct {
		last   time.Time
		rounds []time.Duration
		max    int
	}{
		"a round a minute":         {noon, regular, 1},
		"a third of them":          {noon, late, 1},
		"one after an hour":        {noon, []time.Duration{time.Hour}, 1},
		"one after a day":          {noon, []time.Duration{day}, 1},
		"the very first":           {time.Time{}, []time.Duration{0}, 1},
		"the first, and an hour's": {time.Time{}, append([]time.Duration{0}, regular...), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			most, least := turns(t, 1000, tc.last, tc.rounds...)
			require.Equal(t, [2]int{tc.max, tc.max}, [2]int{most, least})
		})
	}
}

func TestTheTurnsAreSpread(t *testing.T) {
	t.Parallel()
	s := egress.Sighting{At: noon, Grace: egress.Duration(grace)}
	for n := range 6000 {
		id := fmt.Sprintf("EG_%04d", n)
		s.Listed, s.Ours = append(s.Listed, listed(id, active)), append(s.Ours, ours("r-"+id, id))
	}
	for n := range 60 {
		at := noon.Add(time.Duration(n) * minute)
		require.InDelta(t, 100, len(s.Recorders(anHour, at, at.Add(-minute))), 60)
		require.Empty(t, s.Recorders(anHour, at, at), "a second attempt at a round that has looked")
		require.Empty(t, s.Recorders(anHour, at, at.Add(minute)), "a round that was begun by hand, out of order")
		require.Empty(t, s.Recorders(0, at, at.Add(-minute)), "nobody says how often")
		require.Len(t, s.Recorders(1, at, at.Add(-minute)), 6000, "as often as can be said")
	}
}

func TestATurnIsOfOneRound(t *testing.T) {
	t.Parallel()
	turn := noon.Add(time.Duration(egress.Spread("EG_1") * float64(time.Hour)))
	s := egress.Sighting{At: noon, Listed: all(listed("EG_1", active)), Ours: have(ours("r", "EG_1"))}
	require.Len(t, s.Recorders(anHour, turn, turn.Add(-minute)), 1)
	require.Empty(t, s.Recorders(anHour, turn.Add(minute), turn))
}

func TestWhenRecordersAreLookedFor(t *testing.T) {
	t.Parallel()
	require.Equal(t, 15_000, 60*egress.MaxSought)
	require.Equal(t, anHour, egress.DefaultPolicy().SoughtEvery())
	require.Equal(t, egress.Duration(16*minute), egress.DefaultPolicy().SuspectedFor())
}

func TestASuspicionLastsUntilWhatIsForgottenIsLost(t *testing.T) {
	t.Parallel()
	for _, look := range []time.Duration{time.Second, minute, time.Hour} {
		p := egress.DefaultPolicy()
		p.LookActive = egress.Duration(look)
		longest := p.Wait(egress.OutlookActive, 0, 1)
		lost := longest // the last look before it is lost, and the one that finds it so
		for lost < p.LostAfter.D() {
			lost += longest
		}
		require.Greater(t, p.SuspectedFor().D(), lost, look)
	}
}

func TestASuspicionIsNoNewsOfTheEgress(t *testing.T) {
	t.Parallel()
	e, err := egress.LookEvent("EG_1", noon)
	require.NoError(t, err)
	o, suspect, err := egress.ObserveListed(e, noon)
	require.NoError(t, err)
	require.True(t, suspect)
	require.Equal(t, egress.EventUpdated, e.Proto().GetEvent())
	require.Equal(t, "EG_1", o.Info.ID())
	require.Equal(t, noon.Unix(), e.Proto().GetCreatedAt())
	s := watched(t)
	require.Equal(t, egress.NoNews, s.Observe(o), "an older version takes it for one")

	id := func(egressID string, at time.Time) string {
		e, err := egress.LookEvent(egressID, at)
		require.NoError(t, err)
		return e.Proto().GetId()
	}
	require.Equal(t, id("EG_1", noon), id("EG_1", noon.Local()))
	require.NotEqual(t, id("EG_1", noon), id("EG_1", noon.Add(1)))
	require.NotEqual(t, id("EG_1", noon), id("EG_2", noon))

	listed, err := egress.ListedEvent(&livekit.EgressInfo{EgressId: "EG_1", Status: active})
	require.NoError(t, err)
	_, suspect, err = egress.ObserveListed(listed, noon)
	require.NoError(t, err)
	require.False(t, suspect)
}

func TestASuspicionMakesALookDueAtOnce(t *testing.T) {
	t.Parallel()
	later := noon.Add(minute)
	for name, tc := range map[string]struct {
		change func(*egress.State)
		id     string
		want   egress.Action
	}{
		"it is watched":         {func(*egress.State) {}, "EG_1", egress.ActLook},
		"an end is expected":    {func(s *egress.State) { s.EndExpected = later.Add(-1) }, "EG_1", egress.ActLook},
		"of another egress":     {func(*egress.State) {}, "EG_2", egress.ActNothing},
		"it was raised before":  {func(s *egress.State) { s.Suspect("EG_1", noon); s.LookedAt = noon.Add(1) }, "EG_1", egress.ActNothing},
		"it was, and long ago":  {func(s *egress.State) { s.SuspectedAt = later.Add(-16 * minute); s.LookedAt = noon.Add(1) }, "EG_1", egress.ActLook},
		"it was, not that long": {func(s *egress.State) { s.SuspectedAt = later.Add(1 - 16*minute); s.LookedAt = noon.Add(1) }, "EG_1", egress.ActNothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := watched(t)
			tc.change(s)
			s.Suspect(tc.id, later)
			require.Equal(t, tc.want, s.Due(later))
		})
	}
}

func TestOnlyWhatIsWatchedCanBeSuspected(t *testing.T) {
	t.Parallel()
	for _, phase := range []egress.Phase{egress.Requested, egress.Held, egress.Settled, egress.Delivered} {
		s := watched(t)
		s.Phase = phase
		s.Suspect("EG_1", noon)
		require.Zero(t, s.SuspectedAt, phase)
	}
}

func TestALookAnswersASuspicion(t *testing.T) {
	t.Parallel()
	s := watched(t)
	s.Suspect("EG_1", noon.Add(minute))
	require.Equal(t, noon.Add(minute), s.NextLook())
	s.Looked(egress.Look{}, noon.Add(minute+1))
	require.Equal(t, noon.Add(minute+1+patience()), s.NextLook())
}
