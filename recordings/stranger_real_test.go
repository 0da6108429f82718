package recordings

import (
	"context"
	"slices"
	"testing"

	"github.com/livekit/protocol/livekit"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Another front door started it past Temporal with the same key, and we heard of it too late to
// make it a twin.
func TestAnEgressThatItsCompletedRequestNeverKnewIsARecordingOfItsOwn(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	hear := func(requestID string, e egress.Event) (bool, error) {
		return made(c.Adopt(ctx, requestID, egress.Extras{}, e))
	}
	list := func(requestID string, e egress.Event) (bool, error) {
		return c.AdoptListed(ctx, requestID, egress.Extras{}, e)
	}
	for name, tc := range map[string]struct {
		adopt  func(requestID string, e egress.Event) (bool, error)
		signal string
	}{
		"by a webhook": {hear, egress.SignalObserved},
		"by a round":   {list, egress.SignalReconciled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, stray := over(t, ctx, c, w, "stranger"), fresh("EG_stray")
			w.open(stray)
			must(t, c.Adopt(ctx, stray, egress.Extras{}, lateEvent(t, egress.EventUpdated, &livekit.EgressInfo{EgressId: stray, RoomName: stray})))
			_, err := c.Stop(ctx, stray)
			must(t, err)
			_, err = c.Wait(ctx, stray)
			must(t, err)
			for _, known := range [][2]string{{v.RequestID, v.EgressID}, {stray, stray}, {v.RequestID, ""}} {
				again, err := tc.adopt(known[0], lateEventOf(t, known[1], livekit.EgressStatus_EGRESS_ACTIVE, egress.EventUpdated))
				if err != nil || again {
					t.Errorf("%s of %s, whose request is over: taken up again %t (%v)", known[1], known[0], again, err)
				}
			}
			other := fresh("EG_stranger")

			taken, err := tc.adopt(v.RequestID, lateEventOf(t, other, livekit.EgressStatus_EGRESS_ACTIVE, egress.EventUpdated))

			must(t, err)
			if !taken {
				t.Error("nobody watches it")
			}
			if got := signals(t, ctx, c, egress.WorkflowID(other)); !slices.Equal(got, []string{tc.signal}) {
				t.Errorf("it was told by %q, want %q", got, tc.signal)
			}
			if state, err := c.workflowState(ctx, egress.WorkflowID(v.RequestID)); err != nil || state != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
				t.Errorf("its request has another run, %s (%v)", state, err)
			}
		})
	}
}

// signals returns the names of the signals that a workflow has got.
func signals(t *testing.T, ctx context.Context, c *Client, workflowID string) (names []string) {
	t.Helper()
	history := c.cfg.Temporal.GetWorkflowHistory(ctx, workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		must(t, err)
		if s := e.GetWorkflowExecutionSignaledEventAttributes(); s != nil {
			names = append(names, s.GetSignalName())
		}
	}
	return names
}
