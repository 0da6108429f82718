package workflows

import (
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
)

// recording is what an Egress and its Redelivery have in common: the state of a recording, and all
// that it takes to tell people and consumers of it.
type recording struct {
	egress.State
	worker     *Workflows
	id         string // request ID
	redelivery string // ends the ID of a Redelivery; empty for an Egress
	in         egress.Input
	sum        egress.Summary
	log        log.Logger

	// What has been told.
	published  published   // by the search attributes
	remembered egress.Memo // by the memo

	// What is being told.
	relays    relays
	telling   map[string]int    // how many delivery steps are under way, by name
	verifying int               // those of them that look for media beside the announcement
	untried   int               // those of them that were not tried yet
	failures  map[string]string // why a step failed that waits for a person, by step
	noticing  int               // notices whose workflow has not begun
}

// published is a status and, for an end, why its webhook was missed.
type published struct {
	status egress.Status
	missed egress.Missed
}

// newRecording returns a request's recording in the given state.
func (w *Workflows) newRecording(ctx workflow.Context, id string, in egress.Input, s egress.State) recording {
	sum := in.Readable()
	return recording{
		State: s, worker: w, id: id, in: in, sum: sum, failures: map[string]string{}, telling: map[string]int{},
		log: log.With(workflow.GetLogger(ctx), "requestID", id, "room", sum.Room),
	}
}

// verdict returns the verdict on the recording, once it is settled.
func (e *recording) verdict() egress.Verdict { return e.Verdict(e.id, e.sum) }

// over reports whether the watch has ended. The answer to the start is awaited even if a webhook
// came first: it belongs to the egress.
func (e *recording) over() bool {
	return e.Started && (e.Phase == egress.Settled || e.Phase == egress.Delivered)
}

// quiet reports whether nothing is under way beside the workflow's own loop: no delivery step, no
// notice that has not begun, no caller without an answer.
func (e *recording) quiet(ctx workflow.Context) bool {
	return len(e.telling) == 0 && e.noticing == 0 && workflow.AllHandlersFinished(ctx)
}
