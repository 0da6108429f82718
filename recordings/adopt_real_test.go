package recordings

import (
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

func TestWhatAFailedStartLeftBehindIsTakenUpByItsOwnRequest(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	by := time.Now()
	request := egress.Input{
		Plain:    &livekit.RoomCompositeEgressRequest{RoomName: "standup"},
		Pipeline: "compliance", MaxDuration: egress.Duration(time.Hour), StartBy: &by,
	}
	elsewhere := request
	elsewhere.Plain = &livekit.RoomCompositeEgressRequest{RoomName: "standpu"}
	for name, tc := range map[string]struct {
		earlier *egress.Input
		adopted bool
	}{
		"a run of the request failed": {&request, false},
		"it was of another room":      {&elsewhere, true},
		"it was never any good":       {&egress.Input{}, true},
		"there was none":              {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := fresh("left-behind")
			workflowID := egress.WorkflowID(id)
			if tc.earlier != nil {
				_, err := c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: workflowID, TaskQueue: "nobody's"}, egress.WorkflowType, *tc.earlier)
				must(t, err)
				must(t, c.cfg.Temporal.TerminateWorkflow(ctx, workflowID, "", "as if it had failed"))
			}
			e := runningAs(t, "EG_1", "standup")

			must(t, c.Adopt(ctx, id, egress.Extras{Pipeline: "usual"}, e))

			in, err := c.inputOf(ctx, workflowID)
			must(t, err)
			if tc.adopted {
				if !in.Adopted || in.Pipeline != "usual" || in.Again {
					t.Errorf("got %+v", in)
				}
				return
			}
			if in.Adopted || in.Pipeline != "compliance" || in.MaxDuration != request.MaxDuration || in.Plain == nil {
				t.Errorf("got %+v, want what was asked for", in)
			}
			if !in.Again || in.StartBy == nil || !in.StartBy.IsZero() {
				t.Errorf("got %+v, want nothing to be started", in)
			}
		})
	}
}

// An operator terminates a workflow that is still recording: the next round, or its next webhook,
// adopts the egress.
func TestAStrayWhoseWorkflowWasTerminatedIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("EG_stray")
	w.open(id) // otherwise its workflow fails, and is not there to be terminated
	e := runningAs(t, id, id)
	adopt := func() {
		t.Helper()
		made, err := c.AdoptListed(ctx, id, egress.Extras{}, e)
		must(t, err)
		if !made {
			t.Error("nobody watches it")
		}
	}
	adopt()
	for range 2 {
		if _, err := c.Find(ctx, id); err != nil { // visibility knows it
			t.Fatal(err)
		}
		must(t, c.cfg.Temporal.TerminateWorkflow(ctx, egress.WorkflowID(id), "", "an operator"))
		adopt()
	}
}

func TestAStrayIsTakenUpOnceThoughVisibilityLags(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("EG_stray")
	w.open(id)
	e := runningAs(t, id, id)
	var runs []string
	for _, first := range []bool{true, false} {
		made, err := c.AdoptListed(ctx, id, egress.Extras{}, e)
		must(t, err)
		if made != first {
			t.Errorf("made one: %t, want %t", made, first)
		}
		d, err := c.describe(ctx, egress.WorkflowID(id), "")
		must(t, err)
		runs = append(runs, d.GetWorkflowExecutionInfo().GetExecution().GetRunId())
	}
	if runs[0] != runs[1] {
		t.Error("the second round has started another run")
	}
}

// If LiveKit does not echo our token, only visibility knows whose egress it is.
func TestAnEgressWithoutOurTokenIsOfTheRequestThatVisibilityNames(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	for name, tc := range map[string]struct {
		terminated, made bool
	}{
		"its workflow was terminated": {true, true},
		"its workflow runs":           {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, workflowID := fresh("EG_unnamed"), egress.WorkflowID(fresh("unnamed"))
			run, err := c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: workflowID, TaskQueue: "nobody's",
				TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword(egress.AttributeID).ValueSet(id)),
			}, egress.WorkflowType, egress.Input{Plain: &livekit.RoomCompositeEgressRequest{RoomName: "standup"}})
			must(t, err)
			if found, err := c.Find(ctx, id); err != nil || found != workflowID { // visibility knows it
				t.Fatalf("found %q, %v", found, err)
			}
			if tc.terminated {
				must(t, c.cfg.Temporal.TerminateWorkflow(ctx, workflowID, "", "an operator"))
			}
			e := runningAs(t, id, "standup")

			made, err := c.AdoptListed(ctx, id, egress.Extras{}, e)

			must(t, err)
			if made != tc.made {
				t.Errorf("made one: %t, want %t", made, tc.made)
			}
			d, err := c.describe(ctx, workflowID, "")
			must(t, err)
			if again := d.GetWorkflowExecutionInfo().GetExecution().GetRunId() != run.GetRunID(); again != tc.made {
				t.Errorf("its request has another run: %t, want %t", again, tc.made)
			}
			if state, err := c.workflowState(ctx, egress.WorkflowID(id)); err != nil || state != enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED {
				t.Errorf("it has a workflow of its own, %s (%v)", state, err)
			}
		})
	}
}

// Our webhook's URL, which LiveKit echoes, holds what Temporal has forgotten.
func TestAForgottenRequestIsAdoptedAsItWasAskedFor(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	hooks := []*livekit.WebhookConfig{{Url: "https://app.example.com/hook?key=theirs"}}
	keys, err := seal.New(seal.Config{Secret: "a secret of LiveKit's"})
	must(t, err)
	sealed, err := keys.SealWebhooks("forgotten", hooks)
	must(t, err)
	e, err := egress.ParseEvent([]byte(`{"event":"egress_updated","id":"EV_1","egressInfo":{"egressId":"EG_1","status":"EGRESS_ACTIVE","roomName":"standup","roomComposite":{"roomName":"standup"}}}`))
	must(t, err)
	for name, tc := range map[string]struct {
		id, sealed, host string // host: of the webhook that is to be told
		open             bool
	}{
		"under its own ID":            {fresh("forgotten"), sealed, "app.example.com", true},
		"as a recording of its own":   {fresh("EG_forgotten"), sealed, "app.example.com", true},
		"with what nobody can open":   {fresh("forgotten"), "c2VhbGVk", "unreadable", false},
		"… as a recording of its own": {fresh("EG_forgotten"), "c2VhbGVk", "unreadable", false},
		"without webhooks":            {fresh("forgotten"), "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			extras := egress.Extras{RequestID: "forgotten", Pipeline: "archive", MaxDuration: egress.Duration(time.Hour), Webhooks: tc.sealed}

			must(t, c.Adopt(ctx, tc.id, extras, e))

			in, err := c.inputOf(ctx, egress.WorkflowID(tc.id))
			must(t, err)
			must(t, in.Validate(tc.id))
			if !in.Adopted || in.Pipeline != "archive" || in.MaxDuration != extras.MaxDuration || in.Fingerprint != "" || in.Summary.Room != "standup" {
				t.Errorf("got %+v, summary %+v", in, in.Summary)
			}
			if got := strings.Join(in.Summary.Webhooks, " "); got != tc.host {
				t.Errorf("its webhooks are of %q, want %q", got, tc.host)
			}
			r, err := keys.OpenRequest(tc.id, in)
			if !tc.open {
				if err == nil {
					t.Errorf("it holds %v", r)
				}
				return
			}
			must(t, err)
			if got := r.GetWebhooks(); len(got) != 1 || got[0].GetUrl() != hooks[0].GetUrl() {
				t.Errorf("its webhooks are %v", got)
			}
		})
	}
}
