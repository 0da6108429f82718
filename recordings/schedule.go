package recordings

import (
	"context"
	"errors"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// offNote is why we paused the schedule. One that a person paused stays so.
const offNote = "REELKEEPER_RECONCILE_EVERY is off"

// memoMade is the memo of the schedule that says when it was made. The server's own word
// is of when it got round to it, which may be seconds later.
const memoMade = "made"

// EnsureReconcile makes the schedule of the reconciler, or changes it to the period.
// Zero pauses it. Twice is harmless, also at the same moment from two workers.
func (c *Client) EnsureReconcile(ctx context.Context, every time.Duration) error {
	h := c.Temporal.ScheduleClient().GetHandle(ctx, egress.ReconcileSchedule)
	d, err := h.Describe(ctx)
	_, none := errors.AsType[*serviceerror.NotFound](err)
	switch {
	case none && every == 0:
		return nil
	case none:
		return c.makeSchedule(ctx, every)
	case err != nil:
		return asError("describe schedule "+egress.ReconcileSchedule, err)
	case every == 0 && d.Schedule.State.Paused, every != 0 && runsEvery(&d.Schedule, every):
		return nil
	}
	err = h.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		s := in.Description.Schedule
		if every == 0 {
			s.State.Paused, s.State.Note = true, offNote
			return &client.ScheduleUpdate{Schedule: &s}, nil
		}
		if s.State.Note == offNote {
			s.State.Paused, s.State.Note = false, ""
		}
		spec := scheduleSpec(every)
		s.Spec, s.Action = &spec, scheduleAction(every)
		return &client.ScheduleUpdate{Schedule: &s}, nil
	}})
	return asError("change schedule "+egress.ReconcileSchedule, err)
}

// runsEvery reports whether there is nothing to change.
func runsEvery(s *client.Schedule, every time.Duration) bool {
	return (!s.State.Paused || s.State.Note != offNote) && s.Spec != nil &&
		slices.EqualFunc(s.Spec.Intervals, scheduleSpec(every).Intervals, func(a, b client.ScheduleIntervalSpec) bool { return a.Every == b.Every })
}

func (c *Client) makeSchedule(ctx context.Context, every time.Duration) error {
	_, err := c.Temporal.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:      egress.ReconcileSchedule,
		Spec:    scheduleSpec(every),
		Action:  scheduleAction(every),
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		// A round that nobody could do is not made up for: the next one sees more.
		CatchupWindow: max(every, 10*time.Second),
		Memo:          map[string]any{memoMade: time.Now().UTC()},
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return nil // another worker was faster
	}
	return asError("make schedule "+egress.ReconcileSchedule, err)
}

func scheduleSpec(every time.Duration) client.ScheduleSpec {
	return client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}}
}

func scheduleAction(every time.Duration) *client.ScheduleWorkflowAction {
	return &client.ScheduleWorkflowAction{
		ID:            egress.ReconcileSchedule,
		Workflow:      egress.ReconcileType,
		Args:          []any{egress.Reconciliation{Every: egress.Duration(every)}},
		TaskQueue:     egress.TaskQueue,
		StaticSummary: "compare LiveKit's egresses with ours",
	}
}

// ReconcilingSince is when the schedule of the reconciler was made: what ended before is
// not announced. Without a schedule it is now.
func (c *Client) ReconcilingSince(ctx context.Context) (time.Time, error) {
	d, err := c.Temporal.ScheduleClient().GetHandle(ctx, egress.ReconcileSchedule).Describe(ctx)
	if _, none := errors.AsType[*serviceerror.NotFound](err); none {
		return time.Now(), nil
	}
	if err != nil {
		return time.Time{}, asError("describe schedule "+egress.ReconcileSchedule, err)
	}
	var made time.Time
	if decode(c.converter(), d.Memo.GetFields()[memoMade], &made) {
		return made, nil
	}
	return d.Info.CreatedAt, nil // somebody else made it
}
