package recordings

import (
	"testing"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// LiveKit calls an egress active for good whose worker died, and the search attribute is told
// of the verdict last.
func TestTheStatusThatIsShownIsTheWorkflowsOwn(t *testing.T) {
	t.Parallel()
	active, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", Status: livekit.EgressStatus_EGRESS_ACTIVE})
	must(t, err)
	for name, tc := range map[string]struct {
		state egress.State
		want  egress.Status
	}{
		"nothing is known yet":        {egress.State{}, "EGRESS_STARTING"},
		"it records":                  {egress.State{Latest: active}, "EGRESS_ACTIVE"},
		"it is lost, and not told of": {egress.State{Latest: active, Status: egress.Lost}, egress.Lost},
	} {
		v := View{Row: Row{Status: "EGRESS_STARTING"}}
		if v.shows(tc.state); v.Status != tc.want {
			t.Errorf("%s: got %s, want %s", name, v.Status, tc.want)
		}
	}
}
