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

// ofRunBefore returns a life that begins an hour after an earlier recording of the same ID did, and
// an egress of that one.
func ofRunBefore(t *testing.T, status lk.EgressStatus) (*life, *lk.EgressInfo) {
	t.Helper()
	l := newLife(t)
	l.SetStartTime(time.Unix(3600, 0))
	l.began = l.Now()
	before := message("EG_0", status)
	if egress.Ended(status) {
		before.EndedAt = l.began.Add(-10 * time.Second).UnixNano()
	}
	own := func(status lk.EgressStatus) *lk.EgressInfo {
		m := message(egressID, status)
		m.StartedAt = l.began.UnixNano()
		return m
	}
	l.slowStart(10 * time.Second)
	l.poll = l.nothingNew
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: infoOf(t, own(starting)), Terms: terms()}, nil
	}
	l.webhook(10*time.Minute, egress.EventEnded, own(complete))
	return l, before
}

// LiveKit repeats a webhook for up to 65 s, and by then the ID may record anew.
func TestALateWebhookOfTheRecordingBeforeIsNotOfThisOne(t *testing.T) {
	t.Parallel()
	for event, status := range map[string]lk.EgressStatus{egress.EventEnded: complete, egress.EventUpdated: ending} {
		for when, after := range map[string]time.Duration{"as LiveKit is asked for this one": time.Second, "as this one records": time.Minute} {
			t.Run(event+" "+when, func(t *testing.T) {
				t.Parallel()
				l, m := ofRunBefore(t, status)
				l.webhook(after, event, m)

				v := l.mustRun(plainInput(t))

				require.Empty(t, l.stops)
				require.Equal(t, egressID, v.EgressID)
				require.Empty(t, v.Parts)
				require.Equal(t, []lk.EgressStatus{complete}, l.toldOf())
			})
		}
	}
}

// No run has told of it, or the round would have left it out.
func TestWhatARoundSaysOfARecordingBeforeIsToldOnceThisOneHasBegun(t *testing.T) {
	t.Parallel()
	l, m := ofRunBefore(t, failed)
	l.at(time.Second, func() { l.SignalWorkflow(egress.SignalReconciled, webhook(t, "", m)) })

	v := l.mustRun(plainInput(t))

	require.Equal(t, egressID, v.EgressID)
	require.Len(t, v.Parts, 2)
	require.Equal(t, []lk.EgressStatus{failed, complete}, l.toldOf())
}

func TestAnEndFromBeforeARunThatIsToLookForItIsTaken(t *testing.T) {
	t.Parallel()
	l, m := ofRunBefore(t, complete)
	l.webhook(time.Second, egress.EventEnded, m)
	in := plainInput(t)
	in.Again = true

	require.Equal(t, "EG_0", l.mustRun(in).EgressID)
}
