package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc/codes"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/internal/ffprobe"
	"github.com/reelkeeper/reelkeeper/livekit"
	"github.com/reelkeeper/reelkeeper/storage"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// tryAgain is the wait before a call that Temporal did not answer when a worker began is repeated.
const tryAgain = 30 * time.Second

// errNotBegun means that Temporal did not answer when a worker started.
var errNotBegun = errors.New("worker not started")

// unanswered reports whether Temporal did not answer, so that a retry may succeed.
func unanswered(err error) bool {
	r := egress.ReasonOf(err)
	return r == egress.Unavailable || r == egress.Ambiguous
}

// RunWorker runs workflows and activities until the context ends. It calls ready once the worker
// polls.
func (a *App) RunWorker(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancel(ctx) // for what is retried alongside the work
	defer a.retries.Wait()                 // Close must not meet its calls
	defer cancel()
	if err := a.readPipelines(); err != nil {
		return err
	}
	// Report mistakes before a wait for Temporal hides them.
	opts, err := a.options()
	if err != nil {
		return err
	}
	prober, err := a.prober()
	if err != nil {
		return err
	}
	a.announceMetrics() // while it waits: events right after Temporal's return must be counted
	if err := a.awaitTemporal(ctx); err != nil {
		return err
	}
	if err := a.furnish(ctx); err != nil {
		return err
	}
	for {
		err := a.work(ctx, opts, prober, ready)
		if !errors.Is(err, errNotBegun) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second): // it may answer the next call, over another connection
		}
		a.log.Warn("Temporal went away before the worker polled", "error", err)
		if err := a.awaitTemporal(ctx); err != nil {
			return err
		}
	}
}

// furnish makes what our namespace lacks: search attributes and schedules.
func (a *App) furnish(ctx context.Context) error {
	if err := a.ensureAttributes(ctx); err != nil {
		return err
	}
	if err := a.scheduleReconciler(ctx); err != nil { // the error applies to the canary, too
		return err
	}
	return a.scheduleCanary(ctx)
}

// work polls until the context ends or a worker stops by itself.
func (a *App) work(ctx context.Context, opts worker.Options, prober *ffprobe.Prober, ready func()) error {
	worker.SetStickyWorkflowCacheSize(a.cfg.Cached)
	// A worker that stops by itself, because Temporal does not know its namespace, say, ends the
	// process, which must then be restarted.
	opts.OnFatalError = func(err error) { a.fatal <- err }
	// Data that such a client cannot decrypt causes a panic, which fails only a task. An activity
	// that calls Temporal itself gets an error instead: it uses a.temporal, another client.
	temporal, err := client.NewLazyClient(a.working)
	if err != nil {
		return fmt.Errorf("Temporal client: %w", err)
	}
	defer temporal.Close()
	main, poll, err := a.workers(temporal, opts, prober)
	if err != nil {
		return err
	}
	if ctx.Err() != nil { // Start takes no context
		return ctx.Err()
	}
	var stopping sync.WaitGroup // both at once: at a Temporal that hangs, each takes up to 30 s
	defer stopping.Wait()
	for _, w := range []worker.Worker{main, poll} {
		if err := start(w); err != nil {
			return err
		}
		defer stopping.Go(w.Stop)
	}
	ready()
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.fatal:
		return fmt.Errorf("worker: %w", err)
	}
}

// start starts a worker. A worker whose start failed cannot be started again.
func start(w worker.Worker) error {
	err := w.Start()
	if err == nil {
		return nil
	}
	noAnswer := []codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Canceled} // the last by Temporal: Start has no context
	if slices.Contains(noAnswer, serviceerror.ToStatus(err).Code()) {
		return fmt.Errorf("%w: %w", errNotBegun, err)
	}
	return fmt.Errorf("start worker: %w", err)
}

// ensureAttributes creates the missing search attributes. A visibility store that does not answer
// keeps no worker from its work: the attributes mostly exist, and are checked again.
func (a *App) ensureAttributes(ctx context.Context) error {
	created, err := a.recordings.EnsureSearchAttributes(ctx)
	if err == nil && len(created) > 0 {
		a.log.Info("search attributes created", "names", created)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !unanswered(err):
		return err
	}
	a.log.Warn("search attributes cannot be looked for yet; a workflow that lacks one waits", "error", err)
	a.later(ctx, func() {
		if err := a.ensureAttributes(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("search attributes", "error", err)
		}
	})
	return nil
}

// later calls f after tryAgain, unless the worker ends first.
func (a *App) later(ctx context.Context, f func()) {
	a.retries.Go(func() {
		select {
		case <-ctx.Done():
		case <-time.After(tryAgain):
			f()
		}
	})
}

// workers returns the two workers of a worker process: polls have a queue of their own, whose rate
// the server limits across all workers.
func (a *App) workers(temporal client.Client, opts worker.Options, prober *ffprobe.Prober) (main, poll worker.Worker, err error) {
	main = worker.New(temporal, egress.TaskQueue, opts)
	opts.DisableWorkflowWorker = true
	opts.TaskQueueActivitiesPerSecond = float64(a.cfg.LiveKit.RequestsPerMinute) / 60 / activities.CallsPerPoll
	poll = worker.New(temporal, egress.PollQueue, opts)
	return main, poll, a.register(main, poll, prober)
}

// register registers workflows and activities with the workers of the two queues.
func (a *App) register(main, poll worker.Worker, prober *ffprobe.Prober) error {
	stores, err := storesOf(a.cfg)
	if err != nil {
		return err
	}
	lk := a.livekitActivities(stores)
	if err := a.registerWorkflows(main); err != nil {
		return err
	}
	main.RegisterActivityWithOptions(lk.Start, activity.RegisterOptions{Name: egress.ActivityStart})
	main.RegisterActivityWithOptions(lk.Stop, activity.RegisterOptions{Name: "Stop"})
	main.RegisterActivityWithOptions(lk.StopTwin, activity.RegisterOptions{Name: "StopTwin"})
	poll.RegisterActivityWithOptions(lk.Poll, activity.RegisterOptions{Name: egress.ActivityPoll})
	return a.registerDelivery(main, a.verification(stores, prober))
}

// livekitActivities returns the activities that start, stop and look at egresses.
func (a *App) livekitActivities(stores *storage.Stores) *activities.LiveKit {
	return activities.NewLiveKit(activities.Config{
		PublicURL:   a.cfg.Door.PublicURL,
		SigningKey:  a.cfg.LiveKit.APIKey,
		KeyNames:    a.cfg.LiveKit.KeyNames(),
		Terms:       a.terms(),
		Profiles:    a.profiles,
		Preflight:   a.preflight(stores),
		Pipelines:   a.pipelines,
		CallTimeout: a.cfg.Start.CallTimeout,
		StartFor:    a.cfg.Start.For,
		SearchFor:   a.cfg.Start.Search,
		SearchEvery: a.cfg.Start.SearchEvery,
		Endpoint:    a.recordings,
		Shown:       &a.shown,

		ReconcileEvery: egress.Duration(a.cfg.Reconcile.Every.D()),
		Reconciling:    (&health{since: a.recordings.Reconciled, every: a.cfg.Reconcile.Every.D()}).Healthy,
	}, a.livekit(min(a.cfg.Start.SearchEvery, time.Second)), a.keys) // a second is the shortest wait between two calls of a start
}

// registerDelivery registers the activities that follow the end of an egress with a worker.
func (a *App) registerDelivery(w worker.Worker, looking *activities.Verification) error {
	told, err := activities.NewDelivery(activities.DeliveryConfig{
		AnnounceURL: a.cfg.Announce.URL, NotifyURL: a.cfg.Announce.NotifyURL,
		SigningKey: a.cfg.LiveKit.APIKey, Keys: a.cfg.LiveKit.AllKeys(), Opener: a.keys,
		Client: a.dialer.Client(activities.RequestTimeout), Meter: a.tel.Meter("activities"),
		PerHost: a.cfg.Announce.PerHost, Secrets: a.cfg.Announce.Secrets,
	})
	if err != nil {
		return err
	}
	w.RegisterActivity(told)
	w.RegisterActivity(looking)
	return nil
}

// registerWorkflows registers all our workflows with a worker, and the activities of those that
// serve no single egress.
func (a *App) registerWorkflows(to worker.Worker) error {
	clearly, err := a.clear()
	if err != nil {
		return err
	}
	w := &workflows.Workflows{Terms: a.terms(), Pipelines: a.pipelines, Clear: clearly}
	to.RegisterWorkflowWithOptions(w.Egress, workflow.RegisterOptions{Name: egress.WorkflowType})
	to.RegisterWorkflowWithOptions(w.Redelivery, workflow.RegisterOptions{Name: egress.RedeliveryType})
	to.RegisterWorkflowWithOptions(w.Notice, workflow.RegisterOptions{Name: egress.NoticeType})
	to.RegisterWorkflowWithOptions(w.Late, workflow.RegisterOptions{Name: egress.LateType})
	to.RegisterWorkflowWithOptions(w.Endpoint, workflow.RegisterOptions{
		Name: egress.EndpointType, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade, // it never ends
	})
	a.registerReconciler(to, w)
	return a.registerCanary(to, w)
}

// livekit returns our own client of LiveKit. share is how old a list of all active egresses may be,
// for callers that ask at the same time.
func (a *App) livekit(share time.Duration) *livekit.Client {
	return livekit.New(livekit.Config{URL: a.cfg.LiveKit.URL, APIKey: a.cfg.LiveKit.APIKey, APISecret: a.cfg.LiveKit.APISecret, ShareFor: share})
}

// activitySlots is how many activities of each queue a worker runs at once. A start may wait for
// LiveKit in its slot for ten minutes: a LiveKit that hangs would fill the SDK's 1,000 with 1.7
// starts a second, and stops and announcements would wait for them. What goes to consumers and
// stores has lower bounds of its own.
const activitySlots = 3000

// options are those of both workers. Autoscaled pollers cost 4 to 18 % less CPU per life than a
// fixed number, and avoid its tails of several seconds at 32 to 100 callers.
func (a *App) options() (worker.Options, error) {
	version, err := deployment(a.cfg.Deployment, ThisBuild())
	scaled := worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
	return worker.Options{
		WorkflowTaskPollerBehavior: scaled,
		ActivityTaskPollerBehavior: scaled,
		WorkerStopTimeout:          10 * time.Second,
		// Our workflow code waits only for Temporal, so a task that exceeds the SDK's 1 s shows no
		// deadlock but a machine with too few cores.
		DeadlockDetectionTimeout: 30 * time.Second,
		DeploymentOptions:        version,
		// A heartbeat times out after 10 s: the SDK's four fifths of that leave no room to retry a
		// call to Temporal.
		MaxHeartbeatThrottleInterval:       5 * time.Second,
		MaxConcurrentActivityExecutionSize: activitySlots,
	}, err
}

// terms are the settings of this worker that an egress keeps for its life.
func (a *App) terms() egress.Terms {
	t := egress.Terms{
		Policy: a.cfg.Policy(), Recover: int(a.cfg.Recover),
		AnnounceFor: egress.Duration(a.cfg.Announce.For), MissedOnly: a.cfg.Announce.When == config.AnnounceMissed, Notify: a.cfg.Announce.NotifyURL != "",
		VerifyFor: egress.Duration(a.cfg.Verify.For.D()), LocalFiles: a.cfg.Verify.LocalFiles != "",
	}
	if a.cfg.Announce.URL != "" {
		t.Steps = append(t.Steps, egress.StepAnnounce)
	}
	return t
}
