package workflows_test

import (
	"context"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	starting = lk.EgressStatus_EGRESS_STARTING
	active   = lk.EgressStatus_EGRESS_ACTIVE
	ending   = lk.EgressStatus_EGRESS_ENDING
	complete = lk.EgressStatus_EGRESS_COMPLETE
	aborted  = lk.EgressStatus_EGRESS_ABORTED
)

// How an end is learned, by which source, and when at the latest.
func TestEndIsLearned(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		script     func(l *life)
		wantStatus egress.Status
		wantBy     egress.Source
		wantTook   time.Duration
	}{
		{"all four webhooks come", func(l *life) {
			l.webhook(time.Second, egress.EventStarted, message(egressID, starting))
			l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
			l.webhook(9*time.Second, egress.EventUpdated, message(egressID, ending))
			l.webhook(10*time.Second, egress.EventEnded, message(egressID, complete))
		}, "EGRESS_COMPLETE", egress.FromWebhook, 10 * time.Second},
		{"every webhook is lost", func(*life) {}, "EGRESS_COMPLETE", egress.FromPoll, 15 * time.Second},
		{"the last webhook is lost, and ENDING was seen", func(l *life) {
			l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
			l.webhook(9*time.Second, egress.EventUpdated, message(egressID, ending))
		}, "EGRESS_COMPLETE", egress.FromPoll, 29 * time.Second},
		{"repeated, late and disordered webhooks change nothing", func(l *life) {
			for _, m := range []*lk.EgressInfo{
				message(egressID, ending), message(egressID, active), message(egressID, ending),
				message(egressID, starting), message(egressID, active),
			} {
				l.webhook(time.Second, egress.EventUpdated, m)
			}
			l.webhook(2*time.Second, egress.EventEnded, message(egressID, aborted))
			l.webhook(2*time.Second, egress.EventEnded, message(egressID, complete))
		}, "EGRESS_ABORTED", egress.FromWebhook, 2 * time.Second},
		{"the event's name is final even where the status is unknown", func(l *life) {
			l.webhook(3*time.Second, egress.EventEnded, message(egressID, lk.EgressStatus(42)))
		}, "42", egress.FromWebhook, 3 * time.Second},
		{"the room finishes and no webhook of the egress comes", func(l *life) {
			l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
			l.at(30*time.Second, func() { l.SignalWorkflow(egress.SignalHint, hint(l.t, egress.EventRoomFinished, roomID, "")) })
		}, "EGRESS_COMPLETE", egress.FromPoll, 50 * time.Second},
		{"another room of the same name finishes", func(l *life) {
			l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
			l.at(30*time.Second, func() { l.SignalWorkflow(egress.SignalHint, hint(l.t, egress.EventRoomFinished, "RM_other", "")) })
			l.webhook(100*time.Second, egress.EventEnded, message(egressID, complete))
		}, "EGRESS_COMPLETE", egress.FromWebhook, 100 * time.Second},
		{"its own participant leaves", func(l *life) {
			l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
			l.at(30*time.Second, func() {
				l.SignalWorkflow(egress.SignalHint, hint(l.t, egress.EventParticipantLeft, roomID, egressID))
			})
		}, "EGRESS_COMPLETE", egress.FromPoll, 50 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			tt.script(l)

			v := l.mustRun(plainInput(t))

			require.Equal(t, tt.wantStatus, v.Status)
			require.Equal(t, tt.wantBy, v.EndedBy)
			require.InDelta(t, tt.wantTook.Seconds(), l.took().Seconds(), 0.1)
			require.Len(t, l.announced, 1)
		})
	}
}

func TestWebhookBeforeTheStartReplyConfirmsTheStart(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{}, temporal.NewNonRetryableApplicationError("gone", string(egress.TooLate), nil)
	}
	l.OnActivity("Start", mock.Anything, mock.Anything).After(20 * time.Second).Return(func(ctx context.Context, _ activities.StartRequest) (activities.Started, error) {
		return l.start(ctx)
	})
	l.webhook(time.Second, egress.EventStarted, message(egressID, starting))
	l.webhook(5*time.Second, egress.EventEnded, message(egressID, complete))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.FromWebhook, v.EndedBy)
	require.Len(t, l.announced, 1, "the terms come from the worker when the start never answers")
}
