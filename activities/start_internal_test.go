package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"
)

func TestAStartThatAnotherRunHasAskedForMayHaveBeenSentBefore(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]bool{"this-run": false, "the-run-before": true, "": false} { // none: asked for by an older worker
		i := activity.Info{WorkflowExecution: workflow.Execution{RunID: "this-run"}}
		require.Equal(t, want, StartRequest{RunID: asked}.resent(i), asked)
	}
}
