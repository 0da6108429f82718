package workflows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// TestRecordedLivesReplay holds this code against the histories of every version
// before it, which were recorded on a real Temporal server by e2e's
// TestRecordHistories. A change in the order of commands fails here, and not in
// the recordings that are under way.
func TestRecordedLivesReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/histories/*/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "testdata/histories/"), ".json"), func(t *testing.T) {
			t.Parallel()
			w := &workflows.Workflows{Terms: terms()}
			require.NoError(t, replay(t, file, map[string]any{
				egress.WorkflowType: w.Egress, egress.NoticeType: w.Notice, egress.ReconcileType: w.Reconcile, egress.EndpointType: w.Endpoint,
				egress.RedeliveryType: w.Redelivery, egress.CanaryType: w.Canary, egress.LateType: w.Late,
			}))
		})
	}
}

// What would keep recordings from going on after an upgrade is found by the replay: code
// that does the same and one thing more.
func TestAChangeOfTheOrderOfCommandsIsFound(t *testing.T) {
	t.Parallel()
	w := &workflows.Workflows{Terms: terms()}
	changed := func(ctx workflow.Context, arg egress.Argument) (egress.Verdict, error) {
		if err := workflow.Sleep(ctx, time.Second); err != nil {
			return egress.Verdict{}, err
		}
		return w.Egress(ctx, arg)
	}
	files, err := filepath.Glob("testdata/histories/*/webhook-end.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		require.ErrorContains(t, replay(t, file, map[string]any{egress.WorkflowType: changed}), "TMPRL1100", "the SDK's code of what is not deterministic")
	}
}

// A worker of a newer version takes over a recording that it would not have admitted.
func TestWhatANewerVersionWouldRefuseIsReplayed(t *testing.T) {
	t.Parallel()
	w := &workflows.Workflows{Terms: terms()}
	for _, tc := range []struct{ file, before, after string }{
		{"webhook-end", `{"summary"`, `{"recover":101,"summary"`}, {"redelivery", `{"input":{`, `{"input":{"recover":101,`},
	} {
		files, err := filepath.Glob("testdata/histories/*/" + tc.file + ".json")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			history := historyIn(t, file)
			input := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()[0]
			require.Contains(t, string(input.GetData()), tc.before)
			input.Data = []byte(strings.Replace(string(input.GetData()), tc.before, tc.after, 1))
			require.NoError(t, replayed(t, history, map[string]any{egress.WorkflowType: w.Egress, egress.RedeliveryType: w.Redelivery}), file)
		}
	}
}

// replay runs workflow functions, by their types, against a recorded history.
func replay(t *testing.T, file string, byType map[string]any) error {
	t.Helper()
	return replayed(t, historyIn(t, file), byType)
}

func historyIn(t *testing.T, file string) *historypb.History {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	history := &historypb.History{}
	require.NoError(t, protojson.Unmarshal(b, history))
	return history
}

func replayed(t *testing.T, history *historypb.History, byType map[string]any) error {
	t.Helper()
	began := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DataConverter: payloads(), DisableDeadlockDetection: true})
	require.NoError(t, err)
	for name, f := range byType {
		replayer.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{Name: name})
	}
	return replayer.ReplayWorkflowHistoryWithOptions(nil, history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: began.GetWorkflowId(), RunID: began.GetOriginalExecutionRunId()},
	})
}
