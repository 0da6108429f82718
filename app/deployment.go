package app

import (
	"cmp"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// deployment is the version that a worker polls as. Recordings are short, so that each
// stays with the version that began it; nothing has to be patched for those under way.
// Without a name the worker is not versioned: a version whose last worker is gone
// would keep its recordings waiting, and only who rolls out by versions keeps one.
func deployment(d config.Deployment, this Build) (worker.DeploymentOptions, error) {
	if d.Name == "" {
		return worker.DeploymentOptions{}, nil
	}
	id := cmp.Or(d.BuildID, this.ID())
	if id == "" {
		return worker.DeploymentOptions{}, &egress.Error{
			Reason: egress.Invalid, Field: "TEMPORAL_WORKER_BUILD_ID",
			Message: "is not set, and this build has neither a release nor a commit; TEMPORAL_DEPLOYMENT_NAME needs one",
		}
	}
	return worker.DeploymentOptions{
		UseVersioning:             true,
		Version:                   worker.WorkerDeploymentVersion{DeploymentName: d.Name, BuildID: id},
		DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}, nil
}
