package app

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// registry records the registered types of workflows, with how each is versioned, and the
// activities.
type registry struct {
	worker.Worker
	types      map[string]workflow.VersioningBehavior
	activities map[string]reflect.Type
}

func (r *registry) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r.types[o.Name] = o.VersioningBehavior
}

func (r *registry) RegisterActivityWithOptions(f any, o activity.RegisterOptions) {
	r.activities[o.Name] = reflect.TypeOf(f)
}

// RegisterActivity records the methods of a struct.
func (r *registry) RegisterActivity(of any) {
	v := reflect.ValueOf(of)
	for m := range v.Type().Methods() {
		r.activities[m.Name] = v.Method(m.Index).Type()
	}
}

// registered returns what is registered with the workers of both queues.
func registered(t *testing.T) *registry {
	t.Helper()
	a, err := Open(Options{Role: config.Worker, Environ: map[string]string{
		"LIVEKIT_URL": "http://localhost", "LIVEKIT_API_KEY": "devkey", "LIVEKIT_API_SECRET": "a-secret-of-32-characters-or-more",
		"REELKEEPER_PUBLIC_URL": "http://reel.example.com",
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	r := &registry{types: map[string]workflow.VersioningBehavior{}, activities: map[string]reflect.Type{}}
	require.NoError(t, a.register(r, r, nil))
	require.NotEmpty(t, r.types)
	require.NotEmpty(t, r.activities)
	return r
}

// The tests of package workflows replay the recorded histories, and fail for a type that they do
// not know. So neither can miss a new type of workflow.
func TestEveryWorkflowOfAWorkerHasARecordedHistory(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../workflows/testdata/histories/*/*.json")
	require.NoError(t, err)
	recorded := map[string]bool{}
	for _, file := range files {
		recorded[eventsOf(t, file)[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowType().GetName()] = true
	}
	for name := range registered(t).types {
		require.True(t, recorded[name], "record one of %s with e2e's TestRecordHistories", name)
	}
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
