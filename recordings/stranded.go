package recordings

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
)

// keptByVersion matches the workflows pinned to the version of the worker that started them.
var keptByVersion = fmt.Sprintf("WorkflowType IN ('%s', '%s', '%s')", egress.WorkflowType, egress.RedeliveryType, egress.NoticeType)

// Stranded counts the running recordings, redeliveries and notices of each Worker Deployment
// version of which no worker has polled since the given time: no other worker continues them.
func (c *Client) Stranded(ctx context.Context, since time.Time) (map[string]int64, error) {
	polled, err := c.polledVersions(ctx, since)
	if err != nil {
		return nil, err
	}
	deployments, err := c.cfg.Temporal.WorkerDeploymentClient().List(ctx, client.WorkerDeploymentListOptions{})
	if is[*serviceerror.Unimplemented](err) {
		return nil, nil // a server without versions
	}
	if err != nil {
		return nil, errorOf(ctx, "list worker deployments", err)
	}
	stranded := map[string]int64{}
	for deployments.HasNext() {
		d, err := deployments.Next()
		if err != nil {
			return nil, errorOf(ctx, "list worker deployments", err)
		}
		described, err := c.cfg.Temporal.WorkerDeploymentClient().GetHandle(d.Name).Describe(ctx, client.WorkerDeploymentDescribeOptions{})
		if err != nil {
			return nil, errorOf(ctx, "describe worker deployment "+d.Name, err)
		}
		for _, v := range described.Info.VersionSummaries {
			version := versionName(v.Version.DeploymentName, v.Version.BuildID)
			if polled[version] {
				continue
			}
			// A drained version may have some, too: a reset can begin a run on the version of the run before.
			n, err := c.count(ctx, keptByVersion+" AND "+open+" AND "+equal("TemporalWorkflowVersioningBehavior", "Pinned")+
				" AND "+equal("TemporalWorkerDeploymentVersion", version))
			if err != nil {
				return nil, errorOf(ctx, "count recordings of "+version, err)
			}
			if n > 0 {
				stranded[version] = n
			}
		}
	}
	return stranded, nil
}

// polledVersions returns the versions of which a worker has polled for workflow tasks since the
// given time.
func (c *Client) polledVersions(ctx context.Context, since time.Time) (map[string]bool, error) {
	q, err := c.cfg.Temporal.DescribeTaskQueue(ctx, egress.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return nil, errorOf(ctx, "describe task queue "+egress.TaskQueue, err)
	}
	polled := map[string]bool{}
	for _, p := range q.GetPollers() {
		if o := p.GetDeploymentOptions(); p.GetLastAccessTime().AsTime().After(since) {
			polled[versionName(o.GetDeploymentName(), o.GetBuildId())] = true
		}
	}
	return polled, nil
}

// versionName returns a version as Temporal's search attribute spells it.
func versionName(deployment, buildID string) string { return deployment + ":" + buildID }
