package recordings

import (
	"context"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Memos of the start: which call began the run, and what it asked for. They tell a fresh outcome
// from one that the server replays from a run of long ago.
const (
	memoCall        = "start_call"
	memoFingerprint = "fingerprint"
)

// Started waits for LiveKit's confirmation, until the context ends; see Start and Begin.
func (p *Pending) Started(ctx context.Context) (Started, error) {
	if p.handle == nil {
		return p.ended(ctx, "")
	}
	s, err := p.answer(ctx)
	switch {
	case !p.ask.named || slices.Contains([]egress.Reason{egress.Ambiguous, egress.HandedBack}, egress.ReasonOf(err)):
		return s, err
	case err == nil && p.ask.another(p.born, s.Info):
		return Started{}, egress.IDTaken(p.ask.requestID)
	case err == nil:
		return s, nil
	}
	before := p.handle // it may have been refused meanwhile, and belong to another call
	if again := p.again(ctx); again != nil {
		return Started{}, again
	}
	if p.handle == before {
		return s, err
	}
	return p.answer(ctx)
}

// answer returns the update's outcome. If the start was handed back, that is meant only for the
// call that began the run, which then asks LiveKit itself; any other call waits for what comes of
// it.
func (p *Pending) answer(ctx context.Context) (Started, error) {
	s, err := p.outcome(ctx, p.handle)
	if egress.ReasonOf(err) != egress.HandedBack || !p.ask.named || p.ours() {
		return s, err
	}
	if p.born = p.birth(ctx, s.RunID); p.ours() { // Temporal had not said so before
		return s, err
	}
	s, err = p.searched(ctx, s)
	if egress.ReasonOf(err) == egress.HandedBack { // by an older worker, which has nobody search for it
		err = &egress.Error{Reason: egress.Ambiguous, Message: "another call asks LiveKit for it", Err: err}
	}
	return s, err
}

// searched waits for what a worker finds of a start that was handed back.
func (p *Pending) searched(ctx context.Context, s Started) (Started, error) {
	o := p.ask.update(updateID+"/searched", false)
	o.WorkflowID, o.RunID = s.WorkflowID, s.RunID
	handle, err := p.client.cfg.Temporal.UpdateWorkflow(ctx, o)
	if is[*serviceerror.NotFound](err) {
		return p.ended(ctx, s.RunID)
	}
	if err != nil {
		return s, p.startError(ctx, err)
	}
	return p.outcome(ctx, handle)
}

// outcome returns an update's outcome. Workflow and run are named even with an error.
func (p *Pending) outcome(ctx context.Context, of client.WorkflowUpdateHandle) (Started, error) {
	s := Started{RequestID: p.ask.requestID, WorkflowID: egress.WorkflowID(p.ask.requestID), RunID: of.RunID()}
	err := of.Get(ctx, &s.Info)
	for timedOut(err) && p.client.pause(ctx) { // Temporal's frontend cut it off, for example because it shuts down
		err = of.Get(ctx, &s.Info)
	}
	switch {
	case err == nil:
		return s, nil
	case !is[*temporal.ApplicationError](err) && egress.ReasonOf(err) == egress.Sealed: // we cannot open it, and it may record: no worker said so
		return s, &egress.Error{Reason: egress.Ambiguous, Message: "the answer to the start: " + err.Error(), Err: err}
	}
	return s, p.startError(ctx, err)
}

// ended answers for a run that has ended, or for the ID's last run, whose egress another update
// started.
func (p *Pending) ended(ctx context.Context, runID string) (Started, error) {
	s := Started{RequestID: p.ask.requestID, WorkflowID: egress.WorkflowID(p.ask.requestID), RunID: runID}
	var v egress.Verdict
	if err := p.client.cfg.Temporal.GetWorkflow(ctx, s.WorkflowID, runID).Get(ctx, &v); err != nil {
		return s, p.startError(ctx, err)
	}
	born := p.birth(ctx, runID)
	if p.ask.another(born, v.Info) {
		return Started{}, egress.IDTaken(p.ask.requestID)
	}
	s.RunID, s.Info = born.runID, v.Info
	return s, nil
}

// another reports whether another request began a run. An adopted run does not know its request,
// but may show it by recording another room.
func (a ask) another(b birth, i egress.Info) bool {
	if b.fingerprint != "" {
		return b.fingerprint != a.input.Fingerprint
	}
	room := i.Proto().GetRoomName()
	return a.input.Summary.Room != "" && room != "" && room != a.input.Summary.Room
}

// birth is how a run began, and whether it has freed its ID.
type birth struct {
	runID, call, fingerprint string
	freed                    bool
}

// birth reads a run's memos. It returns no error: if Temporal does not answer, the outcome already
// in hand counts more than this check of it.
func (p *Pending) birth(ctx context.Context, runID string) birth {
	d, err := p.client.describe(ctx, egress.WorkflowID(p.ask.requestID), runID)
	if err != nil {
		return birth{}
	}
	info := d.GetWorkflowExecutionInfo()
	b := birth{runID: info.GetExecution().GetRunId(), freed: freesID(info.GetStatus())}
	decode(p.client.data, info.GetMemo().GetFields()[memoCall], &b.call)
	decode(p.client.data, info.GetMemo().GetFields()[memoFingerprint], &b.fingerprint)
	return b
}

// freesID reports whether a run of that status frees its ID.
func freesID(s enumspb.WorkflowExecutionStatus) bool {
	switch s {
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
		enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return true
	}
	return false
}
