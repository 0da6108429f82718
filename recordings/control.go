package recordings

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

// Stop stops an egress, by any of its IDs, and returns what LiveKit answered. If it has already
// ended, the error has reason AlreadyOver and says how.
func (c *Client) Stop(ctx context.Context, id string) (egress.Info, error) {
	workflowID, err := c.Find(ctx, id)
	if err != nil {
		return egress.Info{}, err
	}
	return c.stop(ctx, id, workflowID, nil)
}

func (c *Client) stop(ctx context.Context, id, workflowID string, by *egress.Asker) (info egress.Info, err error) {
	err = c.update(ctx, id, workflowID, egress.UpdateStop, &info, egress.StopUpdate{AskedBy: cmp.Or(by, c.cfg.AskedBy)})
	return info, err
}

// StopEgress stops the egress of a request like Stop, for a caller that knows that egress from
// LiveKit. It may be recording although the request's workflow is over: the workflow failed, was
// bound to another egress, or settled it as lost. So the error has reason AlreadyOver only for a
// known good end, and otherwise NotFound, including for an egress of another room than the workflow's,
// which keeps recording. An empty room is not compared. by is who asks; nil means Config.AskedBy.
func (c *Client) StopEgress(ctx context.Context, requestID, egressID, room string, by *egress.Asker) (egress.Info, error) {
	workflowID := egress.WorkflowID(requestID) // the request ID may be an egress ID: it is known, and not looked up
	if room != "" {
		row, err := c.row(ctx, workflowID)
		if err == nil && row.Room != "" && row.Room != egress.Keyword(room) {
			return egress.Info{}, &egress.Error{Reason: egress.NotFound, Message: fmt.Sprintf("%s records the room %s, and %s another one", row.WorkflowID, row.Room, egressID)}
		}
	}
	info, err := c.stop(ctx, requestID, workflowID, by)
	if egress.ReasonOf(err) != egress.AlreadyOver {
		return info, err
	}
	v, unread := c.State(ctx, workflowID)
	switch {
	case unread != nil:
		return egress.Info{}, unread
	case v.ended(egressID):
		return egress.Info{}, err
	default:
		return egress.Info{}, &egress.Error{Reason: egress.NotFound, Message: fmt.Sprintf("%s is over, and does not know how %s ended", v.WorkflowID, egressID)}
	}
}

// ended reports whether an egress is known to have ended for good. One that failed may have run
// again since; only LiveKit knows.
func (v View) ended(egressID string) bool {
	return v.Verdict != nil && v.Verdict.EgressID == egressID && v.Verdict.Status.Good()
}

// Retry reruns a delivery step that has failed for good.
func (c *Client) Retry(ctx context.Context, id, step string) error {
	return c.tellStep(ctx, id, egress.UpdateRetry, step)
}

// Skip skips a delivery step that has failed for good.
func (c *Client) Skip(ctx context.Context, id, step string) error {
	return c.tellStep(ctx, id, egress.UpdateSkip, step)
}

func (c *Client) tellStep(ctx context.Context, id, name, step string) error {
	workflowID, err := c.Find(ctx, id)
	if err != nil {
		return err
	}
	return c.update(ctx, id, workflowID, name, nil, step)
}

// ErrUnanswered marks the error of a command, such as a stop, that was sent to a workflow and not
// answered in time, or before the caller gave up: the next worker may still carry it out.
var ErrUnanswered = errors.New("sent, but not answered in time")

// update sends a workflow an update. Errors name the recording by the ID that the caller used; the
// error is ErrUnanswered if there was no answer in time.
func (c *Client) update(ctx context.Context, id, workflowID, name string, result any, args ...any) error {
	handle, err := c.cfg.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, result)
	}
	if is[*serviceerror.NotFound](err) {
		return c.over(ctx, id, name, workflowID)
	}
	if timedOut(err) {
		err = fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	return errorOf(ctx, name+" of "+workflowID, err)
}

// over tells the sender of an update that the recording has ended and its workflow accepts no more
// updates; or, if the workflow runs, that Temporal has lost the update, as in a failover, or that
// the workflow was begun anew since.
func (c *Client) over(ctx context.Context, id, name, workflowID string) error {
	v, err := c.State(ctx, workflowID)
	switch {
	case egress.ReasonOf(err) == egress.NotFound:
		return unknown(id)
	case err != nil:
		return err
	case v.Verdict == nil && v.ClosedAt == nil:
		return &egress.Error{Reason: egress.Unavailable, Message: fmt.Sprintf("%s still runs, but Temporal has lost the update %s: ask again", id, name), Err: egress.ErrTemporal}
	case v.Verdict == nil:
		return &egress.Error{Reason: egress.AlreadyOver, Message: fmt.Sprintf("%s is over: %s", id, v.Problem)}
	case name != egress.UpdateStop:
		return &egress.Error{Reason: egress.AlreadyOver, Message: fmt.Sprintf("%s ended as %s, and no step of it waits", id, v.Verdict.Status)}
	default:
		return egress.CannotStop(v.Verdict.Status)
	}
}

// Wait waits for the verdict of a recording, named by any of its IDs, to be delivered, until the
// context ends. It does not wait for corrections. A start that LiveKit refused is an error; a
// failed recording is not.
func (c *Client) Wait(ctx context.Context, id string) (egress.Verdict, error) {
	var v egress.Verdict
	workflowID, err := c.Find(ctx, id)
	if err != nil {
		return v, err
	}
	run := c.cfg.Temporal.GetWorkflow(ctx, workflowID, "")
	for {
		slice, end := c.slice(ctx)
		err := run.Get(slice, &v)
		early := slice.Err() == nil // it was not we who ended it
		end()
		if err != nil && ctx.Err() != nil {
			err = ctx.Err() // the slice's own end says less
		}
		if err == nil || ctx.Err() != nil || !timedOut(err) {
			return v, notFoundAs(id, errorOf(ctx, "wait for "+workflowID, err))
		}
		if open, err := c.openVerdict(ctx, workflowID); err == nil && open != nil {
			return *open, nil
		}
		if early {
			c.pause(ctx) // whatever is wrong with Temporal, haste would not fix it
		}
	}
}

// slice returns a context that ends after WaitFor, or with its parent, and has no deadline. Within
// the last second before a deadline Temporal does not hold a long poll, and its client retries at
// once: some thousand calls for each waiting caller.
func (c *Client) slice(ctx context.Context) (context.Context, func()) {
	slice, cancel := context.WithCancel(context.WithoutCancel(ctx))
	released := context.AfterFunc(ctx, cancel)
	timer := time.AfterFunc(c.cfg.WaitFor, cancel)
	return slice, func() {
		timer.Stop()
		released()
		cancel()
	}
}

// openVerdict returns the verdict of a recording that is delivered but stays open because it may
// be corrected; nil for any other.
func (c *Client) openVerdict(ctx context.Context, workflowID string) (*egress.Verdict, error) {
	row, err := c.row(ctx, workflowID)
	if err != nil || row.EndedBy == "" || row.ClosedAt != nil {
		return nil, err
	}
	return c.askVerdict(ctx, row)
}

// askVerdict asks the workflow. The verdict is nil until it is delivered.
func (c *Client) askVerdict(ctx context.Context, row Row) (*egress.Verdict, error) {
	var v *egress.Verdict
	err := c.query(ctx, row, c.cfg.QueryFor, egress.QueryVerdict, &v)
	return v, errorOf(ctx, "verdict of "+row.WorkflowID, err)
}

// Signal signals a running workflow with an event. requestID, the webhook's event ID, lets the
// server recognize a repeated signal. The error has reason AlreadyOver if the workflow has closed,
// and NotFound if there never was one.
func (c *Client) Signal(ctx context.Context, workflowID, signal, requestID string, e egress.Event) error {
	input, err := c.encode(payload.Proto("livekit.WebhookEvent", e.Raw()))
	if err != nil {
		return errorOf(ctx, "signal "+workflowID, err)
	}
	_, err = c.cfg.Temporal.WorkflowService().SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         c.cfg.Namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflowID},
		SignalName:        signal,
		RequestId:         requestID,
		Input:             &commonpb.Payloads{Payloads: input},
	})
	// Temporal tells the two apart only in its message.
	if gone, ok := errors.AsType[*serviceerror.NotFound](err); ok && strings.Contains(gone.Message, "already completed") {
		return &egress.Error{Reason: egress.AlreadyOver, Message: workflowID + " has closed", Err: gone}
	}
	return errorOf(ctx, "signal "+workflowID, err)
}
