package recordings

import (
	"slices"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestARecordingThatAnotherRunGoesOnWithIsNoLongerStuck(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	left, reset, adopted, refused := fresh("left"), fresh("reset"), fresh("adopted"), fresh("refused")
	run := func(id, egressID string, stuck bool) {
		_, err := c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: egress.WorkflowID(id), TaskQueue: "nobody's",
			TypedSearchAttributes: temporal.NewSearchAttributes(
				temporal.NewSearchAttributeKeyKeyword(egress.AttributeID).ValueSet(egressID),
				temporal.NewSearchAttributeKeyBool(egress.AttributeStuck).ValueSet(stuck),
			),
		}, egress.WorkflowType, egress.Input{})
		must(t, err)
	}
	all := []string{left, reset, adopted, refused}
	for _, id := range all {
		run(id, "EG_"+id, true)
		must(t, c.cfg.Temporal.TerminateWorkflow(ctx, egress.WorkflowID(id), "", "a person ends it"))
	}
	run(reset, "EG_"+reset, false)
	run("EG_"+adopted, "EG_"+adopted, false)
	_, err := c.Start(ctx, egress.StartOptions{RequestID: refused, Request: roomRequest(refused)})
	wantReason(t, err, egress.NotFound)

	for {
		var stuck []string
		for row, err := range c.List(ctx, Filter{Stuck: true}) {
			must(t, err)
			if row.ClosedAt != nil && slices.Contains(all, row.RequestID) {
				stuck = append(stuck, row.RequestID)
			}
		}
		if slices.Sort(stuck); slices.Equal(stuck, []string{left, refused}) {
			return
		}
		if !c.pause(ctx) {
			t.Fatalf("got %q", stuck)
		}
	}
}
