package recordings

import (
	"cmp"
	"context"
	"time"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Retention returns how long the namespace keeps closed workflows.
func (c *Client) Retention(ctx context.Context) (time.Duration, error) {
	d, err := c.cfg.Temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.cfg.Namespace})
	if err != nil {
		return 0, errorOf(ctx, "describe namespace "+c.cfg.Namespace, err)
	}
	return d.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(), nil
}

// LackingSearchAttributes returns the command that creates the search attributes that the
// namespace lacks, empty if it lacks none.
func (c *Client) LackingSearchAttributes(ctx context.Context) (string, error) {
	missing, err := c.lacking(ctx)
	if err != nil || len(missing) == 0 {
		return "", err
	}
	return c.command(missing), nil
}

// LastPolls returns when a worker last polled a task queue for workflow tasks and for activities
// of new work: a worker of the current version, if workers have versions. The server remembers
// polls for 5 min.
func (c *Client) LastPolls(ctx context.Context, queue string) (p egress.Polls, err error) {
	var idle string
	if p.Workflows, p.Idle, err = c.lastPoll(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW); err != nil {
		return p, err
	}
	p.Activities, idle, err = c.lastPoll(ctx, queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	p.Idle = cmp.Or(p.Idle, idle)
	return p, err
}

func (c *Client) lastPoll(ctx context.Context, queue string, kind enumspb.TaskQueueType) (last time.Time, idle string, err error) {
	q, err := c.cfg.Temporal.DescribeTaskQueue(ctx, queue, kind)
	if err != nil {
		return last, "", errorOf(ctx, "describe task queue "+queue, err)
	}
	takes := nameOf(q.GetVersioningInfo().GetCurrentDeploymentVersion())
	if q.GetVersioningInfo().GetRampingVersionPercentage() == 100 {
		takes = nameOf(q.GetVersioningInfo().GetRampingDeploymentVersion())
	}
	for _, p := range q.GetPollers() {
		version, at := unversioned, p.GetLastAccessTime().AsTime()
		if o := p.GetDeploymentOptions(); o.GetWorkerVersioningMode() == enumspb.WORKER_VERSIONING_MODE_VERSIONED {
			version = versionName(o.GetDeploymentName(), o.GetBuildId())
		}
		switch {
		case version != takes:
			idle = version
		case at.After(last):
			last = at
		}
	}
	if !last.IsZero() {
		idle = ""
	}
	return last, idle, nil
}

// unversioned is Temporal's name for workers without a version.
const unversioned = "__unversioned__"

func nameOf(v *deploymentpb.WorkerDeploymentVersion) string {
	if v == nil {
		return unversioned
	}
	return versionName(v.GetDeploymentName(), v.GetBuildId())
}

// ScheduleState returns the state of a schedule. If it does not exist, the error has reason
// NotFound.
func (c *Client) ScheduleState(ctx context.Context, id string) (egress.ScheduleState, error) {
	d, err := c.describeSchedule(ctx, id)
	if err != nil {
		return egress.ScheduleState{}, err
	}
	if d == nil {
		return egress.ScheduleState{}, &egress.Error{Reason: egress.NotFound, Message: "there is no schedule " + id}
	}
	s := egress.ScheduleState{Made: d.Info.CreatedAt, Acted: d.Info.CreatedAt, Others: c.foreign(&d.Schedule)}
	_, s.Ignored = c.announcesSince(d)
	for _, a := range d.Info.RecentActions {
		if a.ActualTime.After(s.Acted) {
			s.Acted = a.ActualTime
		}
	}
	if spec := d.Schedule.Spec; spec != nil && len(spec.Intervals) > 0 {
		s.Every = spec.Intervals[0].Every
	}
	if state := d.Schedule.State; state != nil {
		s.Paused = state.Paused
		s.Off = state.Paused && (state.Note == reconcilerOff || state.Note == canaryOff)
	}
	return s, nil
}
