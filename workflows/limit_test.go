package workflows_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// uploads is a LiveKit whose egress is at its limit, and lists it as active until it has uploaded.
type uploads struct{ activities.API }

func (uploads) Stop(_ context.Context, id string) (*lk.EgressInfo, error) {
	return message(id, lk.EgressStatus_EGRESS_LIMIT_REACHED), nil
}

func (uploads) Answers(context.Context, string) error { return nil }

func (uploads) Get(_ context.Context, id string) (*lk.EgressInfo, error) {
	return message(id, active), nil
}

func TestARecordingAtItsLimitIsNotToldBeforeItHasUploaded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		does  func(*life)
		stops []string
	}{
		"a probe": {func(l *life) {
			l.at(10*time.Second, func() { l.SignalWorkflow(egress.SignalHint, hint(t, egress.EventParticipantLeft, roomID, egressID)) })
		}, nil},
		"a stop": {func(l *life) { l.at(10*time.Second, func() { l.askStop("stop", nil) }) }, []string{egressID}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.stillActive()
			livekit := activities.NewLiveKit(activities.Config{}, uploads{}, nil)
			l.stop = func(id string) (egress.Info, error) { return livekit.Stop(t.Context(), id, false) }
			l.answers = func(string) (egress.Info, error) { return livekit.Stop(t.Context(), egressID, true) }
			l.webhook(time.Second, egress.EventUpdated, message(egressID, active))
			tc.does(l)
			l.webhook(10*time.Minute, egress.EventEnded, part(1, failed, 600))

			v := l.mustRun(plainInput(t))

			require.Equal(t, tc.stops, l.stops)
			require.Equal(t, egress.Status("EGRESS_FAILED"), v.Status)
			require.Equal(t, []lk.EgressStatus{failed}, l.toldOf())
		})
	}
}
