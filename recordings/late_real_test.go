package recordings

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// missedOne starts a recording whose webhook was missed. It runs until it is terminated, which
// stands for its end: readers then see what it said of itself.
func missedOne(t *testing.T, ctx context.Context, c *Client, id string) {
	t.Helper()
	missedAs(t, ctx, c, id, "EG_"+id)
}

func missedAs(t *testing.T, ctx context.Context, c *Client, id, egressID string) {
	t.Helper()
	ended := time.Now().UTC().Add(-time.Minute)
	_, err := c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: egress.WorkflowID(id), TaskQueue: "nobody's",
		Memo: map[string]any{egress.MemoVerdict: egress.Memo{EndedAt: ended, Late: egress.Duration(20 * time.Second), Missed: egress.MissedDown, MissedBecause: "away"}},
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(egress.AttributeID).ValueSet(egressID),
			temporal.NewSearchAttributeKeyKeyword(egress.AttributeRoom).ValueSet(id),
			temporal.NewSearchAttributeKeyKeyword(egress.AttributeStatus).ValueSet("EGRESS_COMPLETE"),
			temporal.NewSearchAttributeKeyKeyword(egress.AttributeEndedBy).ValueSet(string(egress.FromPoll)),
			temporal.NewSearchAttributeKeyKeyword(egress.AttributeMissed).ValueSet(string(egress.MissedDown)),
		),
	}, egress.WorkflowType, egress.Input{})
	must(t, err)
}

func endOf(t *testing.T, event, egressID, eventID string) egress.Event {
	t.Helper()
	e, err := egress.ParseEvent(fmt.Appendf(nil, `{"event":%q,"id":%q,"egressInfo":{"egressId":%q,"status":"EGRESS_COMPLETE"}}`, event, eventID, egressID))
	must(t, err)
	return e
}

func TestALateWebhookIsJoinedToItsClosedRecording(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("late")
	workflowID := egress.WorkflowID(id)
	missedOne(t, ctx, c, id)
	end := endOf(t, egress.EventEnded, "EG_"+id, "EV_1")
	noted := func() bool {
		_, err := c.describe(ctx, egress.LateID(id), "")
		return err == nil
	}

	// No worker is needed for it: it says nothing of what may be corrected.
	must(t, c.Late(ctx, workflowID, end))
	must(t, c.Late(ctx, workflowID, endOf(t, egress.EventEnded, "EG_another", "EV_1")))
	if noted() {
		t.Error("its workflow runs, and takes the webhook itself")
	}
	must(t, c.cfg.Temporal.TerminateWorkflow(ctx, workflowID, "", "it has ended"))
	must(t, c.Late(ctx, workflowID, endOf(t, egress.EventUpdated, "EG_"+id, "EV_0")))
	must(t, c.Late(ctx, workflowID, endOf(t, egress.EventUpdated, "EG_another", "EV_0")))
	must(t, c.Late(ctx, egress.WorkflowID(fresh("forgotten")), end))
	if noted() {
		t.Error("an event of the way is no late end")
	}
	awaitMissed(t, ctx, c, id, egress.MissedDown)

	must(t, c.Late(ctx, workflowID, end))
	must(t, c.Late(ctx, workflowID, end))
	must(t, c.Late(ctx, workflowID, endOf(t, egress.EventEnded, "EG_"+id, "EV_2")))
	must(t, c.Late(ctx, workflowID, lateEvent(t, egress.EventEnded, &livekit.EgressInfo{
		EgressId: "EG_" + id, Status: livekit.EgressStatus_EGRESS_COMPLETE, RetryCount: 1,
	})))

	row := awaitMissed(t, ctx, c, id, egress.MissedLate)
	if row.Memo == nil || row.Memo.Missed != egress.MissedLate || row.Memo.MissedBecause == "away" || row.Memo.Late.D() != 20*time.Second {
		t.Errorf("got the memo %+v", row.Memo)
	}
	r, err := c.Report(ctx, time.Now().Add(-time.Hour), time.Now())
	must(t, err)
	var classes []egress.Missed
	for _, m := range r.Misses {
		if m.RequestID == id {
			classes = append(classes, m.Class)
		}
	}
	if !slices.Equal(classes, []egress.Missed{egress.MissedLate}) {
		t.Errorf("got the classes %v in the report", classes)
	}
}

// Its request's workflow had closed without knowing of it, so it has one of its own.
func TestTheLateWebhookOfAnEgressOfItsOwnIsNotedThere(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	request, stranger := fresh("asked"), fresh("EG_stranger")
	missedOne(t, ctx, c, request)
	missedAs(t, ctx, c, stranger, stranger)
	for _, id := range []string{request, stranger} {
		must(t, c.cfg.Temporal.TerminateWorkflow(ctx, egress.WorkflowID(id), "", "it has ended"))
	}

	must(t, c.Late(ctx, egress.WorkflowID(request), endOf(t, egress.EventEnded, stranger, "EV_1")))

	if _, err := c.describe(ctx, egress.LateID(stranger), ""); err != nil {
		t.Errorf("its webhook is not noted: %v", err)
	}
	if _, err := c.describe(ctx, egress.LateID(request), ""); egress.ReasonOf(err) != egress.NotFound {
		t.Errorf("noted of its request: %v", err)
	}
}

// A round that could not verify our token, as after a change of secrets, adopted a lost part under
// its own ID. Its webhook goes to the URL of its request, which has closed.
func TestTheLateWebhookOfAnEgressWhoseOwnWorkflowRunsIsTakenThere(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	request, part := fresh("asked"), fresh("EG_part")
	missedOne(t, ctx, c, request)
	missedAs(t, ctx, c, part, part)
	must(t, c.cfg.Temporal.TerminateWorkflow(ctx, egress.WorkflowID(request), "", "it has ended"))

	for range 2 { // at LiveKit's second try, too
		must(t, c.Late(ctx, egress.WorkflowID(request), endOf(t, egress.EventEnded, part, "EV_1")))
	}

	if got := signals(t, ctx, c, egress.WorkflowID(part)); !slices.Equal(got, []string{egress.SignalObserved}) {
		t.Errorf("its workflow has the signals %v", got)
	}
	for _, id := range []string{request, part} {
		if _, err := c.describe(ctx, egress.LateID(id), ""); egress.ReasonOf(err) != egress.NotFound {
			t.Errorf("noted as late of %s: %v", id, err)
		}
	}
}

// awaitMissed asks until visibility shows a closed recording with that class, or gives up after a
// while.
func awaitMissed(t *testing.T, ctx context.Context, c *Client, room string, want egress.Missed) Row {
	t.Helper()
	for {
		for row, err := range c.List(ctx, Filter{Room: room, Missed: true}) {
			if err != nil {
				t.Fatalf("never %s: %v", want, err)
			}
			if row.ClosedAt != nil && row.Missed == want {
				return row
			}
		}
		if !c.pause(ctx) {
			t.Fatalf("never %s", want)
		}
	}
}
