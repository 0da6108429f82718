package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// classes are what the search attributes said of a missed webhook, one after the other.
func (l *life) classes() *[]string {
	var said []string
	key := temporal.NewSearchAttributeKeyKeyword(egress.AttributeMissed)
	l.OnUpsertTypedSearchAttributes(mock.Anything).Run(func(args mock.Arguments) {
		if class, ok := args.Get(0).(temporal.SearchAttributes).GetKeyword(key); ok {
			said = append(said, class)
		}
	}).Return(nil)
	return &said
}

// missed lets the poll find the end, and the endpoint down.
func (l *life) missed() {
	l.poll = func(activities.PollRequest) (egress.Look, error) {
		return egress.Look{Info: info(l.t, complete), Missed: egress.MissedDown, MissedBecause: "it was away"}, nil
	}
}

func TestAVerdictSaysWhyItsWebhookWasMissed(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.missed()
	said := l.classes()

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.MissedDown, v.Missed)
	require.Equal(t, "it was away", v.MissedBecause)
	require.Equal(t, []string{"endpoint_down"}, *said)
	require.False(t, l.polls[0].WebhookSeen)
}

func TestAWebhookThatComesWhileTheConsumerIsWaitedForWasLate(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.missed()
	said := l.classes()
	l.webhook(time.Second, egress.EventStarted, message(egressID, active))
	l.announce = func(egress.Event) error {
		if l.took() < 10*time.Minute {
			return errors.New("the consumer is down")
		}
		return nil
	}
	l.webhook(8*time.Minute, egress.EventEnded, message(egressID, complete))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.FromPoll, v.EndedBy, "the first end is the end")
	require.Equal(t, egress.MissedLate, v.Missed)
	require.Equal(t, []string{"endpoint_down", "late"}, *said)
	require.True(t, l.polls[0].WebhookSeen, "an intermediate webhook had come")
}

func TestAWebhookThatComesWhileAFailureMayStillBeCorrectedWasLate(t *testing.T) {
	t.Parallel()
	l := holding(t)
	l.poll = func(in activities.PollRequest) (egress.Look, error) {
		if wait := in.From.Sub(l.Now()); wait > 0 {
			return egress.Look{}, temporal.NewApplicationErrorWithOptions("not due", string(egress.StillGoing), temporal.ApplicationErrorOptions{NextRetryDelay: wait})
		}
		return egress.Look{Info: infoOf(t, part(1, failed, 60)), Missed: egress.MissedDown, MissedBecause: "it was away"}, nil
	}
	said := l.classes()
	l.webhook(2*time.Hour, egress.EventEnded, part(1, failed, 60))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.MissedLate, v.Missed)
	require.Equal(t, []string{"endpoint_down", "late"}, *said)
}

func TestWhyTheWebhookOfAnEarlierPartWasMissedIsKept(t *testing.T) {
	t.Parallel()
	l, _ := recovering(t, 1)
	l.poll = l.firstIsGone
	l.at(10*time.Minute, func() {
		e, err := egress.ListedEvent(part(1, complete, 600))
		require.NoError(t, err)
		e, err = e.WithMissed(egress.MissedDown, "it was away")
		require.NoError(t, err)
		l.SignalWorkflow(egress.SignalReconciled, e)
	})
	l.webhook(20*time.Minute, egress.EventEnded, part(2, complete, 1200))

	v := l.mustRun(plainInput(t))

	require.Equal(t, egress.FromReconcile, v.Parts[0].EndedBy)
	require.Equal(t, egress.MissedDown, v.Parts[0].Missed)
	require.Equal(t, "it was away", v.Parts[0].MissedBecause)
}
