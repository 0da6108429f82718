package main

import (
	"context"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/reelkeeper/reelkeeper/egress"
)

// again is the wait before a deep round is repeated if it failed or could not list what has ended:
// the reconciler itself would do that with its next round.
const again = 5 * time.Second

// deepRounds requests a deep round of the reconciler at an interval, as a person could with
// Temporal's CLI: by itself it makes one every quarter of an hour, and no setting shortens that.
func (r *run) deepRounds(ctx context.Context) error {
	every := r.scenario.DeepRounds
	if every == 0 {
		return nil
	}
	quiet := log.NewStructuredLogger(slog.New(slog.DiscardHandler)) // calls are expected to fail now and then
	c, err := client.NewLazyClient(client.Options{HostPort: r.state.addr(partTemporal), Logger: quiet})
	if err != nil {
		return err
	}
	defer c.Close()
	for wait := every; sleep(ctx, wait); {
		if wait = again; deepRound(ctx, c, every) {
			wait = every
		}
	}
	return nil
}

// deepRound requests a round, waits for it up to limit, and reports whether it was a deep one.
func deepRound(ctx context.Context, c client.Client, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "faults-deep-round", TaskQueue: egress.TaskQueue},
		egress.ReconcileType, egress.Reconciliation{Deep: true})
	var round egress.Round
	return err == nil && run.Get(ctx, &round) == nil && !round.DeepAt.IsZero()
}
