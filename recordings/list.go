package recordings

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/egress"
)

// pageSize is how many recordings one call of List reads: the most that Temporal returns by
// default, since each page costs it a separate search.
const pageSize = 1000

// Row is what visibility alone knows of a recording. It lags a little.
type Row struct {
	RequestID  string        `json:"request_id"`
	WorkflowID string        `json:"workflow_id"`
	RunID      string        `json:"run_id"`
	EgressID   string        `json:"egress_id,omitempty"`
	Kind       egress.Kind   `json:"kind,omitempty"`
	Room       string        `json:"room,omitempty"`
	Status     egress.Status `json:"status,omitempty"`
	EndedBy    egress.Source `json:"ended_by,omitempty"`
	Missed     egress.Missed `json:"missed,omitempty"`
	Stuck      bool          `json:"stuck,omitempty"`
	Workflow   string        `json:"workflow"` // Temporal's status: running, completed, failed…
	StartedAt  time.Time     `json:"started_at"`
	ClosedAt   *time.Time    `json:"closed_at,omitempty"`
	AskedBy    *egress.Asker `json:"asked_by,omitempty"` // nil if unknown
	Memo       *egress.Memo  `json:"memo,omitempty"`     // of the verdict, once there is one

	unread error // why the memo cannot be read here; nil: it can, or there is none
}

// Temporal's statuses that say more of a row than that it is over, as rows spell them.
const (
	workflowRunning    = "running"
	workflowPaused     = "paused"
	workflowFailed     = "failed"
	workflowTerminated = "terminated"
	workflowCanceled   = "canceled"
	workflowTimedOut   = "timedout"
	workflowContinued  = "continuedasnew"
)

// List yields the recordings that match the filter, page by page as they are read, in Temporal's
// order: first the running ones by start time, then the others by close time, newest first in each
// group. An error ends it.
func (c *Client) List(ctx context.Context, f Filter) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		late := latecomers{client: c, since: cmp.Or(f.Since, f.RanSince)}
		for row, err := range c.rows(ctx, f.query()) {
			if err == nil && !f.letsThrough(row) {
				continue
			}
			if err == nil {
				err = late.join(ctx, &row)
			}
			if err == nil && f.Stuck {
				var again bool
				if again, err = c.takenUp(ctx, row); again {
					continue
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func (c *Client) rows(ctx context.Context, query string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for info, err := range c.executions(ctx, query) {
			if err != nil {
				yield(Row{}, err)
				return
			}
			if !yield(c.rowOf(info), nil) {
				return
			}
		}
	}
}

// firstPage yields at most as many rows as one call reads. A room's name, which anybody may have
// chosen, may require reading nearly every recording to find its own (see mangled).
func firstPage(rows iter.Seq2[Row, error]) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		n := 0
		for row, err := range rows {
			if n++; !yield(row, err) || n == pageSize {
				return
			}
		}
	}
}

// executions yields the results of a query, page by page as they are read. An error ends it.
func (c *Client) executions(ctx context.Context, query string) iter.Seq2[*workflowpb.WorkflowExecutionInfo, error] {
	return func(yield func(*workflowpb.WorkflowExecutionInfo, error) bool) {
		req := &workflowservice.ListWorkflowExecutionsRequest{Namespace: c.cfg.Namespace, PageSize: pageSize, Query: query}
		for {
			page, err := c.cfg.Temporal.ListWorkflow(ctx, req)
			if older, ok := asOlder(req.Query, err); ok {
				req.Query = older
				continue
			}
			if err != nil {
				yield(nil, errorOf(ctx, "list recordings", err))
				return
			}
			for _, info := range page.GetExecutions() {
				if !yield(info, nil) {
					return
				}
			}
			if req.NextPageToken = page.GetNextPageToken(); len(req.NextPageToken) == 0 {
				return
			}
		}
	}
}

// count returns how many workflows match a query.
func (c *Client) count(ctx context.Context, query string) (int64, error) {
	n, err := c.cfg.Temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: c.cfg.Namespace, Query: query})
	if older, ok := asOlder(query, err); ok {
		return c.count(ctx, older)
	}
	return n.GetCount(), err
}

func (c *Client) rowOf(info *workflowpb.WorkflowExecutionInfo) Row {
	r := Row{
		WorkflowID: info.GetExecution().GetWorkflowId(),
		RunID:      info.GetExecution().GetRunId(),
		Workflow:   strings.ToLower(info.GetStatus().String()),
		StartedAt:  info.GetStartTime().AsTime(),
	}
	var ok bool
	if r.RequestID, ok = egress.RequestID(r.WorkflowID); !ok {
		r.RequestID, _ = egress.RedeliveryOf(r.WorkflowID)
	}
	if t := info.GetCloseTime(); t != nil {
		closed := t.AsTime()
		r.ClosedAt = &closed
	}
	fields := info.GetSearchAttributes().GetIndexedFields()
	for name, target := range map[string]any{
		egress.AttributeID: &r.EgressID, egress.AttributeRoom: &r.Room, egress.AttributeKind: &r.Kind, egress.AttributeStatus: &r.Status,
		egress.AttributeEndedBy: &r.EndedBy, egress.AttributeMissed: &r.Missed, egress.AttributeStuck: &r.Stuck,
	} {
		decode(converter.GetDefaultDataConverter(), fields[name], target)
	}
	decode(c.data, info.GetMemo().GetFields()[egress.MemoAskedBy], &r.AskedBy)
	if p := info.GetMemo().GetFields()[egress.MemoVerdict]; p != nil {
		m := &egress.Memo{}
		if err := c.data.FromPayload(p, m); err == nil {
			r.Memo = m
		} else if errors.Is(err, converter.ErrEncodingIsNotSupported) || egress.ReasonOf(err) == egress.Sealed {
			r.unread = &egress.Error{Reason: egress.Sealed, Message: "LIVEKIT_API_SECRET is not the secret that encrypted what is known of " + r.WorkflowID + "; set that secret, or name it in REELKEEPER_SEAL_KEY or REELKEEPER_PREVIOUS_SECRETS", Err: err}
		}
	}
	return r
}

// decode leaves the target unchanged if there is nothing to decode, or something that a newer
// version of ours wrote: a list with a gap is better than none.
func decode(c converter.DataConverter, p *commonpb.Payload, target any) bool {
	return p != nil && c.FromPayload(p, target) == nil
}
