package app

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
	"github.com/reelkeeper/reelkeeper/recordings"
)

func TestAWorkerOfADeploymentIsOfAVersion(t *testing.T) {
	t.Parallel()
	pinned := func(id string) worker.DeploymentOptions {
		return worker.DeploymentOptions{
			UseVersioning: true, DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
			Version: worker.WorkerDeploymentVersion{DeploymentName: "recorder", BuildID: id},
		}
	}
	for name, tc := range map[string]struct {
		set  config.Deployment
		this Build
		want worker.DeploymentOptions
	}{
		"none":             {this: Build{Release: "v1.0.0"}},
		"a build ID alone": {set: config.Deployment{BuildID: "b"}},
		"its build ID":     {set: config.Deployment{Name: "recorder", BuildID: "b"}, this: Build{Release: "v1.0.0"}, want: pinned("b")},
		"else its release": {set: config.Deployment{Name: "recorder"}, this: Build{Release: "v1.0.0", Commit: "abc"}, want: pinned("v1.0.0")},
		"else its commit":  {set: config.Deployment{Name: "recorder"}, this: Build{Commit: "abc"}, want: pinned("abc")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := deployment(tc.set, tc.this)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
	_, err := deployment(config.Deployment{Name: "recorder"}, Build{})
	var e *egress.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "TEMPORAL_WORKER_BUILD_ID", e.Field)
}

// All others stay with the version that began them, as the worker's options say.
func TestWhatIsOneOfAKindGoesOnWithTheCurrentVersion(t *testing.T) {
	t.Parallel()
	const asTheWorker, upgraded = workflow.VersioningBehaviorUnspecified, workflow.VersioningBehaviorAutoUpgrade
	require.Equal(t, map[string]workflow.VersioningBehavior{
		egress.WorkflowType: asTheWorker, egress.RedeliveryType: asTheWorker, egress.NoticeType: asTheWorker, egress.LateType: asTheWorker,
		egress.EndpointType: upgraded, egress.ReconcileType: upgraded, egress.CanaryType: upgraded,
	}, registered(t).types)
}

// Whoever rolls back is told of each type that may run, and of those that may be left.
func TestWhatMayRunDuringARollbackIsInTheDocs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docs/upgrades.md")
	require.NoError(t, err)
	listed := regexp.MustCompile(`WorkflowType IN \((.*?)\)`).FindStringSubmatch(string(b))
	left := regexp.MustCompile("Only `(.*)` may be left").FindStringSubmatch(string(b))
	require.NotNil(t, listed)
	require.NotNil(t, left)
	all := strings.Split(strings.Trim(listed[1], "'"), "', '")
	follow := strings.Split(strings.Replace(left[1], "` and `", "`, `", 1), "`, `")
	for name, behavior := range registered(t).types {
		require.Contains(t, all, name)
		require.Equal(t, behavior == workflow.VersioningBehaviorAutoUpgrade, slices.Contains(follow, name), name)
	}
}

// unpolled is a Temporal that knows two versions of workers, which nobody runs any more. It keeps
// the queries that it was asked to count.
type unpolled struct {
	client.Client
	asked string
}

func (*unpolled) WorkerDeploymentClient() client.WorkerDeploymentClient { return &deployments{} }

func (*unpolled) DescribeTaskQueue(context.Context, string, enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{}, nil
}

func (u *unpolled) CountWorkflow(_ context.Context, r *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	u.asked = r.GetQuery()
	return &workflowservice.CountWorkflowExecutionsResponse{Count: 7}, nil
}

// deployments returns the only deployment.
type deployments struct {
	client.WorkerDeploymentClient
	listed bool
}

func (d *deployments) List(context.Context, client.WorkerDeploymentListOptions) (client.WorkerDeploymentListIterator, error) {
	return d, nil
}

func (d *deployments) HasNext() bool { return !d.listed }

func (d *deployments) Next() (*client.WorkerDeploymentListEntry, error) {
	d.listed = true
	return &client.WorkerDeploymentListEntry{Name: "recorder"}, nil
}

func (*deployments) GetHandle(string) client.WorkerDeploymentHandle { return described{} }

type described struct{ client.WorkerDeploymentHandle }

func (described) Describe(context.Context, client.WorkerDeploymentDescribeOptions) (client.WorkerDeploymentDescribeResponse, error) {
	return client.WorkerDeploymentDescribeResponse{Info: client.WorkerDeploymentInfo{VersionSummaries: []client.WorkerDeploymentVersionSummary{
		{Version: worker.WorkerDeploymentVersion{DeploymentName: "recorder", BuildID: "v1"}},
		{Version: worker.WorkerDeploymentVersion{DeploymentName: "recorder", BuildID: "v0"}, DrainageStatus: client.WorkerDeploymentVersionDrainageStatusDrained},
	}}}, nil
}

// Nobody continues them once the last worker of their version is gone.
func TestWhateverWaitsForItsVersionIsCountedAsStranded(t *testing.T) {
	t.Parallel()
	temporal := &unpolled{}
	stranded, err := recordings.New(recordings.Config{Temporal: temporal}).Stranded(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"recorder:v1": 7, "recorder:v0": 7}, stranded)
	require.Contains(t, temporal.asked, "TemporalWorkflowVersioningBehavior = 'Pinned'", "what was moved to the current version waits for nobody")
	for name, behavior := range registered(t).types {
		waits := behavior != workflow.VersioningBehaviorAutoUpgrade && name != egress.LateType // which ends at once
		require.Equal(t, waits, strings.Contains(temporal.asked, "'"+name+"'"), "%s in %s", name, temporal.asked)
	}
}
