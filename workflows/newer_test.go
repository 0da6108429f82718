package workflows_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// earlierRun is a run that was continued.
const earlierRun = "the run before"

// A roll-out is taken back, and an older worker gets the next run of a recording: its task fails,
// and not the run. A state that no run has left is a mistake, or worse: by it, what was never
// recorded would be announced.
func TestOnlyARunLeavesAStateToTheNextOne(t *testing.T) {
	t.Parallel()
	const asked, unknown, state = `{"web":{"url":"https://example.com"}`, `,"of_tomorrow":1`, `,"carried":{"phase":"watching"}`
	end := func(argument, after string) error {
		l := newLife(t)
		l.SetContinuedExecutionRunID(after)
		l.ExecuteWorkflow(egress.WorkflowType, json.RawMessage(argument))
		return l.GetWorkflowError()
	}
	for argument, field := range map[string]string{asked + unknown: "of_tomorrow", asked + unknown + state: "of_tomorrow", asked + state: "carried"} {
		var failed *temporal.ApplicationError
		require.ErrorAs(t, end(argument+`}`, ""), &failed)
		require.Equal(t, string(egress.Invalid), failed.Type())
		require.ErrorContains(t, failed, field)
	}
	var held *temporal.PanicError // by which a worker fails the task
	require.ErrorAs(t, end(asked+unknown+state+`}`, earlierRun), &held)
	require.ErrorContains(t, held, "of_tomorrow")
}
