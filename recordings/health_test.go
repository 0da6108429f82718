package recordings

import (
	"context"
	"strings"
	"testing"
	"time"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestWhatADoctorAsksOfTemporal(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	retention, err := c.Retention(ctx)
	must(t, err)
	if retention < time.Hour {
		t.Errorf("got a retention of %s", retention)
	}
	command, err := c.LackingSearchAttributes(ctx)
	must(t, err)
	if command != "" {
		t.Errorf("got %q, want none to be lacking", command)
	}
	polls, err := c.LastPolls(ctx, egress.TaskQueue)
	must(t, err)
	if time.Since(polls.Workflows) > 5*time.Minute || time.Since(polls.Activities) > 5*time.Minute || polls.Idle != "" {
		t.Errorf("got polls %+v", polls)
	}
	if polls, err = c.LastPolls(ctx, fresh("nobody")); err != nil || polls != (egress.Polls{}) {
		t.Errorf("got polls %+v, %v of a queue without a worker", polls, err)
	}
}

// New work goes only to the current version: until it is set, a first version only polls.
func TestAVersionThatIsNotCurrentTakesNothingThatBegins(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	queue, version := fresh("versioned"), worker.WorkerDeploymentVersion{DeploymentName: fresh("deployment"), BuildID: "v1"}
	w := worker.New(c.cfg.Temporal, queue, worker.Options{DeploymentOptions: worker.DeploymentOptions{
		UseVersioning: true, Version: version, DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	}})
	w.RegisterWorkflowWithOptions(func(workflow.Context) error { return nil }, workflow.RegisterOptions{Name: "Nothing"})
	w.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: "Nothing"})
	must(t, w.Start())
	t.Cleanup(w.Stop)
	until := func(what string, so func(egress.Polls) bool) {
		t.Helper()
		for {
			polls, err := c.LastPolls(ctx, queue)
			if err == nil && so(polls) {
				return
			}
			if !c.pause(ctx) {
				t.Fatalf("%s: got %+v, %v", what, polls, err)
			}
		}
	}
	until("before it is current", func(p egress.Polls) bool {
		return p == egress.Polls{Idle: versionName(version.DeploymentName, version.BuildID)}
	})
	var err error
	for {
		if _, err = c.cfg.Temporal.WorkerDeploymentClient().GetHandle(version.DeploymentName).SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: version.BuildID}); err == nil || !c.pause(ctx) {
			break
		}
	}
	must(t, err)
	until("once it is", func(p egress.Polls) bool { return !p.Workflows.IsZero() && !p.Activities.IsZero() && p.Idle == "" })
}

// ramping is a Temporal that gives v2 a part of new work, and v1, which nobody runs, the rest.
type ramping struct {
	client.Client
	percent float32
}

func (r ramping) DescribeTaskQueue(context.Context, string, enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{
		Pollers: []*taskqueuepb.PollerInfo{{LastAccessTime: timestamppb.Now(), DeploymentOptions: &deploymentpb.WorkerDeploymentOptions{
			DeploymentName: "d", BuildId: "v2", WorkerVersioningMode: enumspb.WORKER_VERSIONING_MODE_VERSIONED,
		}}},
		VersioningInfo: &taskqueuepb.TaskQueueVersioningInfo{
			CurrentDeploymentVersion: &deploymentpb.WorkerDeploymentVersion{DeploymentName: "d", BuildId: "v1"},
			RampingDeploymentVersion: &deploymentpb.WorkerDeploymentVersion{DeploymentName: "d", BuildId: "v2"}, RampingVersionPercentage: r.percent,
		},
	}, nil
}

func TestAVersionThatTakesAPartOfWhatBeginsIsNotEnough(t *testing.T) {
	t.Parallel()
	some, err := New(Config{Temporal: ramping{percent: 5}}).LastPolls(t.Context(), egress.TaskQueue)
	must(t, err)
	if some != (egress.Polls{Idle: "d:v2"}) {
		t.Errorf("got %+v", some)
	}
	all, err := New(Config{Temporal: ramping{percent: 100}}).LastPolls(t.Context(), egress.TaskQueue)
	must(t, err)
	if all.Workflows.IsZero() || all.Activities.IsZero() || all.Idle != "" {
		t.Errorf("got %+v", all)
	}
}

func TestANamespaceSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	command, err := newReal(t, "default").LackingSearchAttributes(ctxOf(t, patience))
	must(t, err)
	if command != "" && !strings.HasPrefix(command, "temporal operator search-attribute create --namespace default --name EgressEndedBy") {
		t.Errorf("got %q", command)
	}
	c.cfg.Namespace = fresh("nowhere")
	_, err = c.Retention(ctxOf(t, patience))
	wantReason(t, err, egress.Invalid)
}

func TestAScheduleSaysWhenItLastDidSomething(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("schedule")
	_, err := c.ScheduleState(ctx, id)
	wantReason(t, err, egress.NotFound)
	began := time.Now().Add(-time.Minute)
	handle, err := c.cfg.Temporal.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: id, Paused: true,
		Spec:   client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Hour}}},
		Action: &client.ScheduleWorkflowAction{ID: id, Workflow: "Nothing", TaskQueue: id},
	})
	must(t, err)
	s, err := c.ScheduleState(ctx, id)
	must(t, err)
	if s.Acted.Before(began) || !s.Made.Equal(s.Acted) || s.Every != time.Hour || !s.Paused || s.Off {
		t.Errorf("got %+v", s)
	}
	must(t, handle.Trigger(ctx, client.ScheduleTriggerOptions{}))
	for !s.Acted.After(s.Made) {
		if s, err = c.ScheduleState(ctx, id); err != nil || !s.Acted.After(s.Made) && !c.pause(ctx) {
			t.Fatalf("it never did anything: %v", err)
		}
	}
}
