package egress_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestARecorderMayBeOnItsWayForFiveMinutes(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) int64 { return noon.Add(-d).UnixNano() }
	const long = 5 * minute
	for name, tc := range map[string]struct {
		m     *livekit.EgressInfo
		comes bool
	}{
		"it has just been started":         {&livekit.EgressInfo{Status: starting, StartedAt: ago(1)}, true},
		"hardly five minutes ago":          {&livekit.EgressInfo{Status: starting, StartedAt: ago(long - 1)}, true},
		"five minutes ago":                 {&livekit.EgressInfo{Status: starting, StartedAt: ago(long)}, false},
		"… and LiveKit has touched it":     {&livekit.EgressInfo{Status: starting, StartedAt: ago(long), UpdatedAt: ago(minute)}, true},
		"LiveKit has not touched it since": {&livekit.EgressInfo{Status: starting, UpdatedAt: ago(long)}, false},
		"nobody knows since when":          {&livekit.EgressInfo{Status: starting}, true},
		"it is there":                      {&livekit.EgressInfo{Status: active, StartedAt: ago(1)}, false},
		"it is done":                       {&livekit.EgressInfo{Status: ending, StartedAt: ago(1)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.comes, egress.ComesYet(tc.m, noon))
			for _, m := range wholeRoom(tc.m) {
				require.Equal(t, m.GetStatus() == starting && !tc.comes, egress.Overdue(m, noon), "of a whole room it is overdue then")
			}
			require.False(t, egress.Overdue(tc.m, noon), "but no other one")
		})
	}
}

// wholeRoom returns an egress as each of the two kinds that record a whole room.
func wholeRoom(m *livekit.EgressInfo) []*livekit.EgressInfo {
	old := &livekit.EgressInfo{Status: m.GetStatus(), StartedAt: m.GetStartedAt(), UpdatedAt: m.GetUpdatedAt()}
	unified := &livekit.EgressInfo{Status: m.GetStatus(), StartedAt: m.GetStartedAt(), UpdatedAt: m.GetUpdatedAt()}
	old.Request = &livekit.EgressInfo_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{}}
	unified.Request = &livekit.EgressInfo_Egress{Egress: &livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Template{Template: &livekit.TemplateSource{}}}}
	return []*livekit.EgressInfo{old, unified}
}
