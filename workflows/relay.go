package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// relays passes LiveKit's intermediate events (egress_started, egress_updated) to the caller's own
// webhooks, as they come and in order. An event may be dropped: only the end must arrive, and a
// delivery step sees to that. If the caller named no webhooks, nothing is relayed.
type relays struct {
	queue workflow.Channel
	due   int  // events that wait or are under way; the queue does not count the one that its reader has
	over  bool // the end is announced, or is about to be
	last  bool // nothing more is taken, as the next run waits for nothing else
}

// relayBuffer is far more than an egress has events: its worker sends a handful of updates.
const relayBuffer = 64

func (r *relays) begin(ctx workflow.Context, e *recording) {
	if len(e.sum.Webhooks) == 0 {
		return
	}
	r.queue = workflow.NewNamedBufferedChannel(ctx, "relays", relayBuffer)
	workflow.GoNamed(ctx, "relay", func(ctx workflow.Context) {
		for ev := (egress.Event{}); r.queue.Receive(ctx, &ev); ev = (egress.Event{}) {
			if !r.over {
				e.relay(ctx, ev)
			}
			r.due--
		}
	})
}

// take queues an event, or drops it if the buffer is full. After the last one it takes no other: a
// full history goes on in a next run only once none waits, and they could come for ever faster than
// the caller's webhooks answer.
func (r *relays) take(ev egress.Event, last bool) {
	if r.queue != nil && !r.over && !r.last && r.queue.SendAsync(ev) {
		r.due++
		r.last = last
	}
}

// end drops the events that wait: no relay begins after the end.
func (r *relays) end() {
	r.over = true
	for r.queue != nil && r.queue.ReceiveAsync(nil) {
		r.due--
	}
}

// reopen drops the events that wait of an egress that is over, and lets those of the next one be
// relayed.
func (r *relays) reopen() {
	r.end()
	r.over, r.last = false, false
}

func (r *relays) idle() bool { return r.due == 0 }

// relay posts an event to all of the caller's webhooks at once.
func (e *recording) relay(ctx workflow.Context, ev egress.Event) {
	ctx = workflow.WithActivityOptions(ctx, relayOptions)
	var told []workflow.Future
	for n := range e.sum.Webhooks {
		told = append(told, workflow.ExecuteActivity(ctx, delivery.Tell, e.toWebhook(n, ev)))
	}
	for n, f := range told {
		if err := f.Get(ctx, nil); err != nil {
			e.log.Warn("event not relayed", "egressID", e.ID, "event", ev.Proto().GetEvent(), "webhook", n+1, "error", err)
		}
	}
}

// toWebhook returns what the caller's nth webhook is told, counted from 0.
func (e *recording) toWebhook(n int, ev egress.Event) activities.TellRequest {
	return activities.TellRequest{RequestID: e.id, Input: e.in, Webhook: n, Event: ev}
}
