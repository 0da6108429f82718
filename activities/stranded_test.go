package activities_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestADeepRoundSaysWhichVersionsOfWorkersNobodyRuns(t *testing.T) {
	t.Parallel()
	before := map[string]time.Time{"r:v1": time.Now().Add(-15 * time.Minute), "r:v2": time.Now().Add(-4 * time.Minute)}
	for name, tc := range map[string]struct {
		deep  bool
		b     *both
		words []string
		want  int64
		kept  []string
	}{
		"two":          {true, &both{stranded: map[string]int64{"r:v2": 1, "r:v1": 20}}, []string{"no worker of version r:v1 polls, and recordings wait for one: 20", "no worker of version r:v2 polls, and recordings wait for one: 1"}, 21, []string{"r:v1", "r:v2"}},
		"one still":    {true, &both{stranded: map[string]int64{"r:v1": 20}}, []string{"no worker of version r:v1 polls, and recordings wait for one: 20"}, 20, []string{"r:v1"}},
		"none":         {true, &both{}, nil, 0, nil},
		"nobody knows": {true, &both{stranded: map[string]int64{"r:v1": 20}, strandedErr: because(egress.Denied)}, nil, 0, nil},
		"not deep":     {false, &both{stranded: map[string]int64{"r:v1": 20}}, nil, 0, []string{"r:v1", "r:v2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m metrics
			r := strandedRound(t, &m, tc.b, activities.RoundRequest{At: time.Now(), Deep: tc.deep, Stranded: before})
			require.Equal(t, tc.words, r.Words)
			require.Equal(t, tc.want, m.sum(activities.MetricStranded, nil))
			require.ElementsMatch(t, tc.kept, slices.Collect(maps.Keys(r.Stranded)))
			for version, since := range r.Stranded {
				require.True(t, since.Equal(before[version]), "it is so since the first round that found it")
			}
			if tc.deep {
				require.WithinDuration(t, time.Now().Add(-4*time.Minute), tc.b.strandedSince, 10*time.Second)
			} else {
				require.Zero(t, tc.b.strandedSince)
			}
		})
	}
}

// A Temporal that has just restarted remembers no worker that has not polled since.
func TestAVersionThatOneRoundAloneMissesIsNotCalledStranded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tc := range map[string]struct {
		before map[string]time.Time
		anew   time.Time
	}{
		"none before it":            {map[string]time.Time{"r:v2": now.Add(-time.Hour)}, time.Time{}},
		"but one just before it":    {map[string]time.Time{"r:v1": now.Add(-time.Minute)}, time.Time{}},
		"but one before a long gap": {map[string]time.Time{"r:v1": now.Add(-time.Hour)}, now},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m metrics
			b := &both{stranded: map[string]int64{"r:v1": 20}}
			r := strandedRound(t, &m, b, activities.RoundRequest{At: now, Deep: true, Anew: tc.anew, Stranded: tc.before})
			require.Empty(t, r.Words)
			require.Zero(t, m.sum(activities.MetricStranded, nil))
			require.Len(t, r.Stranded, 1)
			require.WithinDuration(t, now, r.Stranded["r:v1"], time.Minute+10*time.Second, "the next round knows")
		})
	}
}

// strandedRound makes a round after those that the request tells of.
func strandedRound(t *testing.T, m *metrics, b *both, in activities.RoundRequest) (r egress.Round) {
	t.Helper()
	a, env := reconciler(t, b, egress.Expectation{}), m.env()
	env.RegisterActivity(a.Reconcile)
	v, err := env.ExecuteActivity(a.Reconcile, in)
	require.NoError(t, err, "no round fails for it")
	require.NoError(t, v.Get(&r))
	return r
}
