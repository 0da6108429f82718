package recordings

import (
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// A lost egress may be reported as failed, and then be run again.
func TestEachCorrectionThatSaysSomethingNewIsTold(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	for name, tc := range map[string]struct {
		delivered bool // the first one, before the second is heard
		want      enumspb.WorkflowExecutionStatus
	}{
		"after the one before":        {true, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED},
		"as the one before is untold": {false, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := over(t, ctx, c, w, "twice")
			first, second := egress.CorrectionID(v.RequestID, v.EgressID), egress.NthCorrectionID(v.RequestID, v.EgressID, 2)
			hear := func(status livekit.EgressStatus, retries int32) {
				t.Helper()
				must(t, c.Late(ctx, egress.WorkflowID(v.RequestID), lateEvent(t, egress.EventEnded, &livekit.EgressInfo{
					EgressId: v.EgressID, Status: status, EndedAt: 5 + int64(retries), RetryCount: retries,
				})))
			}
			hear(livekit.EgressStatus_EGRESS_FAILED, 0)
			if tc.delivered {
				must(t, c.Retry(ctx, first, egress.StepAnnounce))
				_, err := c.Wait(ctx, first)
				must(t, err)
			}

			hear(livekit.EgressStatus_EGRESS_COMPLETE, 1)
			hear(livekit.EgressStatus_EGRESS_COMPLETE, 1)
			hear(livekit.EgressStatus_EGRESS_FAILED, 0)

			run := c.cfg.Temporal.GetWorkflow(ctx, first, "")
			_ = run.Get(ctx, nil)
			if state, err := c.workflowState(ctx, first); err != nil || state != tc.want {
				t.Errorf("the first: got %v (%v)", state, err)
			}
			isCorrected(t, ctx, c, v.RequestID, second)
			if last, err := c.lastCorrection(ctx, v.RequestID, v.EgressID); err != nil || last.n != 2 {
				t.Errorf("%d corrections (%v)", last.n, err)
			}
		})
	}
}
