package recordings

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/workflow"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// again stands in for the redelivery workflow: it waits for a retry or skip of its step.
func (s *standIn) again(ctx workflow.Context, r egress.Redelivery) (egress.Verdict, error) {
	requestID, _ := egress.RedeliveryOf(workflow.GetInfo(ctx).WorkflowExecution.ID)
	r.State.AwaitsWord = []string{egress.StepAnnounce}
	done := false
	if err := workflow.SetQueryHandler(ctx, egress.QueryState, func() (egress.State, error) { return r.State, nil }); err != nil {
		return egress.Verdict{}, err
	}
	if err := workflow.SetUpdateHandler(ctx, egress.UpdateRetry, func(workflow.Context, string) error {
		done, r.State.AwaitsWord, r.State.Phase = true, nil, egress.Delivered
		return nil
	}); err != nil {
		return egress.Verdict{}, err
	}
	err := workflow.Await(ctx, func() bool { return done && workflow.AllHandlersFinished(ctx) })
	return r.State.Verdict(requestID, r.Readable()), err
}

// over returns the verdict of a recording that has been delivered.
func over(t *testing.T, ctx context.Context, c *Client, w *standIn, name string) egress.Verdict {
	t.Helper()
	id := fresh(name)
	w.open(id)
	_, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id)})
	must(t, err)
	return stopped(t, ctx, c, id)
}

// stopped stops a recording, and returns its verdict.
func stopped(t *testing.T, ctx context.Context, c *Client, id string) egress.Verdict {
	t.Helper()
	_, err := c.Stop(ctx, id)
	must(t, err)
	v, err := c.Wait(ctx, id)
	must(t, err)
	return v
}

func TestARedeliveryTakesTheNextNumberUnlessOneIsUnderWay(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	v := over(t, ctx, c, w, "again")

	dry, err := c.Redeliver(ctx, v.RequestID, RedeliverOptions{DryRun: true})
	must(t, err)
	if dry.WorkflowID != "" || dry.EventID == "" || dry.EgressID != v.EgressID || dry.Status != egress.Lost {
		t.Errorf("got %+v", dry)
	}
	first, err := c.Redeliver(ctx, v.RequestID, RedeliverOptions{AskedBy: egress.AskedBy("APIkey", "ann")})
	must(t, err)
	if first.WorkflowID != egress.RedeliveryID(v.RequestID, 1) || first.UnderWay || first.EventID != dry.EventID {
		t.Errorf("got %+v", first)
	}
	second, err := c.Redeliver(ctx, v.EgressID, RedeliverOptions{Step: egress.StepAnnounce})
	must(t, err)
	if second.WorkflowID != first.WorkflowID || !second.UnderWay {
		t.Errorf("another was begun beside the first: %+v", second)
	}
	own, err := c.Redeliver(ctx, v.RequestID, RedeliverOptions{Step: "index"})
	must(t, err)
	if own.WorkflowID != egress.RedeliveryID(v.RequestID, 2) || own.UnderWay || own.EventID != "" || own.IdempotencyKey != v.StepKey("index") {
		t.Errorf("whoever tells all runs no step: %+v", own)
	}
	if own, err = c.Redeliver(ctx, v.RequestID, RedeliverOptions{Step: "index"}); err != nil || !own.UnderWay {
		t.Errorf("got %+v, %v", own, err)
	}
	must(t, c.Retry(ctx, first.WorkflowID, egress.StepAnnounce))
	told, err := c.Wait(ctx, first.WorkflowID)
	must(t, err)
	if told.EgressID != v.EgressID || told.RequestID != v.RequestID {
		t.Errorf("got %+v", told)
	}
	third, err := c.Redeliver(ctx, egress.WorkflowID(v.RequestID), RedeliverOptions{Step: egress.StepAnnounce})
	must(t, err)
	if third.WorkflowID != egress.RedeliveryID(v.RequestID, 3) || third.UnderWay {
		t.Errorf("got %+v", third)
	}
	all, err := c.Redeliver(ctx, first.WorkflowID, RedeliverOptions{})
	must(t, err)
	if all.WorkflowID != egress.RedeliveryID(v.RequestID, 4) {
		t.Errorf("one that tells a single step is not one that tells all: %+v", all)
	}
}

func TestRedeliveriesAtTheSameMomentAreOne(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	v := over(t, ctx, c, w, "race")
	var group sync.WaitGroup
	results := make([]Redelivered, 5)
	errs := make([]error, len(results))
	for i := range results {
		group.Go(func() { results[i], errs[i] = c.Redeliver(ctx, v.RequestID, RedeliverOptions{}) })
	}
	group.Wait()
	must(t, errors.Join(errs...))
	begun := 0
	for _, r := range results {
		if r.WorkflowID != egress.RedeliveryID(v.RequestID, 1) {
			t.Errorf("got %+v", r)
		}
		if !r.UnderWay {
			begun++
		}
	}
	if begun != 1 {
		t.Errorf("%d were begun", begun)
	}
}

func TestARedeliveryIsNoRecordingAndIsFoundWhereItWaits(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	v := over(t, ctx, c, w, "listed")
	r, err := c.Redeliver(ctx, v.RequestID, RedeliverOptions{AskedBy: egress.AskedBy("APIkey", "ann")})
	must(t, err)

	if n := awaitRows(t, ctx, c, Filter{Room: v.Room, Redeliveries: true}, 1); n != 1 {
		t.Errorf("it is listed %d times", n)
	}
	if n := awaitRows(t, ctx, c, Filter{Room: v.Room}, 1); n != 1 {
		t.Errorf("%d recordings, want the one", n)
	}
	for row, err := range c.Redeliveries(ctx, v.RequestID) {
		must(t, err)
		if row.WorkflowID != r.WorkflowID || row.RequestID != v.RequestID || row.EgressID != v.EgressID || row.Status != v.Status ||
			row.AskedBy == nil || *row.AskedBy != *egress.AskedBy("APIkey", "ann") {
			t.Errorf("got %+v", row)
		}
	}
	for _, id := range []string{v.RequestID, v.EgressID, r.WorkflowID} {
		waiting, err := c.WaitingSteps(ctx, id)
		must(t, err)
		if !slices.Equal(waiting, []WaitingStep{{r.WorkflowID, egress.StepAnnounce}}) {
			t.Errorf("%s: got %v", id, waiting)
		}
	}
	shown, err := c.State(ctx, r.WorkflowID)
	must(t, err)
	if shown.Phase != egress.Settled || shown.RequestID != v.RequestID {
		t.Errorf("got %+v", shown)
	}
	must(t, c.Retry(ctx, r.WorkflowID, egress.StepAnnounce))
	_, err = c.Wait(ctx, r.WorkflowID)
	must(t, err)
	waiting, err := c.WaitingSteps(ctx, v.RequestID)
	if err != nil || len(waiting) > 0 {
		t.Errorf("got %v: %v", waiting, err)
	}
}

func TestWhatIsNotDeliveredIsNotToldAgain(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("runs")
	begin(t, ctx, c, w, id, id)
	if _, err := c.Redeliver(ctx, id, RedeliverOptions{}); egress.ReasonOf(err) != egress.Conflict || !strings.Contains(err.Error(), "not delivered yet") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Redeliver(ctx, fresh("nobody"), RedeliverOptions{}); egress.ReasonOf(err) != egress.NotFound || !strings.Contains(err.Error(), "no recording has the ID") {
		t.Errorf("got %v", err)
	}
	if _, err := c.WaitingSteps(ctx, fresh("nobody")); egress.ReasonOf(err) != egress.NotFound {
		t.Errorf("got %v", err)
	}
	v := over(t, ctx, c, w, "done")
	if _, err := c.Redeliver(ctx, v.RequestID, RedeliverOptions{Step: "webhook-7"}); egress.ReasonOf(err) != egress.Invalid || !strings.Contains(err.Error(), `no step "webhook-7"`) {
		t.Errorf("got %v", err)
	}
}

func lateEventOf(t *testing.T, egressID string, status livekit.EgressStatus, event string) egress.Event {
	t.Helper()
	return lateEvent(t, event, &livekit.EgressInfo{EgressId: egressID, Status: status, EndedAt: 5})
}

func lateEvent(t *testing.T, event string, m *livekit.EgressInfo) egress.Event {
	t.Helper()
	i, err := egress.NewInfo(m)
	must(t, err)
	b, err := json.Marshal(map[string]any{"event": event, "id": "EV_late", "egressInfo": i})
	must(t, err)
	e, err := egress.ParseEvent(b)
	must(t, err)
	return e
}

func TestTheLateEndOfWhatWasLostIsToldOnce(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	v := over(t, ctx, c, w, "late")
	complete := livekit.EgressStatus_EGRESS_COMPLETE
	for _, e := range []egress.Event{
		lateEventOf(t, v.EgressID, livekit.EgressStatus_EGRESS_ACTIVE, egress.EventUpdated), lateEventOf(t, "EG_another", complete, egress.EventEnded),
	} {
		must(t, c.Late(ctx, egress.WorkflowID(v.RequestID), e))
	}
	if state, err := c.workflowState(ctx, egress.CorrectionID(v.RequestID, v.EgressID, 1)); err != nil || state != enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
		t.Errorf("something else corrects it: %v", err)
	}
	end := lateEventOf(t, v.EgressID, complete, egress.EventEnded)
	for range 2 { // as the webhook endpoint does
		must(t, c.Late(ctx, egress.WorkflowID(v.RequestID), end))
	}
	id := egress.CorrectionID(v.RequestID, v.EgressID, 1)
	state, err := c.workflowState(ctx, id)
	if err != nil || state != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Errorf("got %v: %v", state, err)
	}
	must(t, c.Retry(ctx, id, egress.StepAnnounce))
	told, err := c.Wait(ctx, id)
	must(t, err)
	if told.Corrects != egress.Lost || told.Status != "EGRESS_COMPLETE" {
		t.Errorf("got %+v", told)
	}
	repeat, err := c.Redeliver(ctx, v.RequestID, RedeliverOptions{})
	must(t, err)
	for workflowID, want := range map[string]string{id: "correct what was told of ", repeat.WorkflowID: "tell again how "} {
		if got := titleOf(t, ctx, c, workflowID); !strings.HasPrefix(got, want+v.EgressID) {
			t.Errorf("%s: got %q", workflowID, got)
		}
	}
}

// titleOf returns the title of a workflow.
func titleOf(t *testing.T, ctx context.Context, c *Client, workflowID string) (title string) {
	t.Helper()
	d, err := c.describe(ctx, workflowID, "")
	must(t, err)
	must(t, c.data.FromPayload(d.GetExecutionConfig().GetUserMetadata().GetSummary(), &title))
	return title
}

func TestTheLateEndOfASecondRunIsToldAndToldAgain(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	v := over(t, ctx, c, w, "fails")
	id := egress.CorrectionID(v.RequestID, v.EgressID, 1)
	for retries, want := range []enumspb.WorkflowExecutionStatus{enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING} {
		must(t, c.Late(ctx, egress.WorkflowID(v.RequestID), lateEvent(t, egress.EventEnded, &livekit.EgressInfo{
			EgressId: v.EgressID, Status: livekit.EgressStatus_EGRESS_COMPLETE, EndedAt: 9, RetryCount: int32(retries),
		})))
		if state, err := c.workflowState(ctx, id); err != nil || state != want {
			t.Errorf("run %d: got %v: %v", retries, state, err)
		}
	}
	isCorrected(t, ctx, c, v.RequestID, id)
}

// isCorrected requires a correction, and a redelivery too, to say that a recording announced as
// failed is complete.
func isCorrected(t *testing.T, ctx context.Context, c *Client, requestID, id string) {
	t.Helper()
	must(t, c.Retry(ctx, id, egress.StepAnnounce))
	told, err := c.Wait(ctx, id)
	must(t, err)
	if told.Corrects != "EGRESS_FAILED" || told.Status != "EGRESS_COMPLETE" {
		t.Errorf("got %+v", told)
	}
	again, err := c.Redeliver(ctx, requestID, RedeliverOptions{DryRun: true})
	must(t, err)
	if again.Status != "EGRESS_COMPLETE" {
		t.Errorf("got %+v, want what it was corrected to", again)
	}
}

// What is redelivered, and what the steps of a late end get, has each part as it was corrected,
// including one that failed and ran again.
func TestAPartThatFailedIsKnownAsItWasCorrected(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	v := over(t, ctx, c, w, "parts")
	known, err := c.recall(ctx, egress.WorkflowID(v.RequestID))
	must(t, err)
	told := known.State
	first, second := fresh("EG_part"), fresh("EG_part")
	for i, part := range []string{first, second} {
		failed, err := egress.NewInfo(&livekit.EgressInfo{EgressId: part, Status: livekit.EgressStatus_EGRESS_FAILED, EndedAt: 3})
		must(t, err)
		told.Parts = append(told.Parts, egress.Part{Number: i + 1, EgressID: part, Status: "EGRESS_FAILED", Info: failed})
	}
	for _, part := range []string{first, second} {
		end, err := egress.ObserveEvent(lateEventOf(t, part, livekit.EgressStatus_EGRESS_COMPLETE, egress.EventEnded), time.Now())
		must(t, err)
		var amends bool
		if known.State, amends = told.Amend(end); !amends {
			t.Fatal("its second end corrects nothing")
		}
		_, err = c.beginRedelivery(ctx, egress.CorrectionID(v.RequestID, part, 1), known, RedeliverOptions{})
		must(t, err)
	}
	deliver := func(part string) {
		id := egress.CorrectionID(v.RequestID, part, 1)
		must(t, c.Retry(ctx, id, egress.StepAnnounce))
		_, err := c.Wait(ctx, id)
		must(t, err)
	}

	deliver(second)
	now, err := c.partsAsCorrected(ctx, v.RequestID, told)
	wantReason(t, err, egress.Conflict)
	if now.Parts[0].Status != "EGRESS_COMPLETE" || now.Parts[1].Status != "EGRESS_COMPLETE" {
		t.Errorf("as the first is still being told: %s, %s", now.Parts[0].Status, now.Parts[1].Status)
	}
	deliver(first)
	now, err = c.partsAsCorrected(ctx, v.RequestID, told)
	must(t, err)
	if now.Parts[0].Status != "EGRESS_COMPLETE" || told.Parts[0].Status != "EGRESS_FAILED" {
		t.Errorf("got %s, and before %s", now.Parts[0].Status, told.Parts[0].Status)
	}
}
