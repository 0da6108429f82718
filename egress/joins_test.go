package egress_test

import (
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestHowARecorderJoinsItsRoom(t *testing.T) {
	t.Parallel()
	template := func(own string) *livekit.EgressInfo {
		return &livekit.EgressInfo{Request: &livekit.EgressInfo_RoomComposite{RoomComposite: &livekit.RoomCompositeEgressRequest{CustomBaseUrl: own}}}
	}
	unified := func(r *livekit.StartEgressRequest) *livekit.EgressInfo {
		return &livekit.EgressInfo{Request: &livekit.EgressInfo_Egress{Egress: r}}
	}
	for name, tc := range map[string]struct {
		m    *livekit.EgressInfo
		want string
	}{
		"room composite":             {template(""), "template"},
		"room composite by own page": {template("https://page.example.com"), ""},
		"unified template":           {unified(&livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Template{}}), "template"},
		"unified own page": {unified(&livekit.StartEgressRequest{
			Source: &livekit.StartEgressRequest_Template{Template: &livekit.TemplateSource{CustomBaseUrl: "https://page.example.com"}},
		}), ""},
		"unified media":   {unified(&livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Media{}}), "itself"},
		"unified web":     {unified(&livekit.StartEgressRequest{Source: &livekit.StartEgressRequest_Web{}}), ""},
		"unified, empty":  {unified(nil), ""},
		"participant":     {&livekit.EgressInfo{Request: &livekit.EgressInfo_Participant{}}, "itself"},
		"track composite": {&livekit.EgressInfo{Request: &livekit.EgressInfo_TrackComposite{}}, "itself"},
		"track":           {&livekit.EgressInfo{Request: &livekit.EgressInfo_Track{}}, "itself"},
		"web":             {&livekit.EgressInfo{Request: &livekit.EgressInfo_Web{}}, ""},
		"nothing":         {nil, ""},
	} {
		require.Equal(t, tc.want, egress.Joins(tc.m), name)
	}
}
