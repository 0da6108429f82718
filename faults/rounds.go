package main

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/reelkeeper/reelkeeper/egress"
)

// deepRounds asks for a deep round of the reconciler that often, as a person may by
// Temporal's CLI: by itself it does one in a quarter of an hour, and no setting makes
// that shorter. A round that cannot be asked for, since Temporal is away, is left out.
func (r *run) deepRounds(ctx context.Context) error {
	every := r.scenario.DeepRounds
	if every == 0 {
		return nil
	}
	c, err := client.NewLazyClient(client.Options{HostPort: r.state.addr(partTemporal), Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	for sleep(ctx, every) {
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, _ = c.ExecuteWorkflow(asking, client.StartWorkflowOptions{ID: "faults-deep-round", TaskQueue: egress.TaskQueue},
			egress.ReconcileType, egress.Reconciliation{Deep: true})
		cancel()
	}
	return nil
}

// quiet is a log for what is expected to fail now and then.
type quiet struct{}

var _ log.Logger = quiet{}

// Debug, Info, Warn and Error say nothing.
func (quiet) Debug(string, ...any) {}

// Info says nothing.
func (quiet) Info(string, ...any) {}

// Warn says nothing.
func (quiet) Warn(string, ...any) {}

// Error says nothing.
func (quiet) Error(string, ...any) {}
