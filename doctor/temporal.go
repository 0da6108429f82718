package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	// retentionWarn is how far back idempotency keys and reports should reach.
	retentionWarn = 7 * 24 * time.Hour
	// retentionFail is how long LiveKit may list an ended egress: if Temporal forgot one earlier, it
	// would be taken for a new one. LiveKit sweeps its list every half hour, so a day is too short.
	retentionFail = egress.Remembered
	// pollLimit exceeds the 60 s that a worker's poll waits at most.
	pollLimit = 2 * time.Minute
	// scheduleSlack is how late a schedule may be beyond its interval.
	scheduleSlack = 5 * time.Minute
)

const seeTemporal = "see the check temporal"

// noAnswer returns the finding for what Temporal did not answer. Its other services can be down
// while the one that the check of the server asks is up.
func noAnswer(unchecked string, err error) Finding {
	return Finding{Status: Fail, Found: unchecked + err.Error(), Fix: seeTemporal + "; if it is ok, see whether all of Temporal's services run", behind: TemporalServer}
}

func (d *Doctor) temporal(ctx context.Context) Finding {
	if d.cfg.Temporal == nil {
		return d.notChecked("TEMPORAL_ADDRESS")
	}
	retention, err := d.cfg.Temporal.Retention(ctx)
	if err != nil {
		return failed(fmt.Sprintf("Temporal does not answer for the namespace %q at %s: %s", d.cfg.Namespace, d.cfg.Address, err),
			"see whether TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and Temporal's key or certificate are right, and whether Temporal is well")
	}
	found := fmt.Sprintf("Temporal answers, and the namespace %q keeps closed workflows for %s", d.cfg.Namespace, days(retention))
	fix := fmt.Sprintf("temporal operator namespace update --namespace %s --retention 168h "+
		"(in Temporal Cloud: tcld namespace retention set --namespace %[1]s --retention-days 7)", d.cfg.Namespace)
	switch {
	case retention < retentionFail:
		return failed(found+": LiveKit lists ended egresses for longer, so one can be taken for new", fix)
	case retention < retentionWarn:
		return warn(found+": idempotency keys and reports reach no further back", fix)
	}
	return ok(found)
}

func (d *Doctor) searchAttributes(ctx context.Context) Finding {
	if d.cfg.Temporal == nil {
		return d.notChecked("TEMPORAL_ADDRESS")
	}
	command, err := d.cfg.Temporal.LackingSearchAttributes(ctx)
	switch {
	case err != nil:
		return noAnswer("not checked: ", err)
	case command != "":
		return failed("the namespace lacks search attributes, without which no worker starts", command)
	}
	return ok("the namespace has all search attributes")
}

// workers requires a worker that polls each queue: without one nothing moves, although nothing is
// lost.
func (d *Doctor) workers(ctx context.Context) Finding {
	if d.cfg.Temporal == nil {
		return d.notChecked("TEMPORAL_ADDRESS")
	}
	now := time.Now()
	var oldest time.Duration
	for _, queue := range []string{egress.TaskQueue, egress.PollQueue} {
		polls, err := d.cfg.Temporal.LastPolls(ctx, queue)
		if err != nil {
			return noAnswer("not checked: ", err)
		}
		seen := []time.Time{polls.Activities}
		if queue == egress.TaskQueue {
			seen = append(seen, polls.Workflows)
		}
		for _, at := range seen {
			if at.IsZero() && polls.Idle != "" {
				return idle(polls.Idle, queue)
			}
			if at.IsZero() {
				return failed(fmt.Sprintf("no worker polls the task queue %q of the namespace %q", queue, d.cfg.Namespace),
					"start a worker with the same TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE; its log says what it waits for")
			}
			oldest = max(oldest, now.Sub(at))
		}
	}
	if oldest > pollLimit {
		return failed(fmt.Sprintf("no worker has polled for %s", oldest.Round(time.Second)), "see whether a worker still runs: it polls every minute")
	}
	stranded, err := d.cfg.Temporal.Stranded(ctx, now.Add(-pollLimit))
	const unchecked = "the versions of the workers are not checked: "
	switch {
	case egress.ReasonOf(err) == egress.Denied: // Temporal's answer, too, where versions are disabled
		return warn(unchecked+err.Error(), seeTemporal)
	case err != nil:
		return noAnswer(unchecked, err)
	}
	if versions := slices.Sorted(maps.Keys(stranded)); len(versions) > 0 {
		version := versions[0]
		return failed(fmt.Sprintf("no worker of version %s polls, and %d recordings that it began wait for one", version, stranded[version]),
			"start a worker of that version again; or, if the current version is newer or of the same release, move the recordings to it: docs/upgrades.md")
	}
	return ok(fmt.Sprintf("workers poll both task queues, last seen %s ago", oldest.Round(time.Second)))
}

// idle returns the finding for workers that poll but get no new work, by their version.
func idle(version, queue string) Finding {
	const start = "start a worker of the current version"
	var fix string
	whose := "of version " + version
	name, build, versioned := strings.Cut(version, ":")
	switch {
	case !versioned:
		whose, fix = "without a version", start+", or leave versions: temporal worker deployment set-current-version --deployment-name NAME --unversioned (docs/upgrades.md)"
	case strings.Contains(name, "/"): // the controller's, which alone sets the current version
		fix = start + ": docs/upgrades.md"
	default:
		fix = fmt.Sprintf("temporal worker deployment set-current-version --deployment-name %s --build-id %s, or %s", name, build, start)
	}
	return failed(fmt.Sprintf("workers %s poll the task queue %q, but none of the current version does, which gets all new work", whose, queue), fix)
}

func (d *Doctor) schedule(ctx context.Context) Finding {
	return d.scheduled(ctx, rounds{
		egress.ReconcileSchedule, egress.ReconcileType, d.cfg.ReconcileEvery, "REELKEEPER_RECONCILE_EVERY", "egresses that were started elsewhere are not adopted",
	})
}

func (d *Doctor) canary(ctx context.Context) Finding {
	return d.scheduled(ctx, rounds{
		egress.CanarySchedule, egress.CanaryType, d.cfg.CanaryEvery, "REELKEEPER_CANARY_EVERY", "nobody notices that webhooks do not arrive until one is missed",
	})
}

// rounds are the workflows that one of our schedules starts.
type rounds struct {
	schedule, workflow string
	every              time.Duration // by the setting; zero: off
	setting            string
	without            string // the consequence of having none
}

// scheduled requires that a schedule of ours exists and its rounds complete.
func (d *Doctor) scheduled(ctx context.Context, r rounds) Finding {
	if d.cfg.Temporal == nil {
		return d.notChecked("TEMPORAL_ADDRESS")
	}
	s, err := d.cfg.Temporal.ScheduleState(ctx, r.schedule)
	switch {
	case egress.ReasonOf(err) == egress.NotFound && r.every == 0 && d.cfg.Problem == nil: // otherwise nothing is known of the settings
		return warn(fmt.Sprintf("there is no schedule %q, since %s is off: %s", r.schedule, r.setting, r.without), "set "+r.setting+" if that is not what you want")
	case egress.ReasonOf(err) == egress.NotFound:
		return failed(fmt.Sprintf("there is no schedule %q: %s", r.schedule, r.without), gone(r.schedule)+"; if "+r.setting+" is off for the workers, set it to off here, too")
	case err != nil:
		return noAnswer("not checked: ", err)
	case s.Others:
		return failed("the workers of this namespace have other secrets: they may be another LiveKit project's", "set LIVEKIT_API_SECRET, REELKEEPER_SEAL_KEY and REELKEEPER_PREVIOUS_SECRETS as the workers have them, or give each project a namespace of its own")
	case s.Off && r.every > 0:
		return failed(fmt.Sprintf("the schedule %q is paused: a worker with another setting paused it (%s is %s here), and %s", r.schedule, r.setting, r.every, r.without), "restart a worker with the current settings; if "+r.setting+" is off for the workers, set it to off here, too")
	case s.Off:
		return warn(fmt.Sprintf("the schedule %q is paused, since %s is off: %s", r.schedule, r.setting, r.without), "set "+r.setting+" if that is not what you want")
	case s.Paused:
		return failed(fmt.Sprintf("the schedule %q is paused", r.schedule), "temporal schedule toggle --unpause --schedule-id "+r.schedule)
	}
	now, late := time.Now(), 3*s.Every+scheduleSlack
	found := fmt.Sprintf("the schedule %q, every %s, last acted %s ago", r.schedule, s.Every, now.Sub(s.Acted).Round(time.Second))
	if now.Sub(s.Acted) > late {
		return failed(found, "see whether a worker runs, whether Temporal's database has space (docs/troubleshooting.md), and whether a round hangs: temporal schedule describe --schedule-id "+r.schedule)
	}
	switch done, err := d.cfg.Temporal.Succeeded(ctx, r.workflow, now.Add(-late)); {
	case err != nil:
		return noAnswer(found+"; whether its rounds complete was not checked: ", err)
	case !done && now.Sub(s.Made) > late:
		return failed(fmt.Sprintf("%s, but none of its rounds has completed within %s", found, late),
			fmt.Sprintf("see how they fail: temporal workflow list --query 'WorkflowType = %q'", r.workflow))
	case s.Ignored != "" && now.Sub(s.Made) < egress.Remembered: // later, they could not be announced anyway
		return warn(found+", but ends from before it was created are not announced: "+s.Ignored,
			"delete it, create it again with such a time, and restart the workers: docs/backup.md")
	case r.every > 0 && s.Every != r.every:
		return warn(fmt.Sprintf("%s, but %s is %s here", found, r.setting, r.every), "restart a worker with the current settings, or set "+r.setting+" here as the workers have it")
	}
	return ok(found)
}

// gone returns how a schedule comes back. Ends from before the reconciler's was created are announced only
// if it says so.
func gone(schedule string) string {
	if schedule == egress.ReconcileSchedule {
		return "start or restart a worker, which creates it; if there was one before, first create it with announce_since, or ends from meanwhile are not announced: docs/backup.md"
	}
	return "start or restart a worker, which creates it"
}

// days formats a duration as retentions are usually given.
func days(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}
