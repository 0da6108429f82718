package recordings

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const ofTomorrow = `"of_tomorrow":1,`

// newest is an input as a newer worker reads it: it knows what is of tomorrow.
type newest struct{ egress.Input }

func (in *newest) UnmarshalJSON(b []byte) error {
	return in.Input.UnmarshalJSON(bytes.Replace(b, []byte(ofTomorrow), nil, 1))
}

// recorded returns the verdict of a recording with the given input, by the workers of a version.
func recorded(t *testing.T, ctx context.Context, c *Client, id, input string, by client.VersioningOverride) egress.Verdict {
	t.Helper()
	o := client.StartWorkflowOptions{ID: egress.WorkflowID(id), TaskQueue: egress.TaskQueue, VersioningOverride: by}
	_, err := c.cfg.Temporal.ExecuteWorkflow(ctx, o, egress.WorkflowType, json.RawMessage(input))
	for err != nil && c.pause(ctx) { // Temporal does not know the version yet
		_, err = c.cfg.Temporal.ExecuteWorkflow(ctx, o, egress.WorkflowType, json.RawMessage(input))
	}
	must(t, err)
	return stopped(t, ctx, c, id)
}

// Starters are set back to an older version while workers of the newer one still run.
func TestWhatANewerStarterAskedForIsToldAgainAndCorrectedAsItCame(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("newer")
	w.open(id)
	asked := fmt.Sprintf(`{%s"room_composite":{"room_name":%q}`, ofTomorrow, id)
	v := recorded(t, ctx, c, id, asked+`,"carried":{"phase":"watching"}}`, nil)

	r, err := c.Redeliver(ctx, id, RedeliverOptions{})
	must(t, err)
	must(t, c.Late(ctx, egress.WorkflowID(id), lateEventOf(t, v.EgressID, livekit.EgressStatus_EGRESS_COMPLETE, egress.EventEnded)))
	for _, workflowID := range []string{r.WorkflowID, egress.CorrectionID(id, v.EgressID, 1)} {
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

// The current version is set back, too: only workers of the newer one can read what it recorded.
func TestWhatOnlyItsVersionCanReadIsToldAgainByThatVersion(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	version := worker.WorkerDeploymentVersion{DeploymentName: fresh("deployment"), BuildID: "newer"}
	newer := w.worker(c.cfg.Temporal, worker.Options{DeploymentOptions: worker.DeploymentOptions{
		UseVersioning: true, Version: version, DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}})
	must(t, newer.Start())
	t.Cleanup(newer.Stop)
	for more, want := range map[string]string{ofTomorrow: "newer", "": ""} {
		id := fresh("pinned")
		w.open(id)
		recorded(t, ctx, c, id, fmt.Sprintf(`{%s"room_composite":{"room_name":%q}}`, more, id), &client.PinnedVersioningOverride{Version: version})

		r, err := c.Redeliver(ctx, id, RedeliverOptions{})
		must(t, err)
		must(t, c.Retry(ctx, r.WorkflowID, egress.StepAnnounce))
		_, err = c.Wait(ctx, r.WorkflowID)
		must(t, err)
		d, err := c.describe(ctx, r.WorkflowID, "")
		must(t, err)
		if got := d.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId(); got != want {
			t.Errorf("%q: told again by version %q, want %q", more, got, want)
		}
	}
}
