package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestAListedEventIsOfLiveKitsLatestTime(t *testing.T) {
	t.Parallel()
	second := time.Second.Nanoseconds()
	for name, m := range map[string]*livekit.EgressInfo{
		"updated": {StartedAt: 2 * second, UpdatedAt: 1700000000 * second, EndedAt: 3 * second},
		"ended":   {StartedAt: 2 * second, UpdatedAt: 3 * second, EndedAt: 1700000000 * second},
		"started": {StartedAt: 1700000000*second + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m.EgressId = "EG_1"
			e, err := egress.ListedEvent(m)
			require.NoError(t, err)
			require.Equal(t, int64(1700000000), e.Proto().GetCreatedAt())
			require.Len(t, e.Proto().GetId(), len("EV_")+12, "as long as LiveKit's")
		})
	}
}

func TestAnEgressThatCannotBeWrittenIsNoEvent(t *testing.T) {
	t.Parallel()
	_, err := egress.ListedEvent(&livekit.EgressInfo{EgressId: "EG_1", RoomName: "\xff"})
	require.ErrorContains(t, err, "encode EgressInfo")
}

func TestAClassIsAddedToAnEventThatIsOne(t *testing.T) {
	t.Parallel()
	_, err := egress.Event{}.WithMissed(egress.MissedDown, "it was away")
	require.ErrorContains(t, err, "class of a missed webhook")

	e, err := egress.ListedEvent(&livekit.EgressInfo{EgressId: "EG_1", Status: complete})
	require.NoError(t, err)
	with, err := e.WithMissed(egress.MissedDown, "")
	require.NoError(t, err)
	require.Contains(t, string(with.Raw()), `"missed":"endpoint_down"`)
	require.NotContains(t, string(with.Raw()), "missedBecause")
}

func TestAListOfARoundHoldsFifty(t *testing.T) {
	t.Parallel()
	require.Len(t, egress.AppendBounded(make([]string, 49), "word"), 50)
	require.Len(t, egress.AppendBounded(make([]string, 50), "word"), 50)
}
