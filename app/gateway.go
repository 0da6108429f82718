package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// durable is the recordings client as the front door knows it.
type durable struct {
	*recordings.Client
}

// Begin waits until a worker has accepted a start.
func (d durable) Begin(ctx context.Context, s gateway.Start) (gateway.Pending, error) {
	p, err := d.Client.Begin(ctx, recordings.StartOptions{ID: s.ID, Made: s.Made, Request: s.Request, Storage: s.Storage, Pipeline: s.Pipeline, StartBy: s.StartBy, AskedBy: s.AskedBy, Again: s.Again, Unlisted: s.Unlisted})
	if err != nil {
		return nil, markNotDurable(err)
	}
	return pending{p}, nil
}

// Stop stops the egress of a request.
func (d durable) Stop(ctx context.Context, requestID, egressID string) (egress.Info, error) {
	info, err := d.Client.StopEgress(ctx, requestID, egressID)
	return info, markNotDurable(err)
}

// Adopt makes a workflow for an egress that LiveKit lists.
func (d durable) Adopt(ctx context.Context, requestID string, m *livekit.EgressInfo) (bool, error) {
	e, err := egress.ListedEvent(m)
	if err != nil {
		return false, err
	}
	adopted, err := d.Client.AdoptListed(ctx, requestID, egress.PipelineOf(m), e)
	return adopted, markNotDurable(err)
}

// ByEgressID is the request that an egress belongs to.
func (d durable) ByEgressID(ctx context.Context, egressID string) (requestID string, found bool, err error) {
	workflowID, found, err := d.Client.ByEgressID(ctx, egressID)
	requestID, _ = egress.RequestID(workflowID)
	return requestID, found, markNotDurable(err)
}

// Lost are those of some egresses that are lost, with the evidence.
func (d durable) Lost(ctx context.Context, egressIDs []string) (map[string]string, error) {
	lost, err := d.Client.Lost(ctx, egressIDs)
	return lost, markNotDurable(err)
}

// Ended are egresses that have ended, but for those that are known.
func (d durable) Ended(ctx context.Context, egressID, room string, known ...string) ([]egress.Info, error) {
	infos, err := d.Client.Ended(ctx, egressID, room, known...)
	return infos, markNotDurable(err)
}

// pending is a start that a worker has accepted.
type pending struct {
	*recordings.Pending
}

// Started waits for what LiveKit answered.
func (p pending) Started(ctx context.Context) (egress.Info, error) {
	s, err := p.Pending.Started(ctx)
	return s.Info, markNotDurable(err)
}

// markNotDurable marks an error of Temporal's own, but for its word that it does not know
// a workflow, which is an answer.
func markNotDurable(err error) error {
	if !errors.Is(err, recordings.ErrTemporal) || egress.ReasonOf(err) == egress.NotFound {
		return err
	}
	return fmt.Errorf("%w: %w", gateway.ErrNotDurable, err)
}
