package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Temporal forgets the workflow after the retention, and the egress would be taken for a stray.
func TestAnEndThatLiveKitNeverForgetsIsNotAnnouncedAgain(t *testing.T) {
	t.Parallel()
	s := egress.Sighting{At: noon, Deep: true, First: noon.Add(-30 * 24 * time.Hour), Grace: egress.Duration(grace)}
	s.Listed = all(listed("EG_1", finished, of("r"), ago(egress.Remembered+1)), listed("EG_2", finished, ago(8*24*time.Hour)))
	require.Equal(t, egress.Plan{SeenBefore: 2}, egress.PlanRound(s))
	s.Listed = all(listed("EG_1", finished, of("r"), ago(egress.Remembered)))
	require.Len(t, egress.PlanRound(s).Measures, 1)
}

func TestOnlyADeepRoundTakesWhatIsStillToComeAndOnlyAnEnd(t *testing.T) {
	t.Parallel()
	did, _ := plan(false, all(listed("EG_1", finished, of("r"), ago(-2*time.Hour))), have(ours("r", "EG_1")))
	require.Equal(t, does("waiting 1"), did)
	did, _ = plan(true, all(listed("EG_1", active, ago(-2*time.Hour))), nil)
	require.Equal(t, does("waiting 1"), did)
}
