package e2e

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// fleet is the workers of a Worker Deployment, as processes, by their versions.
type fleet struct {
	*world
	name string
}

// run starts a worker of a version.
func (f fleet) run(version string) *process {
	f.t.Helper()
	environ := maps.Clone(f.environ)
	environ["REELKEEPER_ADMIN_LISTEN"] = "127.0.0.1:0"
	environ["TEMPORAL_DEPLOYMENT_NAME"], environ["TEMPORAL_WORKER_BUILD_ID"] = f.name, version
	return f.spawn("worker", environ)
}

// lead gives a version all recordings that begin from now on, once its workers poll both queues.
func (f fleet) lead(version string) {
	f.t.Helper()
	d := f.temporal().WorkerDeploymentClient().GetHandle(f.name)
	f.want(version+" is current", func() bool {
		_, err := d.SetCurrentVersion(f.ctx(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: version})
		return err == nil
	})
}

// of is the version that a recording is with.
func (f fleet) of(room string) string {
	f.t.Helper()
	d, err := f.temporal().DescribeWorkflowExecution(f.ctx(), egress.WorkflowID("r-"+room), "")
	require.NoError(f.t, err)
	return d.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId()
}

func TestWorkersAreRolledToANewVersionAndBack(t *testing.T) {
	t.Parallel()
	f := fleet{newWorld(t, nil), "recorder"}
	ids := map[string]string{}
	begin := func(room string) {
		f.room(room, fakelivekit.RoomScript{})
		ids[room] = f.start(room).Info.Proto().GetEgressId()
	}

	f.run("A")
	f.lead("A")
	begin("before")
	b := f.run("B")
	f.lead("B")
	begin("during")
	f.lead("A")
	begin("after")

	versions := map[string]string{"before": "A", "during": "B", "after": "A"}
	for room, version := range versions {
		require.Equal(t, version, f.of(room), room)
	}
	b.kill() // too early: a recording of it is under way
	for room := range versions {
		require.NoError(t, f.fake.EndCall(room))
	}
	for _, room := range []string{"before", "after"} {
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), f.verdict(room).Status)
	}
	require.Empty(t, f.consumer.told(ids["during"]), "who could tell is gone")
	f.run("B")
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), f.verdict("during").Status)
	for room, version := range versions {
		require.Equal(t, version, f.of(room), room)
		require.Len(t, f.consumer.told(ids[room]), 1, room)
	}
	require.Zero(t, f.twins())
}
