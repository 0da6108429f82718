package app

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

const (
	// scheduleLimit is how long Temporal may take over a schedule.
	scheduleLimit = 10 * time.Second
	// healthyRounds is how old the last completed round may be, in periods.
	healthyRounds = 3
	// healthFor is how long an answer about the reconciler's health is kept.
	healthFor = time.Minute
	// healthLimit is how long Temporal may take to give that answer: a poll waits for it.
	healthLimit = 2 * time.Second
)

// scheduleReconciler creates or updates the reconciler's schedule.
func (a *App) scheduleReconciler(ctx context.Context) error {
	return a.schedule(ctx, func(ctx context.Context) error {
		if err := a.recordings.EnsureReconcile(ctx, a.cfg.Reconcile.Every.D()); err != nil {
			return err
		}
		if s, err := a.recordings.ScheduleState(ctx, egress.ReconcileSchedule); err == nil && s.Ignored != "" {
			a.log.Warn("ends from before the schedule was created are not announced", "schedule", egress.ReconcileSchedule, "reason", s.Ignored)
		}
		return nil
	}, "what is started elsewhere is not adopted")
}

// schedule creates or updates a schedule. A worker that may not do so still works, and one that
// Temporal does not answer tries again. It is an error if the namespace belongs to another project:
// if that is learned only on a later try, it ends the worker.
func (a *App) schedule(ctx context.Context, ensure func(context.Context) error, consequence string) error {
	limited, cancel := context.WithTimeout(ctx, scheduleLimit)
	defer cancel()
	err := ensure(limited)
	switch {
	case err == nil, ctx.Err() != nil:
		return nil
	case egress.ReasonOf(err) == egress.Invalid:
		return err
	}
	a.log.Error("no schedule", "consequence", consequence, "error", err)
	if unanswered(err) {
		a.later(ctx, func() {
			if err := a.schedule(ctx, ensure, consequence); err != nil {
				a.fatal <- err
			}
		})
	}
	return nil
}

// registerReconciler registers the reconciler's rounds with a worker.
func (a *App) registerReconciler(w worker.Worker, flows *workflows.Workflows) {
	r := activities.NewReconciler(activities.ReconcilerConfig{
		Grace:    egress.Duration(a.cfg.Reconcile.Grace),
		Policy:   a.cfg.Policy(),
		Shown:    &a.shown,
		Expect:   a.cfg.Expectation(),
		Endpoint: a.recordings,
	}, a.livekit(a.cfg.Start.SearchEvery), a.recordings, a.keys)
	w.RegisterWorkflowWithOptions(flows.Reconcile, workflow.RegisterOptions{
		Name: egress.ReconcileType, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade, // the next round waits for it
	})
	w.RegisterActivityWithOptions(r.Reconcile, activity.RegisterOptions{Name: "Reconcile"})
}

// health knows whether rounds of the reconciler complete. It asks at most once per healthFor,
// however many callers there are.
type health struct {
	since func(context.Context, time.Time) (bool, error) // whether a round has completed since then
	every time.Duration

	mu      sync.Mutex
	askedAt time.Time
	healthy bool
}

// Healthy reports whether a round has completed within the last three periods. If Temporal cannot
// be asked, Healthy returns false.
func (h *health) Healthy(ctx context.Context) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.askedAt.IsZero() || now.Sub(h.askedAt) >= healthFor {
		// All polls share the answer, so no single caller may cancel the call.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthLimit)
		defer cancel()
		ok, err := h.since(ctx, now.Add(-healthyRounds*h.every))
		h.askedAt, h.healthy = now, ok && err == nil
	}
	return h.healthy
}
