package egress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// What ends while a later part is being started may have begun before it.
func TestWhatMayBeThePartThatIsBeingStarted(t *testing.T) {
	t.Parallel()
	stopped := func(s *egress.State) { s.Twins = []string{"EG_2"} }
	asIs := func(*egress.State) {}
	answered := func(s *egress.State) { s.Started = true }
	first := func(s *egress.State) { s.Part = 1 }
	for name, tc := range map[string]struct {
		status livekit.EgressStatus
		by     egress.Source
		change func(*egress.State)
		want   egress.News
	}{
		"what starts":                       {starting, egress.FromWebhook, asIs, egress.Moved},
		"what records":                      {active, egress.FromWebhook, asIs, egress.Moved},
		"not what uploads already":          {ending, egress.FromWebhook, asIs, egress.Foreign},
		"not what has ended already":        {complete, egress.FromWebhook, asIs, egress.Foreign},
		"nor by a poll":                     {complete, egress.FromPoll, asIs, egress.Foreign},
		"but by the start":                  {complete, egress.FromStart, asIs, egress.Moved},
		"… while it uploads":                {ending, egress.FromStart, asIs, egress.Moved},
		"what ended, once the start is had": {complete, egress.FromWebhook, answered, egress.Moved},
		"what ended, of the first part":     {complete, egress.FromWebhook, first, egress.Moved},
		"no twin that was stopped":          {active, egress.FromWebhook, stopped, egress.Foreign},
		"nor its end":                       {complete, egress.FromWebhook, stopped, egress.Foreign},
		"but a twin by the start":           {active, egress.FromStart, stopped, egress.Moved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &egress.State{Phase: egress.Requested, Part: 2, Terms: egress.Terms{Policy: egress.DefaultPolicy()}}
			tc.change(s)
			o := observed(ofPart(t, "EG_2", tc.status, 75, 80), minute)
			o.Source = tc.by
			require.Equal(t, tc.want, s.Observe(o))
			require.Equal(t, tc.want == egress.Moved, s.ID == "EG_2")
			require.False(t, s.ID == "EG_2" && len(s.Twins) > 0, "what is bound is no twin")
		})
	}
}

func TestAPartThatShowedItselfEndsAlsoBeforeItsStartIsAnswered(t *testing.T) {
	t.Parallel()
	s := &egress.State{Phase: egress.Requested, Part: 2, Terms: egress.Terms{Policy: egress.DefaultPolicy()}}
	require.Equal(t, egress.Moved, s.Observe(observed(ofPart(t, "EG_2", active, 75, 80), minute)))
	require.Equal(t, egress.Moved, s.Observe(observed(ofPart(t, "EG_2", complete, 75, 90), 2*minute)))
	require.Equal(t, egress.Settled, s.Phase)
}

func TestWhichRoomAnEgressIsOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		latest egress.Info
		want   string
	}{
		"LiveKit's word":           {infoOf(t, "EG_1", active), "daily"},
		"what was asked for":       {egress.Info{}, "asked"},
		"a page, in none":          {pageInRoom(t), ""},
		"where LiveKit names none": {infoWith(t, active, func(m *livekit.EgressInfo) { m.RoomName = "" }), "asked"},
	} {
		s := &egress.State{Latest: tc.latest}
		require.Equal(t, tc.want, s.Room("asked"), name)
	}
}
