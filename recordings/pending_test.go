package recordings

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhoseRunItIsIsToldByItsRequestOrItsRoom(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		asked, runs string // rooms
		fingerprint string // of the run
		another     bool
	}{
		"the same request":                       {"daily", "daily", "F1", false},
		"another request of the room":            {"daily", "daily", "F2", true},
		"an adopted one of the room":             {"daily", "daily", "", false},
		"an adopted one of another room":         {"daily", "weekly", "", true},
		"an adopted one, of which none is known": {"daily", "", "", false},
		"a page, of which none is known":         {"", "weekly", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, err := egress.NewInfo(&livekit.EgressInfo{EgressId: "EG_1", RoomName: tc.runs})
			require.NoError(t, err)
			a := ask{input: egress.Input{Summary: &egress.Summary{Room: tc.asked}, Fingerprint: "F1"}}
			require.Equal(t, tc.another, a.another(birth{fingerprint: tc.fingerprint}, i))
		})
	}
}
