package recordings

import (
	"context"
	"errors"
	"testing"

	"github.com/livekit/protocol/livekit"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/reelkeeper/reelkeeper/egress"
)

// A lost egress may be reported as failed, and then be run again.
func TestEachCorrectionThatSaysSomethingNewIsTold(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	for name, tc := range map[string]struct {
		delivered bool // the first one, before the second is heard
		away      bool // Temporal, as the first one is to be ended
		want      enumspb.WorkflowExecutionStatus
	}{
		"after the one before":        {true, false, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED},
		"as the one before is untold": {false, false, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED},
		"… and goes on at first":      {false, true, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := over(t, ctx, c, w, "twice")
			first, second := egress.CorrectionID(v.RequestID, v.EgressID, 1), egress.CorrectionID(v.RequestID, v.EgressID, 2)
			heard := func(c *Client, status livekit.EgressStatus, retries int32) error {
				return c.Late(ctx, egress.WorkflowID(v.RequestID), lateEvent(t, egress.EventEnded, &livekit.EgressInfo{
					EgressId: v.EgressID, Status: status, EndedAt: 5 + int64(retries), RetryCount: retries,
				}))
			}
			hear := func(status livekit.EgressStatus, retries int32) {
				t.Helper()
				must(t, heard(c, status, retries))
			}
			hear(livekit.EgressStatus_EGRESS_FAILED, 0)
			if tc.delivered {
				must(t, c.Retry(ctx, first, egress.StepAnnounce))
				_, err := c.Wait(ctx, first)
				must(t, err)
			}

			if tc.away {
				if err := heard(withoutCancels(t), livekit.EgressStatus_EGRESS_COMPLETE, 1); err == nil {
					t.Error("LiveKit hears that all is well, and sends it no more")
				}
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

// withoutCancels is a client whose cancels Temporal does not take.
func withoutCancels(t *testing.T) *Client {
	t.Helper()
	return New(Config{Temporal: through(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, ok := req.(*workflowservice.RequestCancelWorkflowExecutionRequest); ok {
			return errors.New("it is away")
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}), Namespace: namespace})
}
