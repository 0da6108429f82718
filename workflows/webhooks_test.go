package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// hooked is a request with webhooks of the caller's own.
func hooked(t *testing.T, urls ...string) egress.Input {
	t.Helper()
	var hooks []map[string]string
	for _, u := range urls {
		hooks = append(hooks, map[string]string{"url": u, "signing_key": "theirs"})
	}
	b, err := json.Marshal(map[string]any{"room_composite": map[string]any{
		"room_name": "standup", "file_outputs": []any{map[string]any{"filepath": "x.mp4"}}, "webhooks": hooks,
	}})
	require.NoError(t, err)
	var in egress.Input
	require.NoError(t, json.Unmarshal(b, &in))
	return in
}

// lived is LiveKit's four events of a life.
func (l *life) lived() {
	l.webhook(time.Second, egress.EventStarted, message(egressID, lk.EgressStatus_EGRESS_STARTING))
	l.webhook(2*time.Second, egress.EventUpdated, message(egressID, active))
	l.webhook(10*time.Second, egress.EventUpdated, message(egressID, lk.EgressStatus_EGRESS_ENDING))
	l.webhook(11*time.Second, egress.EventEnded, message(egressID, complete))
}

func TestTheCallersOwnWebhooksAreServedInOrderAndTheEndComesLast(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.lived()

	l.mustRun(hooked(t, "https://a.example.com/hook"))

	require.Equal(t, []string{"0 egress_started", "0 egress_updated", "0 egress_updated", "0 egress_ended"}, l.told)
	require.Len(t, l.announced, 1, "and the consumer of the settings is told")
}

// The part's end is told while the next one is asked for, which is refused then: it is the
// recording's, and LiveKit's late webhooks are of it again.
func TestNothingOfTheWayIsRelayedAfterTheEnd(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]time.Duration{"while the next part is asked for": time.Minute, "once it is refused": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _ := recovering(t, 3)
			l.refusesInTheEnd(2)
			l.agreesTo(func(p *egress.Policy) { p.CorrectFor = egress.Duration(24 * time.Hour) })
			l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
			l.webhook(late, egress.EventUpdated, part(1, active, 5))

			v := l.mustRun(hooked(t, "https://a.example.com/hook"))

			require.Empty(t, v.Parts)
			require.Equal(t, []string{"0 egress_ended"}, l.told)
		})
	}
}

func TestTheNextPartsEventsAreRelayedToo(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]egress.Status{"after a part": "", "after one that was told as lost before": egress.Lost} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _ := recovering(t, 1)
			in, terms := hooked(t, "https://a.example.com/hook"), terms()
			terms.Steps, terms.Recover = append(terms.Steps, egress.WebhookStep(0)), 1
			in.Carried = &egress.State{
				Terms: terms, Phase: egress.Watching, Part: 1, ID: egressID, Started: true, Latest: infoOf(t, part(1, active, 1)), NewsAt: l.Now(), Corrects: wrong,
			}
			l.webhook(10*time.Second, egress.EventEnded, part(1, failed, 10))
			l.webhook(time.Minute, egress.EventUpdated, part(2, active, 60))
			l.webhook(2*time.Minute, egress.EventEnded, part(2, complete, 120))

			l.mustRun(in)

			require.Equal(t, []string{"0 egress_ended", "0 egress_updated", "0 egress_ended"}, l.told)
		})
	}
}

// It was told as lost, and shows that it lives: its events are those of after an end.
func TestARunThatGoesOnAfterACorrectionRelaysNothing(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	in, terms := hooked(t, "https://a.example.com/hook"), terms()
	terms.Steps = append(terms.Steps, egress.WebhookStep(0))
	in.Carried = &egress.State{
		Terms: terms, Phase: egress.Watching, Part: 1, ID: egressID, Started: true, Latest: infoOf(t, message(egressID, active)), NewsAt: l.Now(), Corrects: egress.Lost,
	}
	l.webhook(time.Minute, egress.EventUpdated, message(egressID, lk.EgressStatus_EGRESS_ENDING))
	l.webhook(2*time.Minute, egress.EventEnded, message(egressID, complete))

	l.mustRun(in)

	require.Equal(t, []string{"0 egress_ended"}, l.told)
}

func TestALostWebhookReachesTheCallersOwnAllTheSame(t *testing.T) {
	t.Parallel()
	l := newLife(t)

	v := l.mustRun(hooked(t, "https://a.example.com/hook", "https://b.example.com/hook"))

	require.Equal(t, egress.FromPoll, v.EndedBy)
	require.ElementsMatch(t, []string{"0 egress_ended", "1 egress_ended"}, l.told)
	require.ElementsMatch(t, []string{"announce", "webhook-1", "webhook-2"}, v.Delivered)
}

// The door started it past Temporal, which had it all the same: nobody took the webhook
// out of the request that LiveKit has.
func TestAnOwnWebhookThatLiveKitServesIsNotToldOfTheEndByUs(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	theirs := func(status lk.EgressStatus) *lk.EgressInfo {
		m := message(egressID, status)
		m.Request = &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{Webhooks: []*lk.WebhookConfig{{Url: "https://a.example.com/hook"}}}}
		return m
	}
	l.start = func(context.Context) (activities.Started, error) {
		return activities.Started{Info: infoOf(t, theirs(lk.EgressStatus_EGRESS_STARTING)), Terms: terms()}, nil
	}
	l.webhook(time.Second, egress.EventUpdated, theirs(active))
	l.webhook(time.Minute, egress.EventEnded, theirs(complete))

	v := l.mustRun(hooked(t, "https://a.example.com/hook"))

	require.Empty(t, l.told, "of nothing on the way either")
	require.Equal(t, []string{"announce"}, v.Delivered)
	require.Len(t, l.announced, 1, "but the consumer of the settings is told")
}

func TestWhatWaitsToBeRelayedAtTheEndIsDropped(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end  *lk.EgressInfo
		want []string
	}{
		"of the recording": {part(1, complete, 5), []string{"egress_started EG_1", "egress_ended EG_1"}},
		"of a part":        {part(1, failed, 5), []string{"egress_started EG_1", "egress_ended EG_1", "egress_updated EG_2", "egress_ended EG_2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _ := recovering(t, 1)
			l.OnActivity("Tell", mock.Anything, mock.Anything).After(5 * time.Second).Return(func(_ context.Context, in activities.TellRequest) error {
				m := in.Event.Proto()
				l.note(func() { l.told = append(l.told, m.GetEvent()+" "+m.GetEgressInfo().GetEgressId()) })
				return nil
			})
			for n, m := range []*lk.EgressInfo{part(1, active, 2), part(1, ending, 3)} {
				l.webhook(time.Duration(n+2)*time.Second, egress.EventUpdated, m)
			}
			l.webhook(time.Second, egress.EventStarted, part(1, starting, 1))
			l.webhook(5*time.Second, egress.EventEnded, tc.end)
			l.webhook(time.Minute, egress.EventUpdated, part(2, active, 60))
			l.webhook(2*time.Minute, egress.EventEnded, part(2, complete, 120))

			l.mustRun(hooked(t, "https://a.example.com/hook"))

			require.Equal(t, tc.want, l.told)
		})
	}
}

func TestARelayThatFailsHoldsNothingUp(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.lived()
	l.tell = func(in activities.TellRequest) error {
		if in.Event.Proto().GetEvent() != egress.EventEnded {
			return errors.New("down")
		}
		return nil
	}

	v := l.mustRun(hooked(t, "https://a.example.com/hook"))

	require.Equal(t, []string{"0 egress_ended"}, l.told)
	require.Equal(t, egress.FromWebhook, v.EndedBy)
	require.Less(t, l.took(), time.Minute)
}

func TestAConsumerThatIsDownHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.lived()
	l.tell = func(in activities.TellRequest) error {
		if in.Webhook == 0 {
			return l.downFor(24*time.Hour, 5*time.Hour)
		}
		return nil
	}
	l.at(time.Hour, func() {
		require.Equal(t, []string{"1 egress_started", "1 egress_updated", "1 egress_updated", "1 egress_ended"}, l.told)
		require.Len(t, l.announced, 1)
	})

	l.mustRun(hooked(t, "https://down.example.com/hook", "https://b.example.com/hook"))

	require.Equal(t, "0 egress_ended", l.told[len(l.told)-1])
}

func TestAStepThatWaitsForAPersonHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.lived()
	broken := true
	l.tell = func(in activities.TellRequest) error {
		if in.Webhook == 0 && broken {
			return failure(egress.Invalid, "no such host")
		}
		return nil
	}
	var told error
	l.at(time.Hour, func() {
		require.Contains(t, l.state().Stuck, "webhook-1 failed for good")
		require.Contains(t, l.told, "1 egress_ended")
		broken = false
		l.update(egress.UpdateRetry, "retry", &told, "webhook-1")
	})

	v := l.mustRun(hooked(t, "https://a.example.com/hook", "https://b.example.com/hook"))

	require.NoError(t, told)
	require.Contains(t, l.told, "0 egress_ended")
	require.Len(t, v.Delivered, 3)
}

func TestWhatIsStuckIsSaidOfEachStepThatStillWaits(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.lived()
	fixed := map[int]bool{}
	l.tell = func(in activities.TellRequest) error {
		if !fixed[in.Webhook] {
			return failure(egress.Invalid, "no such host")
		}
		return nil
	}
	var told error
	l.at(time.Hour, func() {
		require.Contains(t, l.state().Stuck, "step webhook-1 failed")
		require.Contains(t, l.state().Stuck, "step webhook-2 failed")
		require.ElementsMatch(t, []string{"webhook-1", "webhook-2"}, l.state().AwaitsWord)
		fixed[1] = true
		l.update(egress.UpdateRetry, "second", &told, "webhook-2")
	})
	l.at(2*time.Hour, func() {
		require.NotContains(t, l.state().Stuck, "webhook-2")
		require.Equal(t, []string{"webhook-1"}, l.state().AwaitsWord)
		require.Contains(t, l.state().Stuck, "step webhook-1 failed")
		l.update(egress.UpdateSkip, "first", &told, "webhook-1")
	})

	v := l.mustRun(hooked(t, "https://a.example.com/hook", "https://b.example.com/hook"))

	require.NoError(t, told)
	require.Contains(t, l.told, "1 egress_ended")
	require.ElementsMatch(t, []string{"announce", "webhook-2"}, v.Delivered)
	require.Equal(t, []string{"webhook-1"}, v.Skipped)
}

func TestAnAdoptedEgressIsWatchedAndDeliveredButNotStarted(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]egress.Source{"by webhook": egress.FromWebhook, "by a poll, where that was lost": egress.FromPoll} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.slowStart(0)
			l.webhook(0, egress.EventUpdated, message(egressID, active))
			if by == egress.FromWebhook {
				l.webhook(time.Minute, egress.EventEnded, message(egressID, complete))
			}
			i := info(t, active)

			v := l.mustRun(egress.Adoption(i, egress.Extras{}))

			l.AssertActivityNotCalled(t, "Start")
			require.Equal(t, by, v.EndedBy)
			require.Equal(t, egressID, v.EgressID)
			require.Equal(t, "standup", v.Room)
			require.Len(t, l.announced, 1)
		})
	}
}

func TestAConsumerThatHearsLiveKitItselfIsToldOfWhatWasMissedAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		heard bool
		want  int
	}{"LiveKit told us": {true, 0}, "LiveKit did not": {false, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.start = func(context.Context) (activities.Started, error) {
				t := terms()
				t.MissedOnly = true
				return activities.Started{Info: info(l.t, lk.EgressStatus_EGRESS_STARTING), Terms: t}, nil
			}
			if tc.heard {
				l.lived()
			}
			v := l.mustRun(hooked(t, "https://a.example.com/hook"))
			require.Len(t, l.announced, tc.want)
			require.Contains(t, l.told, "0 egress_ended", "a webhook of the request's own is ours to serve in any case")
			require.Len(t, v.Delivered, 1+tc.want)
		})
	}
}
