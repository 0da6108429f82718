package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// timeline is what happens in a world, in order.
type timeline struct {
	w     *world
	began time.Time
}

func (w *world) timeline() *timeline { return &timeline{w: w, began: time.Now()} }

// At does something, that long after the beginning or as soon as its turn comes.
func (l *timeline) At(after time.Duration, what string, do func() error) {
	l.w.t.Helper()
	wait := time.NewTimer(time.Until(l.began.Add(after)))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-l.w.t.Context().Done():
	}
	require.NoError(l.w.t, do(), "at %s: %s", after, what)
}

// Want waits until something is true, which must happen within the limit.
func (l *timeline) Want(what string, so func() bool) {
	l.w.t.Helper()
	l.w.want(what, so)
}

// Everything that can be down goes down, one after the other.
func TestADayOnWhichEverythingIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	id := ""
	consumerAnswers := func(status int) func() error {
		return func() error {
			w.consumer.answerWith(func(*livekit.WebhookEvent) int { return status })
			return nil
		}
	}
	apiDown := func(down bool) func() error {
		return func() error { w.fake.SetDown(down); return nil }
	}

	l := w.timeline()
	l.At(0, "an agent starts a recording and walks away", func() error {
		id = w.start("room").Info.Proto().GetEgressId()
		return nil
	})
	l.Want("it records", func() bool { return w.statusOf(id) == livekit.EgressStatus_EGRESS_ACTIVE })
	l.At(time.Second, "the consumer is down", consumerAnswers(http.StatusInternalServerError))
	l.At(time.Second, "the webhook endpoint is down for good", func() error { w.door.Close(); return nil })
	l.At(time.Second, "LiveKit's API is down", apiDown(true))
	l.At(2*time.Second, "everybody leaves the room", func() error { return w.fake.EndCall("room") })
	l.Want("it ended on LiveKit's side", func() bool { return w.statusOf(id) == livekit.EgressStatus_EGRESS_COMPLETE })
	l.At(3*time.Second, "nobody knows yet", func() error {
		require.Equal(t, egress.Watching, w.state("room").Phase)
		require.Empty(t, w.consumer.told(id))
		return nil
	})
	l.At(3*time.Second, "LiveKit's API is back", apiDown(false))
	l.Want("the consumer is asked, twice", func() bool { return len(w.consumer.told(id)) >= 2 })
	l.At(4*time.Second, "the consumer is back", consumerAnswers(http.StatusOK))

	v := w.verdict("room")

	require.Equal(t, egress.Status("EGRESS_COMPLETE"), v.Status)
	require.Equal(t, egress.FromPoll, v.EndedBy)
	require.NotEmpty(t, v.Missed)
	require.Equal(t, []string{egress.StepAnnounce}, v.Delivered)
	require.Zero(t, w.twins())
}
