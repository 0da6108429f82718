package recordings

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Late notes the webhook of an end that came after its workflow had closed with that webhook
// missed. It returns once the note is durable: a workflow of its own, which reports read beside
// the closed one. If the recording was given up as lost, its end is delivered as a correction. The
// same webhook twice is noted once. If the egress was adopted under its own ID and that workflow
// still runs, that one is told.
func (c *Client) Late(ctx context.Context, workflowID string, e egress.Event) error {
	row, err := c.row(ctx, workflowID)
	if egress.ReasonOf(err) == egress.NotFound {
		return nil // the namespace has forgotten it meanwhile
	}
	if err != nil {
		return err
	}
	if row, err = c.own(ctx, row, e); err != nil {
		return err
	}
	if row.ClosedAt == nil {
		return c.Signal(ctx, row.WorkflowID, egress.SignalObserved, e.Proto().GetId(), e)
	}
	if err := c.correct(ctx, row, e); err != nil {
		return err
	}
	late, due := closed(row).CameLate(e, time.Now().UTC())
	if !due {
		return nil
	}
	_, err = c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                    egress.LateID(row.RequestID),
		TaskQueue:             egress.TaskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		StaticSummary:         "the webhook of " + late.EgressID + " came after all",
		Memo:                  map[string]any{egress.MemoLate: late},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(egress.AttributeID).ValueSet(late.EgressID),
			temporal.NewSearchAttributeKeyKeyword(egress.AttributeRoom).ValueSet(egress.Keyword(late.Room)),
			temporal.NewSearchAttributeKeyKeyword(egress.AttributeMissed).ValueSet(string(egress.MissedLate)),
		),
	}, egress.LateType, late)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return nil
	}
	return errorOf(ctx, "note late webhook of "+workflowID, err)
}

// own returns the row of an egress's own workflow, if it was adopted under its own ID, else the
// request's.
func (c *Client) own(ctx context.Context, request Row, e egress.Event) (Row, error) {
	info, err := e.Info()
	if err != nil || info.ID() == request.EgressID {
		return request, nil //nolint:nilerr // correct says what it cannot read
	}
	row, err := c.row(ctx, egress.WorkflowID(info.ID()))
	switch {
	case egress.ReasonOf(err) == egress.NotFound:
		return request, nil
	case err != nil:
		return request, err
	}
	return row, nil
}

func closed(row Row) egress.Closed {
	c := egress.Closed{RequestID: row.RequestID, EgressID: row.EgressID, Room: row.Room, Status: row.Status, Missed: row.Missed}
	if row.Memo != nil {
		c.HeardAt = row.Memo.EndedAt.Add(row.Memo.Late.D())
	}
	return c
}

// latecomers are the late webhooks for a list, read once the first row needs them.
type latecomers struct {
	client *Client
	since  time.Time // no row closed before; zero: unknown
	noted  map[string]egress.Late
}

// join marks a row's webhook as late if it came after all.
func (l *latecomers) join(ctx context.Context, row *Row) error {
	if row.Missed == "" || row.ClosedAt == nil {
		return nil
	}
	if l.noted == nil {
		if err := l.read(ctx); err != nil {
			return err
		}
	}
	if late, came := l.noted[row.RequestID]; came {
		row.cameLate(late)
	}
	return nil
}

func (l *latecomers) read(ctx context.Context) error {
	query := equal("WorkflowType", egress.LateType)
	if !l.since.IsZero() { // each comes after its recording has closed
		query += " AND StartTime >= " + instant(l.since)
	}
	l.noted = map[string]egress.Late{}
	for info, err := range l.client.executions(ctx, query) {
		if err != nil {
			return err
		}
		if late, ok := l.client.lateOf(info); ok {
			l.noted[late.RequestID] = late
		}
	}
	return nil
}

func (c *Client) lateOf(info *workflowpb.WorkflowExecutionInfo) (late egress.Late, ok bool) {
	ok = decode(c.data, info.GetMemo().GetFields()[egress.MemoLate], &late)
	return late, ok
}

func (r *Row) cameLate(late egress.Late) {
	if r.EgressID != late.EgressID { // the recording of the late one had a run before this one
		return
	}
	r.Missed = egress.MissedLate
	if r.Memo != nil {
		memo := *r.Memo
		memo.Missed, memo.MissedBecause = egress.MissedLate, late.Because
		r.Memo = &memo
	}
}

// lateVerdict marks a closed recording's webhook as late if it came after all.
func (c *Client) lateVerdict(ctx context.Context, v *View) error {
	if v.Missed == "" {
		return nil
	}
	d, err := c.describe(ctx, egress.LateID(v.RequestID), "")
	if egress.ReasonOf(err) == egress.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if late, ok := c.lateOf(d.GetWorkflowExecutionInfo()); ok && late.EgressID == v.EgressID {
		v.cameLate(late)
		v.Verdict.CameLate(late.Because)
	}
	return nil
}
