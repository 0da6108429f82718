package recordings

import (
	"slices"
	"testing"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestOfATerminatedWorkflowItIsSaidWhoGoesOn(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("broken-off")
	begin(t, ctx, c, w, id, id)
	must(t, c.Temporal.TerminateWorkflow(ctx, egress.WorkflowID(id), "", "an operator"))
	const why = "its workflow was terminated; its next webhook, or a round, takes up what LiveKit has of it"

	v, err := c.State(ctx, id)
	must(t, err)
	if v.Problem != why || len(v.Ways) != 1 || v.Ways[0].Command != egress.DeepRoundCommand {
		t.Errorf("got the problem %q and the ways %+v", v.Problem, v.Ways)
	}
	_, unsaid := c.WaitingSteps(ctx, id)
	_, untold := c.Redeliver(ctx, id, RedeliverOptions{})
	for _, err := range []error{unsaid, untold} {
		wantReason(t, err, egress.Conflict)
		if want := "failed_precondition: " + id + " is not told: " + why; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

func TestWhatHasAResultOrRunsIsNotBrokenOff(t *testing.T) {
	t.Parallel()
	const taken, told = "; its next webhook, or a round, takes up what LiveKit has of it", "; another redelivery tells it"
	deep := []egress.Way{{Command: egress.DeepRoundCommand, For: "have it taken up now, by a round that lists all"}}
	for name, tc := range map[string]struct {
		workflowID, workflow, want string
		ways                       []egress.Way
	}{
		"it was terminated":           {"egress/req", "terminated", "its workflow was terminated" + taken, deep},
		"its time was over":           {"egress/req", "timedout", "its workflow timed out" + taken, nil},
		"its start was refused":       {"egress/req", "failed", "", nil},
		"it was cancelled":            {"egress/req", "canceled", "its workflow was cancelled" + taken, nil},
		"it has its result":           {"egress/req", "completed", "", nil},
		"it runs":                     {"egress/req", "running", "", nil},
		"its redelivery was":          {"egress-redelivery/req/1", "terminated", "its workflow was terminated" + told, nil},
		"its redelivery has told all": {"egress-redelivery/req/1", "completed", "", nil},
	} {
		r := Row{WorkflowID: tc.workflowID, Workflow: tc.workflow}
		if got := r.brokenOff(); got != tc.want || !slices.Equal(r.ways(), tc.ways) {
			t.Errorf("%s: got %q and %v, want %q and %v", name, got, r.ways(), tc.want, tc.ways)
		}
	}
}
