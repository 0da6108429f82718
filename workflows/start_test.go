package workflows_test

import (
	"context"
	"testing"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// A plain Temporal client that was told that a start failed asks again under the same ID, and
// LiveKit may have begun the first one after all. Our own client says so itself.
func TestAPlainStartIsLookedForBeforeLiveKitIsAsked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   egress.Input
		want bool
	}{
		"plain":                      {plainInput(t), true},
		"of our client":              {egress.Input{Sealed: []byte("sealed"), Summary: &egress.Summary{Kind: egress.KindRoomComposite, Room: "standup"}}, false},
		"of our client, once failed": {egress.Input{Sealed: []byte("sealed"), Summary: &egress.Summary{Kind: egress.KindRoomComposite, Room: "standup"}, Again: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			var got []bool
			l.started = func(_ context.Context, in activities.StartRequest) (activities.Started, error) {
				got = append(got, in.Input.Again)
				return activities.Started{Info: infoOf(t, message(egressID, lk.EgressStatus_EGRESS_COMPLETE)), Terms: terms()}, nil
			}
			l.mustRun(tc.in)
			require.Equal(t, []bool{tc.want}, got)
		})
	}
}
