package app

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/doctor"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// scheduleCanary creates or updates the canary's schedule.
func (a *App) scheduleCanary(ctx context.Context) error {
	return a.schedule(ctx, func(ctx context.Context) error { return a.recordings.EnsureCanary(ctx, a.cfg.Canary.Every.D()) },
		"nobody checks whether webhooks arrive")
}

// registerCanary registers the canary's probes with a worker.
func (a *App) registerCanary(w worker.Worker, flows *workflows.Workflows) error {
	c, err := activities.NewCanary(activities.CanaryConfig{
		Notify: flows.Terms.Notify, For: flows.Terms.AnnounceFor, Meter: a.tel.Meter("activities"),
	}, doctor.New(doctor.Config{APIKey: a.cfg.LiveKit.APIKey, APISecret: a.cfg.LiveKit.APISecret, PublicURL: a.cfg.Door.PublicURL}))
	if err != nil {
		return err
	}
	w.RegisterWorkflowWithOptions(flows.Canary, workflow.RegisterOptions{
		Name: egress.CanaryType, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade, // the next probe waits for it
	})
	w.RegisterActivityWithOptions(c.Probe, activity.RegisterOptions{Name: "Probe"})
	return nil
}
