package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// fleet is the workers of a Worker Deployment, as processes, by release.
type fleet struct {
	*world
	name  string
	built map[string]string // paths
}

// release builds the worker of a release. differs are triples: a file of the source under test, a
// text in it, and its replacement.
func (f fleet) release(version string, differs ...string) {
	f.t.Helper()
	dir := f.t.TempDir()
	flags := []string{"-ldflags", "-w -X github.com/reelkeeper/reelkeeper/app.release=" + version}
	if len(differs) > 0 {
		changed, overlay := map[string]string{}, filepath.Join(dir, "overlay.json")
		for d := range slices.Chunk(differs, 3) {
			path, err := filepath.Abs(filepath.Join("..", d[0]))
			require.NoError(f.t, err)
			source, err := os.ReadFile(path)
			require.NoError(f.t, err)
			require.Equal(f.t, 1, strings.Count(string(source), d[1]), d[0])
			changed[path] = filepath.Join(dir, filepath.Base(path))
			require.NoError(f.t, os.WriteFile(changed[path], []byte(strings.Replace(string(source), d[1], d[2], 1)), 0o600))
		}
		b, err := json.Marshal(map[string]any{"Replace": changed})
		require.NoError(f.t, err)
		require.NoError(f.t, os.WriteFile(overlay, b, 0o600))
		flags = append(flags, "-overlay", overlay)
	}
	f.built[version] = filepath.Join(dir, "worker")
	require.NoError(f.t, compile(f.built[version], "worker", flags...))
}

// run starts a worker of a release, with the release as its build ID.
func (f fleet) run(version string) *process {
	f.t.Helper()
	environ := maps.Clone(f.environ)
	environ["REELKEEPER_ADMIN_LISTEN"] = "127.0.0.1:0"
	environ["TEMPORAL_DEPLOYMENT_NAME"] = f.name
	return launch(f.t, f.log, f.built[version], environ)
}

// lead makes a version current for all recordings that begin from now on, once its workers poll
// both queues.
func (f fleet) lead(version string) {
	f.t.Helper()
	d := f.temporal().WorkerDeploymentClient().GetHandle(f.name)
	f.want(version+" is current", func() bool {
		_, err := d.SetCurrentVersion(f.ctx(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: version})
		return err == nil
	})
	for queue, kinds := range map[string][]enumspb.TaskQueueType{
		egress.TaskQueue: {enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY},
		egress.PollQueue: {enumspb.TASK_QUEUE_TYPE_ACTIVITY},
	} {
		for _, kind := range kinds {
			f.want(queue+" gives to "+version, func() bool {
				q, err := f.temporal().DescribeTaskQueue(f.ctx(), queue, kind)
				return err == nil && q.GetVersioningInfo().GetCurrentDeploymentVersion().GetBuildId() == version
			})
		}
	}
}

// of returns the version of a recording.
func (f fleet) of(room string) string {
	f.t.Helper()
	d, err := f.temporal().DescribeWorkflowExecution(f.ctx(), egress.WorkflowID("r-"+room), "")
	require.NoError(f.t, err)
	return d.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId()
}

// answers reports whether the current version knows how the endpoint fared, once it has another
// report.
func (f fleet) answers() bool {
	f.t.Helper()
	now := time.Now()
	require.NoError(f.t, f.client.ReportMinute(f.ctx(), egress.Minute{
		From: now.Add(-time.Minute), Until: now, Every: egress.Duration(time.Minute), Instance: "another",
	}))
	_, err := f.client.Minutes(f.ctx(), now, now)
	return err == nil
}

// untold records a room whose end nobody accepts, and announces it again. It returns the ID of the
// redelivery, which nobody accepts either, once the notice of the end has been refused as well.
func (f fleet) untold(room string, noticed func() bool) (redelivery string) {
	f.t.Helper()
	f.room(room, fakelivekit.RoomScript{Call: time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}})
	f.start(room)
	id := f.verdict(room).EgressID
	f.consumer.answerWith(func(*livekit.WebhookEvent) int { return http.StatusServiceUnavailable })
	r, err := f.client.Redeliver(f.ctx(), "r-"+room, recordings.RedeliverOptions{})
	require.NoError(f.t, err)
	f.want("both are refused", func() bool { return len(f.consumer.told(id)) > 1 && noticed() })
	return r.WorkflowID
}

// Releases A and B are two binaries, and neither can replay what the other has begun.
func TestWorkersAreRolledToANewVersionAndBack(t *testing.T) {
	t.Parallel()
	const A, B = "v0.0.1", "v0.0.2"
	var refused atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refused.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(hook.Close)
	f := fleet{newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) { environ["REELKEEPER_NOTIFY_URL"] = hook.URL }), "recorder", map[string]string{}}
	f.release(A)
	const sleeps, watches, hears = "\t_ = workflow.Sleep(ctx, 1_000_000)\n", "\tfor ; ; e.doDue(ctx) {", "\tminutes := workflow.GetSignalChannel"
	f.release(B, "workflows/egress.go", watches, sleeps+watches, "workflows/endpoint.go", hears, sleeps+hears)
	ids := map[string]string{}
	begin := func(room string) {
		f.room(room, fakelivekit.RoomScript{})
		ids[room] = f.start(room).Info.Proto().GetEgressId()
	}

	follows := func(version string) { // as docs/upgrades.md has it
		f.want("what follows cannot be replayed", func() bool { return !f.answers() })
		require.NoError(t, f.temporal().TerminateWorkflow(f.ctx(), egress.EndpointID, "", "cannot be replayed"))
		f.want("it begins anew with "+version, f.answers)
	}

	f.run(A)
	f.lead(A)
	begin("before")
	f.want("it began", f.answers)
	b := f.run(B)
	f.lead(B)
	follows(B)
	begin("during")
	again := f.untold("missed", func() bool { return refused.Load() > 0 })
	f.lead(A)
	follows(A)
	begin("after")

	versions := map[string]string{"before": A, "during": B, "after": A}
	for room, version := range versions {
		require.Equal(t, version, f.of(room), room)
	}
	killed := time.Now()
	b.kill() // too early: one of its recordings is running, and so are the notice and the redelivery
	f.want("that is seen", func() bool {
		stranded, err := f.client.Stranded(f.ctx(), killed)
		return err == nil && stranded[f.name+":"+B] == 3
	})
	f.consumer.answerWith(nil)
	for room := range versions {
		require.NoError(t, f.fake.EndCall(room))
	}
	for _, room := range []string{"before", "after"} {
		require.Equal(t, egress.Status("EGRESS_COMPLETE"), f.verdict(room).Status)
	}
	require.Empty(t, f.consumer.told(ids["during"]), "who could tell is gone")
	f.run(B)
	require.Equal(t, egress.Status("EGRESS_COMPLETE"), f.verdict("during").Status)
	require.Equal(t, []string{egress.StepAnnounce}, f.verdictOf(again).Delivered)
	stranded, err := f.client.Stranded(f.ctx(), killed)
	require.NoError(t, err)
	require.NotContains(t, stranded, f.name+":"+B)
	for room, version := range versions {
		require.Equal(t, version, f.of(room), room)
		require.Len(t, f.consumer.told(ids[room]), 1, room)
	}
	require.Zero(t, f.twins())
}
