package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestTheDetailsTellTheStoryOfEachPhase(t *testing.T) {
	t.Parallel()
	stuck := watched(t)
	stuck.Stuck, stuck.EndExpected = "it runs for over 12h0m0s", noon.Add(time.Minute)
	stuck.Want(egress.StopRequested, noon.Add(time.Minute))
	lost := watched(t)
	lost.Steps = []string{"verify", "announce"}
	lost.GiveUp(egress.FromTimeout, "its room is gone", noon)
	unanswered := seen(t, starting)
	for name, tc := range map[string]struct {
		state *egress.State
		want  string
	}{
		"requested": {seen(t), "- **phase**: requested\n- **waits for**: LiveKit to confirm the start\n"},
		"told by a webhook before the start answers": {unanswered, "- **phase**: watching\n- **egress**: EG_1, EGRESS_STARTING\n" +
			"- **last news**: from start at 2026-11-23 12:00:00 UTC\n"},
		"stuck": {stuck, "- **needs a person**: it runs for over 12h0m0s\n- **phase**: watching\n- **egress**: EG_1, EGRESS_ACTIVE\n" +
			"- **last news**: from start at 2026-11-23 12:00:00 UTC\n- **stop**: requested at 2026-11-23 12:01:00 UTC\n" +
			"- **waits for**: LiveKit's webhook; asks LiveKit itself from 2026-11-23 12:01:20 UTC\n- **end expected since**: 2026-11-23 12:01:00 UTC\n"},
		"lost": {lost, "- **phase**: settled\n- **egress**: EG_1, EGRESS_ACTIVE\n- **last news**: from timeout at 2026-11-23 12:00:00 UTC\n" +
			"- **ended**: LOST, told by timeout\n- **lost**: its room is gone\n- **waits for**: delivery: verify, announce\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.state.Details())
		})
	}
}
