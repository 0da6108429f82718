package recordings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const ofTomorrow = `"of_tomorrow":1,`

// newest is an input as a newer worker reads it: it knows what is of tomorrow.
type newest struct{ egress.Input }

func (in *newest) UnmarshalJSON(b []byte) error {
	return in.Input.UnmarshalJSON(bytes.Replace(b, []byte(ofTomorrow), nil, 1))
}

// Starters are set back to an older version while workers of the newer one still run.
func TestWhatANewerStarterAskedForIsToldAgainAndCorrectedAsItCame(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("newer")
	w.open(id)
	asked := fmt.Sprintf(`{%s"room_composite":{"room_name":%q}`, ofTomorrow, id)
	_, err := c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: egress.WorkflowID(id), TaskQueue: egress.TaskQueue},
		egress.WorkflowType, json.RawMessage(asked+`,"carried":{"phase":"watching"}}`))
	must(t, err)
	_, err = c.Stop(ctx, id)
	must(t, err)
	v, err := c.Wait(ctx, id)
	must(t, err)

	r, err := c.Redeliver(ctx, id, RedeliverOptions{})
	must(t, err)
	must(t, c.Late(ctx, egress.WorkflowID(id), lateEventOf(t, v.EgressID, livekit.EgressStatus_EGRESS_COMPLETE, egress.EventEnded)))
	for _, workflowID := range []string{r.WorkflowID, egress.CorrectionID(id, v.EgressID)} {
		var begun egress.Redelivery
		must(t, c.argument(ctx, workflowID, &begun))
		if string(begun.Input) != asked+"}" {
			t.Errorf("%s: got %s", workflowID, begun.Input)
		}
		if title := titleOf(t, ctx, c, workflowID); !strings.HasSuffix(title, "room_composite of room "+id) {
			t.Errorf("%s: got %q", workflowID, title)
		}
	}
	_, err = c.Redeliver(ctx, id, RedeliverOptions{})
	wantReason(t, err, egress.Conflict) // the correction is being told
}
