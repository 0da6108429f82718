package workflows_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// A roll-out is taken back, and a worker of before gets the next run of a recording: its task
// fails, and not the run.
func TestWhatANewerRunLeftIsNoMistakeOfACaller(t *testing.T) {
	t.Parallel()
	const asked = `{"web":{"url":"https://example.com"},"of_tomorrow":1`
	end := func(argument string) error {
		l := newLife(t)
		l.ExecuteWorkflow(egress.WorkflowType, json.RawMessage(argument))
		return l.GetWorkflowError()
	}
	var failed *temporal.ApplicationError
	require.ErrorAs(t, end(asked+`}`), &failed)
	require.Equal(t, string(egress.Invalid), failed.Type())
	var held *temporal.PanicError // by which a worker fails the task
	require.ErrorAs(t, end(asked+`,"carried":{"phase":"watching"}}`), &held)
	require.ErrorContains(t, held, "of_tomorrow")
}
