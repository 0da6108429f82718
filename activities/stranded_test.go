package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

func TestADeepRoundSaysWhichVersionsOfWorkersNobodyRuns(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		deep  bool
		b     *both
		words []string
		want  int64
	}{
		"two":          {true, &both{stranded: map[string]int64{"r:v2": 1, "r:v1": 20}}, []string{"no worker of version r:v1 polls, and recordings wait for one: 20", "no worker of version r:v2 polls, and recordings wait for one: 1"}, 21},
		"none":         {true, &both{}, nil, 0},
		"nobody knows": {true, &both{stranded: map[string]int64{"r:v1": 20}, strandedErr: because(egress.Denied)}, nil, 0},
		"not deep":     {false, &both{stranded: map[string]int64{"r:v1": 20}}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m metrics
			r, err := attempt(t, m.env(), tc.b, tc.deep, egress.Expectation{})
			require.NoError(t, err, "no round fails for it")
			require.Equal(t, tc.words, r.Words)
			require.Equal(t, tc.want, m.sum(activities.MetricStranded, nil))
			if tc.deep {
				require.WithinDuration(t, time.Now().Add(-4*time.Minute), tc.b.strandedSince, 10*time.Second)
			} else {
				require.Zero(t, tc.b.strandedSince)
			}
		})
	}
}
