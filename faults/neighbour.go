package main

import (
	"context"
	"fmt"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/faults/check"
)

// neighbour records a page like another Reelkeeper that shares our LiveKit project and our
// idempotency keys: its token names a request of ours, by a key that is not ours. LiveKit tells us
// of it as of everything that the project records. Nobody but its owner may stop it, and none of
// our consumers may be told of it.
func (a *agent) neighbour(ctx context.Context, p plan, note func(check.Agent) error) error {
	page := fmt.Sprintf("https://pages.example.com/neighbour-%d", p.n)
	if err := note(check.Agent{Did: check.Neighbour, Subject: page}); err != nil {
		return err
	}
	theirs := egress.Token{RequestID: p.key, Part: 1, MAC: "AAAAAAAAAAAAAAAAAAAAAA"}
	id := ""
	a.insist(ctx, page, func(ctx context.Context, lk livekit.Egress) error {
		info, err := lk.StartWebEgress(ctx, &livekit.WebEgressRequest{
			Url: page, Webhooks: []*livekit.WebhookConfig{{Url: theirs.URL(a.consumer), SigningKey: apiKey}},
			FileOutputs: []*livekit.EncodedFileOutput{{FileType: livekit.EncodedFileType_MP4, Filepath: fmt.Sprintf("neighbour-%d.mp4", p.n)}},
		})
		id = info.GetEgressId()
		return err
	})
	if !sleep(ctx, p.call/2) {
		return ctx.Err()
	}
	if err := note(check.Agent{Did: check.NeighbourOver, Subject: page}); err != nil || id == "" {
		return err
	}
	a.insist(ctx, page, func(ctx context.Context, lk livekit.Egress) error {
		_, err := lk.StopEgress(ctx, &livekit.StopEgressRequest{EgressId: id})
		return err
	})
	return ctx.Err()
}

// insist calls LiveKit itself until it has an answer, or patience ends.
func (a *agent) insist(ctx context.Context, subject string, ask func(context.Context, livekit.Egress) error) {
	ctx, cancel := context.WithTimeout(ctx, a.scenario.Agent.Patience)
	defer cancel()
	for {
		asking, err := a.signed(ctx, subject, nil)
		if err == nil {
			err = ask(asking, livekit.NewEgressProtobufClient(a.livekit, a.http))
		}
		if err == nil || final(err) || !sleep(ctx, 500*time.Millisecond) {
			return
		}
	}
}
