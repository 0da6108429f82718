package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// registry records the registered types of workflows, and how each is versioned.
type registry struct {
	worker.Worker
	types map[string]workflow.VersioningBehavior
}

func (r *registry) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r.types[o.Name] = o.VersioningBehavior
}

func (*registry) RegisterActivityWithOptions(any, activity.RegisterOptions) {}

// registered returns the workflows of a worker.
func registered(t *testing.T) map[string]workflow.VersioningBehavior {
	t.Helper()
	a, err := Open(Options{Role: config.Worker, Environ: map[string]string{
		"LIVEKIT_URL": "http://localhost", "LIVEKIT_API_KEY": "devkey", "LIVEKIT_API_SECRET": "a-secret-of-32-characters-or-more",
		"REELKEEPER_PUBLIC_URL": "http://reel.example.com",
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	r := &registry{types: map[string]workflow.VersioningBehavior{}}
	require.NoError(t, a.registerWorkflows(r))
	require.NotEmpty(t, r.types)
	return r.types
}

// The tests of package workflows replay the recorded histories, and fail for a type that they do
// not know. So neither can miss a new type of workflow.
func TestEveryWorkflowOfAWorkerHasARecordedHistory(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../workflows/testdata/histories/*/*.json")
	require.NoError(t, err)
	recorded := map[string]bool{}
	for _, file := range files {
		recorded[typeOf(t, file)] = true
	}
	for name := range registered(t) {
		require.True(t, recorded[name], "record one of %s with e2e's TestRecordHistories", name)
	}
}

// typeOf returns the type of the workflow that wrote a history.
func typeOf(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var history struct {
		Events []struct {
			Began struct {
				WorkflowType struct{ Name string }
			} `json:"workflowExecutionStartedEventAttributes"`
		}
	}
	require.NoError(t, json.Unmarshal(b, &history))
	require.NotEmpty(t, history.Events)
	return history.Events[0].Began.WorkflowType.Name
}

func TestAWorkerHeartbeatsAndStopsInTime(t *testing.T) {
	t.Parallel()
	opts, err := (&App{}).options()
	require.NoError(t, err)
	require.Positive(t, opts.MaxHeartbeatThrottleInterval)
	require.LessOrEqual(t, 2*opts.MaxHeartbeatThrottleInterval, 10*time.Second, "as in workflows/policies.go")
	require.GreaterOrEqual(t, opts.WorkerStopTimeout, activities.RequestTimeout, "a call under way is finished")
	require.LessOrEqual(t, 2*opts.WorkerStopTimeout, shutdownGrace, "first its workflow tasks, then its activities")
}
