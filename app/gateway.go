package app

import (
	"context"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
	"github.com/reelkeeper/reelkeeper/internal/seal"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// durable adapts the recordings client to the front door.
type durable struct {
	*recordings.Client
	keys *seal.Keys
}

// Begin waits until a worker has accepted a start.
func (d durable) Begin(ctx context.Context, s egress.StartOptions) (gateway.Pending, error) {
	p, err := d.Client.Begin(ctx, s)
	if err != nil {
		return nil, err
	}
	return pending{p}, nil
}

// Adopt creates a workflow for an egress that LiveKit lists.
func (d durable) Adopt(ctx context.Context, requestID string, m *livekit.EgressInfo) (bool, error) {
	e, err := egress.ListedEvent(m)
	if err != nil {
		return false, err
	}
	return d.AdoptListed(ctx, requestID, egress.ExtrasOf(m, d.keys.Verify), e)
}

// RequestOf returns the ID of the request that an egress belongs to, or "".
func (d durable) RequestOf(ctx context.Context, egressID string) (string, error) {
	workflowID, found, err := d.ByEgressID(ctx, egressID)
	if err != nil || !found {
		return "", err
	}
	requestID, _ := egress.RequestID(workflowID) // whatever is found is an egress
	return requestID, nil
}

// pending is a start that a worker has accepted.
type pending struct{ *recordings.Pending }

// Started waits for LiveKit's answer.
func (p pending) Started(ctx context.Context) (egress.Info, error) {
	s, err := p.Pending.Started(ctx)
	return s.Info, err
}
