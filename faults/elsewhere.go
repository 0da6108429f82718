package main

import (
	"context"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/faults/check"
)

// elsewhere restarts a recording whose egress failed, by another door, past Temporal, which does
// not see what happened before: it has the token of the same request. An agent that asks until
// there is an answer, at another door each time, causes the same.
func (a *agent) elsewhere(ctx context.Context, p plan, egressID string, note func(check.Agent) error) error {
	if !a.failed(ctx, p, egressID) {
		return ctx.Err()
	}
	var t tracks
	if !p.page() {
		a.insist(ctx, p.subject, func(ctx context.Context, _ livekit.Egress) error {
			who, err := livekit.NewRoomServiceProtobufClient(a.livekit, a.http).GetParticipant(ctx, &livekit.RoomParticipantIdentity{Room: p.subject, Identity: "alice"})
			t = tracksOf(who)
			return err
		})
	}
	p.token = a.tokenURL(p.key)
	answer := check.Agent{Did: check.Elsewhere}
	asking, err := a.signed(ctx, p.subject, nil)
	if err != nil {
		return err
	}
	info, err := p.ask(asking, livekit.NewEgressProtobufClient(a.past, a.http), a.consumer, t)
	if answer.EgressID = info.GetEgressId(); err != nil {
		answer.Error = err.Error()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return note(answer)
}

// failed waits for an egress to fail, and until LiveKit would have run it a second time. It stops
// waiting when the call is to end, or once the egress has ended otherwise.
func (a *agent) failed(ctx context.Context, p plan, egressID string) bool {
	ctx, cancel := context.WithTimeout(ctx, p.call)
	defer cancel()
	var since time.Time
	for sleep(ctx, 250*time.Millisecond) {
		status := livekit.EgressStatus_EGRESS_COMPLETE // if LiveKit does not know it
		a.insist(ctx, p.subject, func(ctx context.Context, lk livekit.Egress) error {
			list, err := lk.ListEgress(ctx, &livekit.ListEgressRequest{EgressId: egressID})
			for _, m := range list.GetItems() {
				status = m.GetStatus()
			}
			return err
		})
		switch {
		case !egress.Ended(status):
			since = time.Time{}
		case !egress.Failed(status):
			return false
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= 4*a.scenario.LiveKit.timings().RerunGap:
			return true
		}
	}
	return false
}
