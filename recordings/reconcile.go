package recordings

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Running returns the open egress workflows, including paused ones, as visibility knows them now.
func (c *Client) Running(ctx context.Context) ([]egress.Ours, error) {
	return c.ours(ctx, Filter{Active: true}.query())
}

// Changed returns the egress workflows that began or closed since the given time, and the running
// ones whose attributes may still change, because they have no egress ID yet or their egress is
// over. All other running ones are unchanged.
func (c *Client) Changed(ctx context.Context, since time.Time) ([]egress.Ours, error) {
	at := instant(since)
	return c.ours(ctx, fmt.Sprintf("%s AND (CloseTime >= %s OR %s AND (StartTime >= %s OR %s IS NULL OR %s IS NOT NULL))",
		Filter{}.query(), at, open, at, egress.AttributeID, egress.AttributeEndedBy))
}

// Completed returns the egress workflows that have completed since the given time, as visibility
// knows them now. Failed ones are left out: their egress may have begun after all.
func (c *Client) Completed(ctx context.Context, since time.Time) ([]egress.Ours, error) {
	return c.ours(ctx, Span{Since: since}.closed())
}

func (c *Client) ours(ctx context.Context, query string) ([]egress.Ours, error) {
	var list []egress.Ours
	for row, err := range c.rows(ctx, query) {
		if err != nil {
			return nil, err
		}
		list = append(list, oursOf(row))
	}
	return list, nil
}

func oursOf(row Row) egress.Ours {
	o := egress.Ours{
		RequestID: row.RequestID, EgressID: row.EgressID, Room: row.Room, StartedAt: row.StartedAt,
		Over: row.ClosedAt != nil || row.EndedBy != "", Status: row.Status,
	}
	if row.ClosedAt != nil {
		o.ClosedAt = *row.ClosedAt
	}
	return o
}

// Tell tells a running workflow what LiveKit's list says of its egress, or of another egress of
// its request. Telling it twice is harmless: the server recognizes the event by its ID. It reports
// false for a workflow that does not run.
func (c *Client) Tell(ctx context.Context, requestID string, e egress.Event) (bool, error) {
	err := c.Signal(ctx, egress.WorkflowID(requestID), egress.SignalReconciled, e.Proto().GetId(), e)
	if reason := egress.ReasonOf(err); reason == egress.AlreadyOver || reason == egress.NotFound {
		return false, nil
	}
	return err == nil, err
}

// AdoptListed starts a workflow for an egress that LiveKit lists and visibility does not show.
// Visibility lags, so the workflow is first looked up by its ID: a running one is told instead,
// and a completed one needs nothing, unless it never knew of this egress. It reports whether it
// started one. Calling it twice is harmless, even concurrently: only one workflow per ID can run.
func (c *Client) AdoptListed(ctx context.Context, requestID string, extras egress.Extras, e egress.Event) (bool, error) {
	info, err := e.Info()
	if err != nil {
		return false, errorOf(ctx, "adopt", err)
	}
	a := adoption{requestID, extras, egress.SignalReconciled}
	state, err := c.workflowState(ctx, egress.WorkflowID(requestID))
	switch {
	case err != nil:
		return false, err
	case state == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return made(c.adoptStranger(ctx, a, info, e))
	case isOpen(state):
		_, err := c.Tell(ctx, requestID, e)
		return false, err
	}
	other, found, err := c.ByEgressID(ctx, info.Proto().GetEgressId())
	if err != nil {
		return false, err
	}
	if of, _ := egress.RequestID(other); found && requestID == info.Proto().GetEgressId() && of != requestID {
		return c.AdoptListed(ctx, of, extras, e) // for a LiveKit that does not echo our token
	}
	return made(c.adopt(ctx, a, info, e))
}

// made reports whether an adoption started a workflow, or came too late.
func made(err error) (bool, error) {
	if egress.ReasonOf(err) == egress.AlreadyOver {
		return false, nil
	}
	return err == nil, err
}

// workflowState asks Temporal itself, not visibility: unspecified means that there is none.
func (c *Client) workflowState(ctx context.Context, id string) (enumspb.WorkflowExecutionStatus, error) {
	d, err := c.describe(ctx, id, "")
	if egress.ReasonOf(err) == egress.NotFound {
		return enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED, nil
	}
	return d.GetWorkflowExecutionInfo().GetStatus(), err
}

// isOpen reports whether a workflow has not closed. A paused one has not.
func isOpen(s enumspb.WorkflowExecutionStatus) bool {
	return s == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || s == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
}

// adoption says under whose workflow an egress is adopted, what was asked for with it, and which
// signal carries its news.
type adoption struct {
	requestID string
	extras    egress.Extras
	signal    string
}

// adopt starts the workflow of an egress with its first news, or signals the running one. If the
// workflow has completed, the error has reason AlreadyOver.
func (c *Client) adopt(ctx context.Context, a adoption, info egress.Info, e egress.Event) error {
	in, err := c.adoptionInput(ctx, a, info)
	if err != nil {
		return err
	}
	id, sum := egress.WorkflowID(a.requestID), in.Readable()
	_, err = c.cfg.Temporal.SignalWithStartWorkflow(ctx, id, a.signal, e, client.StartWorkflowOptions{
		TaskQueue:             egress.TaskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:         egress.Clip(sum.Title(), maxTitle),
		TypedSearchAttributes: attributesAtStart(sum, string(info.StatusName())),
	}, egress.WorkflowType, in)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return &egress.Error{Reason: egress.AlreadyOver, Message: id + " has completed", Err: err}
	}
	return errorOf(ctx, "adopt "+id, err)
}

// Reconciled reports whether a round of the reconciler has completed since the given time.
func (c *Client) Reconciled(ctx context.Context, since time.Time) (bool, error) {
	return c.Succeeded(ctx, egress.ReconcileType, since)
}

// Succeeded reports whether a workflow of a type has completed since the given time, as far as
// visibility shows.
func (c *Client) Succeeded(ctx context.Context, workflowType string, since time.Time) (bool, error) {
	n, err := c.count(ctx, fmt.Sprintf("%s AND %s AND CloseTime >= %s", equal("WorkflowType", workflowType),
		equal("ExecutionStatus", "Completed"), instant(since)))
	return n > 0, errorOf(ctx, "look for workflows of the type "+workflowType, err)
}

// Record starts an expected recording under a key of its own, and waits until it is durable. The
// same key twice is one recording, unless LiveKit refused it: then it is started again. begun is
// false if it was started or refused before; over then reports whether it has ended without anybody
// wanting it to.
func (c *Client) Record(ctx context.Context, key string, r egress.Request) (begun, over bool, err error) {
	p, err := c.Begin(ctx, egress.StartOptions{RequestID: key, Request: r})
	if err != nil || p.handle != nil && p.ours() {
		return err == nil && !p.ask.input.Again, false, err
	}
	s, err := c.needState(ctx, Row{WorkflowID: egress.WorkflowID(key)})
	return false, err == nil && s.Unasked(), err
}
