// Package workflows holds the policy of a recording's life, and nothing else: no I/O, no clock but
// Temporal's, no retries of its own. The rules that need no workflow are pure functions in package
// egress.
package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// urgent activities go before all others that wait for a place in a worker, where long looks at
// media, and consumers that hang, may take up all places.
var urgent = temporal.Priority{PriorityKey: 1}

// startOptions: one attempt asks and looks as often as its own settings say (REELKEEPER_START_FOR).
// Another one follows only if its worker died, which the missing heartbeat shows. One that is
// cancelled is waited for: only then is it known what it has asked of LiveKit.
var startOptions = workflow.ActivityOptions{
	WaitForCancellation: true,
	StartToCloseTimeout: time.Hour,
	HeartbeatTimeout:    10 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, MaximumInterval: 10 * time.Second},
	Priority:            urgent,
	Summary:             "ask LiveKit to start the egress",
}

// searchOptions: the caller may start the egress directly by now, or a stop was asked for, and a
// worker only looks for it.
// After an outage of the workers there may be many, so new starts go first.
var searchOptions = workflow.ActivityOptions{
	StartToCloseTimeout: startOptions.StartToCloseTimeout,
	HeartbeatTimeout:    startOptions.HeartbeatTimeout,
	RetryPolicy:         startOptions.RetryPolicy,
	Summary:             "look for the egress, and do not start it",
}

// pollOptions: an attempt is one look of two calls, or of up to five (activities.CallsPerPoll says when).
// A look without news is a failed attempt, whose error sets the delay of the next one. The retry
// policy's own interval is for attempts that died, which the missing heartbeat shows.
var pollOptions = workflow.ActivityOptions{
	TaskQueue:           egress.PollQueue,
	StartToCloseTimeout: time.Minute, // LiveKit may take 10 s for each call
	HeartbeatTimeout:    10 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: time.Minute},
	Summary:             "ask LiveKit how the egress is, until there is news",
}

// stopOptions: LiveKit takes 3 s to say that it reached no worker. Three such answers are evidence
// of a loss if the end has been expected for REELKEEPER_LOST_AFTER. A stop that came earlier, or
// could not be sent, is due again with the next probe.
var stopOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 15 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 2 * time.Second, MaximumAttempts: 3},
	Priority:            urgent,
	Summary:             "tell LiveKit to stop the egress",
}

// probeOptions: an attempt is two questions, a stop and a look of 10 s each. Otherwise they are those of a
// stop, which a probe ends with if its question is not answered.
var probeOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 45 * time.Second,
	RetryPolicy:         stopOptions.RetryPolicy,
	Priority:            urgent,
	Summary:             "ask whether the egress's worker still answers, and stop it if it does not",
}

// twinOptions: an attempt is at most five calls of 10 s each, since LiveKit is first asked for the
// bound egress, its participant, and the other egress.
var twinOptions = workflow.ActivityOptions{
	StartToCloseTimeout: time.Minute,
	RetryPolicy:         stopOptions.RetryPolicy,
	Priority:            urgent,
	Summary:             "stop another egress of the same request",
}

// as returns options with another summary.
func as(o workflow.ActivityOptions, summary string) workflow.ActivityOptions {
	o.Summary = summary
	return o
}

// verifyOptions: an attempt is one look at the store, and one at each file. The activity itself
// asks for the delay after which it looks again for what is not there yet, and a setting says for
// how long in all (REELKEEPER_VERIFY_FOR). If its worker dies during a look, the missing heartbeat
// shows it, and another one looks within that time.
var verifyOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 5 * time.Minute, // ten files are played, and long lists read
	HeartbeatTimeout:    10 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 15 * time.Second},
	Summary:             "look for the media in its store",
}

// announceOptions: a consumer may be down over a weekend. A setting says for how long in all it is
// tried (REELKEEPER_ANNOUNCE_FOR).
var announceOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 30 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 5 * time.Minute},
	Summary:             "tell the consumer, until it accepts",
}

// inItsTime runs an activity, with its retries, within a time; zero is no bound. If that is over
// before an attempt answered, no worker may have run meanwhile, so the activity gets a few more
// attempts, which wait for a worker.
func inItsTime(opts workflow.ActivityOptions, within egress.Duration, do func(workflow.ActivityOptions) error) error {
	opts.ScheduleToCloseTimeout = within.D()
	err := do(opts)
	if !ranOut(err) {
		return err
	}
	few := *opts.RetryPolicy
	few.MaximumAttempts = 10
	opts.ScheduleToCloseTimeout, opts.RetryPolicy = 0, &few
	return do(as(opts, opts.Summary+", after its time"))
}

// onceOptions: most consumers accept an announcement at once. If one does not, announceOptions are
// for its next tries.
var onceOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 30 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	Summary:             "tell the consumer",
}

// recoverBackoff returns the wait before a part is started, by how the one before ended. It doubles
// from the second part on: otherwise what fails at once would be restarted without a pause.
func recoverBackoff(ended egress.Status, part int) time.Duration {
	if ended.Good() { // it reached a limit, after hours
		return time.Second
	}
	return egress.Doubled(time.Second, part-1, time.Minute)
}

// relayOptions: intermediate events (egress_started, egress_updated) are worth a second try, but
// must not hold up the end for longer than a slow consumer takes.
var relayOptions = workflow.ActivityOptions{
	StartToCloseTimeout:    10 * time.Second,
	ScheduleToCloseTimeout: 15 * time.Second,
	RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: 2},
	Summary:                "relay an event to the caller's webhook",
}

// stepOptions returns a step's own options, as its pipeline sets them.
func stepOptions(s egress.Step) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue:              s.TaskQueue,
		StartToCloseTimeout:    s.Timeout.D(),
		ScheduleToCloseTimeout: s.For.D(),
		HeartbeatTimeout:       s.Heartbeat.D(),
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: s.Backoff.First.D(), MaximumInterval: s.Backoff.Max.D(), MaximumAttempts: int32(s.Attempts),
		},
		Summary: "step " + s.Name + " of pipeline",
	}
}

// noticeOptions: the hook may be down as long as a consumer, and the same setting says for how long
// in all it is tried (REELKEEPER_ANNOUNCE_FOR). After an answer that will hardly change by itself,
// the activity asks for a longer delay.
var noticeOptions = as(announceOptions, "tell the notification hook, until it accepts")

// reconcileOptions: if its worker died, which the missing heartbeat shows, a round continues where
// it stopped. It heartbeats while it waits for what it called. What keeps failing is left to the
// next round, and does not keep this one from the rest.
var reconcileOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 30 * time.Minute, // the first round may have thousands to adopt
	HeartbeatTimeout:    10 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 5 * time.Second, MaximumAttempts: 3},
	Summary:             "compare LiveKit's egresses with ours",
}

// canaryOptions: a probe is two events of at most 10 s each, which is LiveKit's own limit. What
// goes wrong on the path is its result. It fails only because of its own worker, and the next one
// is due soon.
var canaryOptions = workflow.ActivityOptions{
	ScheduleToCloseTimeout: 50 * time.Second,
	StartToCloseTimeout:    25 * time.Second,
	RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	Summary:                "send a test event along the path of LiveKit's webhooks",
}
