package recordings

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/lithammer/shortuuid/v4"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// updateID is fixed, so that repeating a start is one update.
const updateID = "start"

// Started is an egress that LiveKit has confirmed.
type Started struct {
	RequestID  string      `json:"request_id"`
	WorkflowID string      `json:"workflow_id"`
	RunID      string      `json:"run_id"`
	Info       egress.Info `json:"info"`
}

// Start starts an egress and waits for LiveKit's confirmation, until the context ends. The same ID
// with the same request gives the same egress, even for two concurrent callers; with another
// request the error has reason Conflict. An ID whose start LiveKit refused is free again. An error
// of reason Ambiguous says that the start may still go on: retrying with the same ID is safe.
func (c *Client) Start(ctx context.Context, o egress.StartOptions) (Started, error) {
	p, err := c.begin(ctx, o, client.WorkflowUpdateStageCompleted)
	if err != nil {
		return Started{}, err
	}
	return p.Started(ctx)
}

// Begin starts an egress and waits only until a worker has accepted it; from then on it is
// durable. An error that is egress.ErrTemporal leaves open whether one has. A start with a StartBy
// by which no worker asked LiveKit ends with an error of reason HandedBack: the caller may ask
// LiveKit, and a worker searches for the egress that this starts.
func (c *Client) Begin(ctx context.Context, o egress.StartOptions) (*Pending, error) {
	return c.begin(ctx, o, client.WorkflowUpdateStageAccepted)
}

// Pending is a start that a worker has accepted.
type Pending struct {
	client *Client
	ask    ask
	handle client.WorkflowUpdateHandle // nil: the ID's egress has ended long ago
	born   birth                       // how its run began, if the caller chose the ID
}

// ask is one start as it is sent, however often.
type ask struct {
	requestID string
	call      string // differs for each call, to tell whose run it is
	input     egress.Input
	askedBy   *egress.Asker
	named     bool // the caller chose the ID, so it may have been used before
	stage     client.WorkflowUpdateStage
}

func (c *Client) begin(ctx context.Context, o egress.StartOptions, stage client.WorkflowUpdateStage) (*Pending, error) {
	a, err := c.prepare(o)
	if err != nil {
		return nil, err
	}
	a.stage = stage
	p := &Pending{client: c, ask: a}
	p.handle, err = p.send(ctx, updateID)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return p, nil
	}
	if err != nil {
		return nil, p.startError(ctx, err)
	}
	if !a.named {
		return p, nil
	}
	return p, p.again(ctx)
}

// again repeats the start if a run that an earlier call began was refused, which frees the ID: the
// server has only replayed that outcome. A new update ID starts a new run.
func (p *Pending) again(ctx context.Context) error {
	p.born = p.birth(ctx, p.handle.RunID())
	if !p.born.freed || p.ours() {
		return nil
	}
	p.ask.input.Again = true
	handle, err := p.send(ctx, updateID+"/"+p.handle.RunID())
	if err != nil {
		return p.startError(ctx, err)
	}
	p.handle, p.born = handle, p.birth(ctx, handle.RunID())
	return nil
}

// ours reports whether this call, and no earlier one, began the run.
func (p *Pending) ours() bool { return p.born.call == p.ask.call }

func (c *Client) prepare(o egress.StartOptions) (ask, error) {
	a := ask{requestID: o.RequestID, named: o.RequestID != "" && !o.Made, call: shortuuid.New()}
	if o.RequestID == "" {
		a.requestID = shortuuid.New()
	}
	input, err := c.cfg.Sealer.SealRequest(a.requestID, o.Request, o.Storage, o.Pipeline)
	if err != nil {
		return ask{}, err
	}
	input.MaxDuration, input.Recover, input.Preflight = egress.Duration(o.MaxDuration), o.Recover, o.Preflight
	input.Again, input.Unlisted = o.Again, o.Unlisted
	if !o.StartBy.IsZero() {
		input.StartBy = &o.StartBy
	}
	if err := input.Validate(a.requestID); err != nil {
		return ask{}, err
	}
	a.input, a.askedBy = input, cmp.Or(o.AskedBy, c.cfg.AskedBy)
	return a, nil
}

// send repeats the request until a worker takes the start. Without a worker the server starts the
// workflow but does not record the update, so the same IDs are sent again. Should Temporal have lost
// that workflow meanwhile, the next one first looks for what it may have begun.
func (p *Pending) send(ctx context.Context, updateID string) (client.WorkflowUpdateHandle, error) {
	a, c := p.ask, p.client
	for {
		handle, err := c.cfg.Temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: c.cfg.Temporal.NewWithStartWorkflowOperation(startOptions(a), egress.WorkflowType, a.input),
			UpdateOptions:          a.update(updateID, a.stage == client.WorkflowUpdateStageAccepted && a.input.StartBy != nil),
		})
		if err == nil || !timedOut(err) || !c.pause(ctx) {
			return handle, err
		}
		a.input.Again = true // of no effect on a workflow that is there
	}
}

// update returns the options of the update that asks for the start's answer.
func (a ask) update(id string, takesBack bool) client.UpdateWorkflowOptions {
	return client.UpdateWorkflowOptions{
		UpdateID:     id,
		UpdateName:   egress.UpdateStart,
		Args:         []any{egress.StartUpdate{Fingerprint: a.input.Fingerprint, TakesBack: takesBack}},
		WaitForStage: a.stage,
	}
}

func startOptions(a ask) client.StartWorkflowOptions {
	summary := a.input.Readable()
	memo := map[string]any{memoCall: a.call, memoFingerprint: a.input.Fingerprint}
	if a.askedBy != nil {
		memo[egress.MemoAskedBy] = a.askedBy
	}
	return client.StartWorkflowOptions{
		ID:                       egress.WorkflowID(a.requestID),
		TaskQueue:                egress.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:            egress.Clip(summary.Title(), maxTitle),
		TypedSearchAttributes:    attributesAtStart(summary, livekit.EgressStatus_EGRESS_STARTING.String()),
		Memo:                     memo,
	}
}

func (p *Pending) startError(ctx context.Context, err error) error {
	err = errorOf(ctx, "start "+egress.WorkflowID(p.ask.requestID), err)
	e, ok := errors.AsType[*egress.Error](err)
	if !ok || !errors.Is(err, egress.ErrTemporal) {
		return err
	}
	if e.Reason == egress.NotFound { // Temporal has lost what it had taken; LiveKit may have been asked
		e.Reason = egress.Ambiguous
	}
	if e.Reason == egress.Ambiguous {
		e.Message += fmt.Sprintf("; it may go on: ask again with the ID %q", p.ask.requestID)
	}
	return err
}
