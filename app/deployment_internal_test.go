package app

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
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
