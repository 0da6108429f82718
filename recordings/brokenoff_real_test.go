package recordings

import (
	"slices"
	"testing"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestOfATerminatedWorkflowItIsSaidWhoGoesOn(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("broken-off")
	begin(t, ctx, c, w, id, id)
	must(t, c.cfg.Temporal.TerminateWorkflow(ctx, egress.WorkflowID(id), "", "an operator"))
	const why = "its workflow was terminated; its next webhook, or a round, picks up what LiveKit has of it"

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
	const taken, told = "; its next webhook, or a round, picks up what LiveKit has of it", "; redeliver it again"
	deep := []egress.Way{{Command: egress.DeepRoundCommand, For: "pick it up now, by a round that lists all"}}
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
		closed := time.Now()
		r, now := Row{WorkflowID: tc.workflowID, Workflow: tc.workflow, ClosedAt: &closed}, closed.Add(24*time.Hour)
		if got := r.brokenOff(now); got != tc.want || !slices.Equal(r.ways(now), tc.ways) {
			t.Errorf("%s: got %q and %v, want %q and %v", name, got, r.ways(now), tc.want, tc.ways)
		}
	}
}

func TestOfWhatLiveKitHasForgottenNobodyIsPromised(t *testing.T) {
	t.Parallel()
	const lastWord = "; that was over a day ago: unless LiveKit still runs it, nothing picks it up any more; look for its media in its storage, and tell its consumers by hand"
	list := []egress.Way{{Command: "lk egress list --id EG_1", For: "see whether LiveKit still runs it"}}
	for name, tc := range map[string]struct {
		row  Row
		want string
		ways []egress.Way
	}{
		"it was terminated":        {Row{WorkflowID: "egress/req", Workflow: "terminated", EgressID: "EG_1"}, "its workflow was terminated" + lastWord, list},
		"… before it had begun":    {Row{WorkflowID: "egress/req", Workflow: "terminated"}, "its workflow was terminated" + lastWord, nil},
		"its time was over":        {Row{WorkflowID: "egress/req", Workflow: "timedout", EgressID: "EG_1"}, "its workflow timed out" + lastWord, nil},
		"its redelivery was ended": {Row{WorkflowID: "egress-redelivery/req/1", Workflow: "terminated"}, "its workflow was terminated; redeliver it again", nil},
	} {
		closed := time.Now()
		now := closed.Add(egress.Remembered + 1)
		tc.row.ClosedAt = &closed
		if got, ways := tc.row.brokenOff(now), tc.row.ways(now); got != tc.want || !slices.Equal(ways, tc.ways) {
			t.Errorf("%s: got %q and %v, want %q and %v", name, got, ways, tc.want, tc.ways)
		}
	}
}
