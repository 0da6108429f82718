package workflows

import (
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// recording is what an Egress and a Redelivery of it have in common: the state of a recording,
// and what tells people and consumers of it.
type recording struct {
	egress.State
	worker     *Workflows
	id         string // request ID
	redelivery string // which one of the request's it is; empty for its egress
	in         egress.Input
	sum        egress.Summary
	log        log.Logger

	// What has been told.
	published  published   // by the search attributes
	remembered egress.Memo // by the memo

	// What is being told.
	relays    relays
	telling   map[string]int    // how many delivery steps are under way, by name
	verifying int               // those of them that look for media behind the announcement
	untried   int               // those of them that were not tried yet
	failures  map[string]string // why each step failed that waits for a person's word
	noticing  int               // notices whose workflow has not begun
}

// published is a status, and of an end also why its webhook was missed.
type published struct {
	status egress.Status
	missed egress.Missed
}

// newRecording takes up a request's recording from a state on.
func (w *Workflows) newRecording(ctx workflow.Context, id string, in egress.Input, s egress.State) recording {
	sum := in.Readable()
	return recording{
		State: s, worker: w, id: id, in: in, sum: sum, failures: map[string]string{}, telling: map[string]int{},
		log: log.With(workflow.GetLogger(ctx), "requestID", id, "room", sum.Room),
	}
}

// verdict judges the recording, once it is settled.
func (e *recording) verdict() egress.Verdict { return e.Verdict(e.id, e.sum) }

// over reports whether the watch has ended. The start is awaited even when a
// webhook came first: what it answers belongs to the egress.
func (e *recording) over() bool {
	return e.Started && (e.Phase == egress.Settled || e.Phase == egress.Delivered)
}
