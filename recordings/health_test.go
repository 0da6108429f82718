package recordings

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

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
	workflows, activities, err := c.LastPolls(ctx, egress.TaskQueue)
	must(t, err)
	if time.Since(workflows) > 5*time.Minute || time.Since(activities) > 5*time.Minute {
		t.Errorf("got polls at %s and %s", workflows, activities)
	}
	workflows, activities, err = c.LastPolls(ctx, fresh("nobody"))
	must(t, err)
	if !workflows.IsZero() || !activities.IsZero() {
		t.Errorf("got polls at %s and %s of a queue without a worker", workflows, activities)
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
	c.Namespace = fresh("nowhere")
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
	handle, err := c.Temporal.ScheduleClient().Create(ctx, client.ScheduleOptions{
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
