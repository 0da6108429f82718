package app

import (
	"cmp"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/config"
)

// deployment is the version under which a worker polls. Recordings are short, so each stays with
// the version that began it, and those in progress need no patching. Without a name the worker is
// unversioned: a version whose last worker is gone would keep its recordings waiting, and only
// those who roll out by versions keep one running.
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
