package recordings

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// RedeliverOptions says what to redeliver.
type RedeliverOptions struct {
	Step    string        // the one step to redeliver by, or the pipeline step to rerun; default: all consumers
	DryRun  bool          // only say what would be done
	AskedBy *egress.Asker // for reports; default: Config.AskedBy
}

// Redelivered is a redelivery that has begun, or would begin.
type Redelivered struct {
	RequestID  string        `json:"request_id"`
	EgressID   string        `json:"egress_id"`
	Room       string        `json:"room,omitempty"`
	Status     egress.Status `json:"status"`
	WorkflowID string        `json:"workflow_id,omitempty"` // of the redelivery; empty for a dry run
	EventID    string        `json:"event_id,omitempty"`    // under which its end is announced, as before; empty for a step of the pipeline
	UnderWay   bool          `json:"under_way,omitempty"`   // an earlier redelivery to them is still running, so none was started
	// IdempotencyKey is that of the rerun pipeline step, as before.
	IdempotencyKey string `json:"idempotency_key,omitempty"`
}

// Redeliver tells the consumers of a recording, named by any of its IDs, once more what became of
// it, under the same event IDs as before, or reruns a step of its pipeline. It returns once that
// is durable; the delivery goes on without the caller, with the same retries as the first one. If
// an earlier redelivery to the same consumers is still running, none is started beside it. A
// worker must run, since the workflow that delivered is asked what it delivered.
func (c *Client) Redeliver(ctx context.Context, id string, o RedeliverOptions) (Redelivered, error) {
	workflowID, requestID, err := c.findEgress(ctx, id)
	if err != nil {
		return Redelivered{}, err
	}
	known, err := c.recall(ctx, workflowID)
	if err != nil {
		return Redelivered{}, notFoundAs(id, err)
	}
	if known.State, err = c.asCorrected(ctx, requestID, known.State); err != nil {
		return Redelivered{}, err
	}
	state, err := known.State.Again(o.Step, time.Now().UTC())
	if err != nil && known.State.Phase != egress.Delivered {
		err = cmp.Or(c.nobodyTells(ctx, id, workflowID), err)
	}
	if err != nil {
		return Redelivered{}, err
	}
	r := Redelivered{RequestID: requestID, EgressID: state.ID, Room: state.Latest.Proto().GetRoomName(), Status: state.Status}
	if len(state.Tells()) == 0 { // only a step of the pipeline
		r.IdempotencyKey = state.Verdict(requestID, egress.Summary{}).StepKey(o.Step)
	} else {
		event, err := state.Announcement()
		if err != nil {
			return Redelivered{}, errorOf(ctx, "redeliver "+id, err)
		}
		r.EventID = event.Proto().GetId()
	}
	if o.DryRun {
		return r, nil
	}
	known.State = state
	return c.tellAgain(ctx, r, known, o)
}

// findEgress returns the workflow of the recording itself, even if id is that of a redelivery.
func (c *Client) findEgress(ctx context.Context, id string) (workflowID, requestID string, err error) {
	if requestID, ok := egress.RedeliveryOf(id); ok {
		return egress.WorkflowID(requestID), requestID, nil
	}
	workflowID, err = c.Find(ctx, id)
	requestID, _ = egress.RequestID(workflowID)
	return workflowID, requestID, err
}

// inputOf returns the input of the last run of an egress workflow.
func (c *Client) inputOf(ctx context.Context, workflowID string) (in egress.Input, err error) {
	err = c.argument(ctx, workflowID, &in)
	return in, err
}

// argument reads the argument of the last run of a workflow.
func (c *Client) argument(ctx context.Context, workflowID string, into any) error {
	events := c.cfg.Temporal.GetWorkflowHistory(ctx, workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	first, err := events.Next()
	if err != nil {
		return err
	}
	return c.data.FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), into)
}

// recall returns what a workflow knows, even if it has closed: a worker then replays it.
func (c *Client) recall(ctx context.Context, workflowID string) (r egress.Redelivery, err error) {
	var fields map[string]json.RawMessage
	if err = c.argument(ctx, workflowID, &fields); err == nil {
		delete(fields, "carried") // the state is newer
		r.Input, err = json.Marshal(fields)
	}
	if err != nil {
		return r, errorOf(ctx, "read "+workflowID, err)
	}
	r.State, err = c.needState(ctx, Row{WorkflowID: workflowID})
	return r, err
}

// Redeliveries yields the redeliveries of a request's recording, newest first, as visibility knows
// them now.
func (c *Client) Redeliveries(ctx context.Context, requestID string) iter.Seq2[Row, error] {
	query := fmt.Sprintf("%s AND WorkflowId STARTS_WITH %s", Filter{Redeliveries: true}.query(), quote(egress.RedeliveriesOf(requestID)))
	return func(yield func(Row, error) bool) {
		for row, err := range c.rows(ctx, query) {
			// In some stores, the _ in an ID matches any character.
			if (err != nil || row.RequestID == requestID) && !yield(row, err) {
				return
			}
		}
	}
}

// others returns the redeliveries of a recording, except the row itself if it is one.
func (c *Client) others(ctx context.Context, row Row) ([]Row, error) {
	var rows []Row
	for other, err := range c.Redeliveries(ctx, row.RequestID) {
		if err != nil {
			return nil, err
		}
		if other.WorkflowID != row.WorkflowID {
			rows = append(rows, other)
		}
	}
	return rows, nil
}

// tellAgain starts the redelivery under the first free number. Two concurrent callers get two
// numbers, or the second finds the first one's redelivery running.
func (c *Client) tellAgain(ctx context.Context, r Redelivered, arg egress.Redelivery, o RedeliverOptions) (Redelivered, error) {
	for n := 1; ; n++ {
		r.WorkflowID = egress.RedeliveryID(r.RequestID, n)
		taken, err := c.beginRedelivery(ctx, r.WorkflowID, arg, o)
		if !taken || err != nil {
			return r, err
		}
		if r.UnderWay, err = c.underWay(ctx, r.WorkflowID, o.Step, r.EventID != ""); err != nil || r.UnderWay {
			return r, err
		}
	}
}

// beginRedelivery starts a redelivery. It reports whether the ID was taken.
func (c *Client) beginRedelivery(ctx context.Context, id string, arg egress.Redelivery, o RedeliverOptions) (taken bool, err error) {
	sum := arg.Readable()
	memo := map[string]any{egress.MemoStep: o.Step}
	if by := cmp.Or(o.AskedBy, c.cfg.AskedBy); by != nil {
		memo[egress.MemoAskedBy] = by
	}
	version, err := c.reader(ctx, id, arg)
	if err != nil {
		return false, err
	}
	_, err = c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       id,
		TaskQueue:                                egress.TaskQueue,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            egress.Clip(redeliveryTitle(id, arg.State.ID)+": "+sum.Title(), maxTitle),
		TypedSearchAttributes:                    attributesOfRedelivery(sum, arg.State),
		Memo:                                     memo,
		VersioningOverride:                       version,
	}, egress.RedeliveryType, arg)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return true, nil
	}
	return false, errorOf(ctx, "start "+id, err)
}

// reader returns the worker version that a redelivery is pinned to, nil for the current one. If the
// input stems from a newer release than this one, it is the version that recorded: the current one
// may be older, too.
func (c *Client) reader(ctx context.Context, redeliveryID string, arg egress.Redelivery) (client.VersioningOverride, error) {
	var in egress.Input
	if json.Unmarshal(arg.Input, &in) == nil {
		return nil, nil
	}
	requestID, _ := egress.RedeliveryOf(redeliveryID)
	d, err := c.describe(ctx, egress.WorkflowID(requestID), "")
	v := d.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion()
	if err != nil || v == nil { // it has none
		return nil, err
	}
	pinned := &client.PinnedVersioningOverride{}
	pinned.Version.DeploymentName, pinned.Version.BuildID = v.GetDeploymentName(), v.GetBuildId()
	return pinned, nil
}

func redeliveryTitle(workflowID, egressID string) string {
	if egress.IsCorrection(workflowID) {
		return "correct what was told of " + egressID
	}
	return "tell again how " + egressID + " ended"
}

// attributesOfRedelivery returns the attributes that the egress has once it is delivered, so that
// both are found by room, egress ID and status.
func attributesOfRedelivery(sum egress.Summary, s egress.State) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(attributesAtStart(sum, string(s.Status)).Copy(),
		temporal.NewSearchAttributeKeyKeyword(egress.AttributeID).ValueSet(s.ID))
}

// underWay reports whether a running redelivery does what a step would do: one to all consumers
// tells each of them, but runs no step of the pipeline.
func (c *Client) underWay(ctx context.Context, workflowID, step string, tells bool) (bool, error) {
	d, err := c.describe(ctx, workflowID, "")
	if err != nil {
		return false, err
	}
	info := d.GetWorkflowExecutionInfo()
	var theirs string
	decode(c.data, info.GetMemo().GetFields()[egress.MemoStep], &theirs)
	return isOpen(info.GetStatus()) && (theirs == step || tells && theirs == ""), nil
}
