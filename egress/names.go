// Package egress is the vocabulary of Reelkeeper and its pure rules: what can be asked for, what
// can happen to an egress, what counts as news, when to look again, and what the result is.
//
// It does no I/O, reads no clock, and imports nothing but LiveKit's generated types; every other
// package imports it. Names and JSON tags in this package are wire format: workflow histories
// record them, so they change only by addition.
package egress

import (
	"strings"
	"unicode/utf8"
)

// Names by which others reach an egress workflow.
const (
	WorkflowType = "Egress"      // argument: Input, result: Verdict
	TaskQueue    = "egress"      // workflows and all activities except the poll
	PollQueue    = "egress-poll" // the poll alone, so that its rate can be bounded

	ActivityStart = "Start" // asks LiveKit for the egress, or looks for one that was already started
	ActivityPoll  = "Poll"  // asks LiveKit once a webhook is overdue

	SignalObserved = "egress.observed" // payload: a redacted livekit.WebhookEvent that names an egress
	SignalHint     = "egress.hint"     // payload: a redacted livekit.WebhookEvent that announces an end

	// SignalReconciled carries what the comparison of LiveKit's list with ours found: a redacted
	// livekit.WebhookEvent that nobody sent, with the EgressInfo as LiveKit lists it.
	SignalReconciled = "egress.reconciled"

	UpdateStart = "egress.start"      // argument: StartUpdate, result: EgressInfo as protojson
	UpdateStop  = "egress.stop"       // argument: StopUpdate, or none; result: EgressInfo as protojson
	UpdateRetry = "egress.retry_step" // argument: the step's name
	UpdateSkip  = "egress.skip_step"  // argument: the step's name

	QueryState   = "egress.state"   // result: State
	QueryVerdict = "egress.verdict" // result: Verdict, null until it is delivered
)

// Names of the workflow that compares LiveKit's list with ours.
const (
	ReconcileType     = "Reconcile"        // argument: Reconciliation, result: Round
	ReconcileSchedule = "egress-reconcile" // the schedule, and the prefix of its workflows' IDs
)

// Search attributes of an egress workflow. All are of type Keyword, except AttributeStuck, which
// is a Bool.
const (
	AttributeID      = "EgressId"
	AttributeRoom    = "EgressRoom"
	AttributeKind    = "EgressKind"
	AttributeStatus  = "EgressStatus"
	AttributeEndedBy = "EgressEndedBy"
	AttributeMissed  = "EgressMissed"
	AttributeStuck   = "EgressStuck"
)

// MemoVerdict is the memo in which a settled egress keeps its Memo, so that a report needs
// visibility alone.
const MemoVerdict = "verdict"

const workflowPrefix = "egress/"

// WorkflowID is the one rule that ties a request to its workflow. Starter,
// webhook endpoint and reconciler all use it, so none of them keeps a table.
func WorkflowID(requestID string) string { return workflowPrefix + requestID }

// RequestID is the inverse of WorkflowID. It reports false for the ID of a workflow that is not an
// egress.
func RequestID(workflowID string) (string, bool) {
	id, ok := strings.CutPrefix(workflowID, workflowPrefix)
	return id, ok && id != ""
}

// ForCommand returns a request ID as a person can give it to a command, which would take one that
// begins with a dash for a flag.
func ForCommand(requestID string) string {
	if strings.HasPrefix(requestID, "-") {
		return WorkflowID(requestID)
	}
	return requestID
}

// LiveKit's names of webhook events.
const (
	EventStarted         = "egress_started"
	EventUpdated         = "egress_updated"
	EventEnded           = "egress_ended" // final by its name, whatever the status says
	EventRoomFinished    = "room_finished"
	EventParticipantLeft = "participant_left"
)

// EventProbe is an event that LiveKit never sends: a holder of our keys sends it to test whether
// the path to the webhook endpoint is open.
const EventProbe = "reelkeeper.probe"

// HeaderEndpoint is on every answer of the webhook endpoint, with the value "webhook",
// so that a proxy's own answer is not taken for ours.
const HeaderEndpoint = "X-Reelkeeper-Endpoint"

// EgressIDPrefix begins every egress ID that LiveKit mints.
const EgressIDPrefix = "EG_"

// maxKeyword is Temporal's limit for a keyword in its SQL stores, a VARCHAR(255).
const maxKeyword = 255

// Keyword cuts a value to what a search attribute can hold, at a rune boundary, so that whoever
// sets it and whoever searches for it agree. It replaces NUL, which PostgreSQL's JSON rejects.
func Keyword(s string) string {
	return Clip(strings.ReplaceAll(s, "\x00", "\uFFFD"), maxKeyword)
}

// Clip cuts a text to at most n bytes, at a rune boundary.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Attributes returns the search attributes and their Temporal types.
func Attributes() map[string]string {
	return map[string]string{
		AttributeID: "Keyword", AttributeRoom: "Keyword", AttributeKind: "Keyword", AttributeStatus: "Keyword",
		AttributeEndedBy: "Keyword", AttributeMissed: "Keyword", AttributeStuck: "Bool",
	}
}
