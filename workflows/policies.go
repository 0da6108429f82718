// Package workflows holds the policy of a recording's life, and nothing else: no
// I/O, no clock but Temporal's, no retries of its own. The rules that need no
// workflow are pure functions in package egress.
package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// urgent goes before all else that waits for a place in a worker: long looks at media, and
// consumers that hang, may take up all places.
var urgent = temporal.Priority{PriorityKey: 1}

// startOptions: one attempt does all the asking and looking by its own settings
// (REELKEEPER_START_FOR); another one follows only when its worker died, which is
// noticed by the missing heartbeat.
var startOptions = workflow.ActivityOptions{
	StartToCloseTimeout: time.Hour,
	HeartbeatTimeout:    10 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, MaximumInterval: 10 * time.Second},
	Priority:            urgent,
	Summary:             "ask LiveKit to start the egress",
}

// searchOptions: whoever waits for the egress may start it themselves by now, and a worker only
// looks for what came of that.
var searchOptions = lookingOnly(startOptions)

func lookingOnly(o workflow.ActivityOptions) workflow.ActivityOptions {
	o.Priority = temporal.Priority{} // after a worker's outage there are many, and new starts go first
	return as(o, "look for the egress, which its caller starts")
}

// pollOptions: an attempt is one look of two calls, and one more if its participant is absent or
// it does not begin. Every look without news is a failed attempt whose error names the delay of
// the next one. The retry policy's own interval is for attempts that died, which is noticed by
// the missing heartbeat.
var pollOptions = workflow.ActivityOptions{
	TaskQueue:           egress.PollQueue,
	StartToCloseTimeout: 30 * time.Second,
	HeartbeatTimeout:    10 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: time.Minute},
	Summary:             "ask LiveKit how the egress is, until there is news",
}

// stopOptions: LiveKit takes 3 s to say that it reached no worker. Three such answers
// are evidence where the end has been expected for REELKEEPER_LOST_AFTER; a stop that was
// earlier, or could not be sent, is due again with the next probe.
var stopOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 15 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 2 * time.Second, MaximumAttempts: 3},
	Priority:            urgent,
	Summary:             "tell LiveKit to stop the egress",
}

// probeOptions are a stop too, for another reason.
var probeOptions = as(stopOptions, "ask by a stop whether the egress's worker still answers")

// twinOptions: an attempt is four calls at most, of 10 s each, since LiveKit is asked for the
// bound egress and its participant first.
var twinOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 45 * time.Second,
	RetryPolicy:         stopOptions.RetryPolicy,
	Priority:            urgent,
	Summary:             "stop another egress of the same request",
}

// as is options under another summary.
func as(o workflow.ActivityOptions, summary string) workflow.ActivityOptions {
	o.Summary = summary
	return o
}

// verifyOptions: an attempt is one look at the store, and one at each file. What is not
// there yet is looked for again by the activity's own delays, and for how long in all is
// a setting (REELKEEPER_VERIFY_FOR). A worker that died in a look is noticed by the
// missing heartbeat, so that another one looks within that time.
var verifyOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 5 * time.Minute, // ten files are played, and long lists read
	HeartbeatTimeout:    10 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 15 * time.Second},
	Summary:             "look for the media in its store",
}

// announceOptions: a consumer may be down over a weekend; for how long in all it is
// tried is a setting (REELKEEPER_ANNOUNCE_FOR).
var announceOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 30 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 5 * time.Minute},
	Summary:             "tell the consumer, until it takes it",
}

// onceOptions: most consumers take it at once. What one does not is tried again by
// announceOptions.
var onceOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 30 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	Summary:             "tell the consumer",
}

// recoverBackoff is the wait before a part is started, by how the one before ended. It doubles
// from the second part on: what fails at once would else be started again without a pause.
func recoverBackoff(ended egress.Status, part int) time.Duration {
	if ended.Good() { // it reached a limit, after hours
		return time.Second
	}
	return egress.Doubled(time.Second, part-1, time.Minute)
}

// relayOptions: intermediate events (egress_started, egress_updated) are worth a second try, and
// must not hold up the end for longer than a slow consumer takes.
var relayOptions = workflow.ActivityOptions{
	StartToCloseTimeout:    10 * time.Second,
	ScheduleToCloseTimeout: 15 * time.Second,
	RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: 2},
	Summary:                "relay an event to the caller's webhook",
}

// stepOptions are a step's own, as its pipeline says.
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

// noticeOptions: the hook may be down as long as a consumer; for how long in all it is tried is
// the same setting (REELKEEPER_ANNOUNCE_FOR). After an answer that will hardly change by itself
// the activity asks for a longer delay.
var noticeOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 30 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 5 * time.Minute},
	Summary:             "tell the notification hook, until it takes it",
}

// reconcileOptions: a round goes on where it stopped when its worker died, which is
// noticed by the missing heartbeat. It heartbeats while it waits for whatever it called.
// What keeps failing is left to the next round, so that the rest is tried in spite of it.
var reconcileOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 30 * time.Minute, // the first round may have thousands to adopt
	HeartbeatTimeout:    10 * time.Second,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 5 * time.Second, MaximumAttempts: 3},
	Summary:             "compare LiveKit's egresses with ours",
}

// canaryOptions: a probe is two events of at most 10 s each, which is LiveKit's own limit. What
// it meets on a bad way is its result. It fails only by its worker's own trouble, and the next
// one is due soon.
var canaryOptions = workflow.ActivityOptions{
	ScheduleToCloseTimeout: 50 * time.Second,
	StartToCloseTimeout:    25 * time.Second,
	RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	Summary:                "send an event of ours the way of LiveKit's webhooks",
}
