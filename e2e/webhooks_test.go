package e2e

import (
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// names returns the events that a consumer got of an egress, in order.
func (c *consumer) names(egressID string) []string {
	var list []string
	for _, e := range c.told(egressID) {
		list = append(list, e.GetEvent())
	}
	return list
}

// We deliver to a request's own webhooks: LiveKit only gets ours.
func TestTheWebhooksThatARequestNamesKeepWorking(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]fakelivekit.RoomScript{
		"whole":     {Call: 2 * time.Second},
		"all-lost":  {Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}},
		"disorder":  {Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookOutOfOrder}},
		"repeated":  {Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookRepeated}},
		"never-end": {Call: 2 * time.Second, Faults: []fakelivekit.Fault{fakelivekit.Zombie}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.startWorker()
			theirs := newConsumer(t)
			w.room(name, script)
			req := composite(name).(*livekit.RoomCompositeEgressRequest)
			req.Webhooks = []*livekit.WebhookConfig{{Url: theirs.URL + "/hook?key=theirs", SigningKey: apiKey}}
			s, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: "r-" + name, Request: req})
			require.NoError(t, err)
			time.AfterFunc(script.Call, func() { _ = w.fake.EndCall(name) })
			id := s.Info.Proto().GetEgressId()

			v := w.verdict(name)

			sent := w.fake.Egresses()[0].Info
			hooks := egress.Webhooks(sent)
			require.Len(t, hooks, 1, "LiveKit has ours in the place of theirs")
			_, ours := egress.ParseToken(hooks[0].GetUrl())
			require.True(t, ours)
			names := theirs.names(id)
			require.Equal(t, egress.EventEnded, names[len(names)-1], "the end comes last")
			ends := map[string]bool{}
			for _, e := range theirs.told(id) {
				if e.GetEvent() == egress.EventEnded {
					ends[e.GetId()] = true
				}
				require.Equal(t, req.GetWebhooks()[0].GetUrl(), egress.Webhooks(e.GetEgressInfo())[0].GetUrl(), "they see their own webhook, and not ours")
				require.Len(t, egress.Webhooks(e.GetEgressInfo()), 1)
			}
			require.Len(t, ends, 1)
			require.Contains(t, v.Delivered, "webhook-1")
			require.Len(t, w.consumer.under(id), 1, "and so is the consumer of the settings")
		})
	}
}
