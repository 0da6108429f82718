package recordings

import (
	"context"
	"errors"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// plan describes one of our schedules.
type plan struct {
	id      string
	offNote string // set on a schedule that we paused; what a person paused stays paused
	mark    string // of our project; empty: none
	action  func(every time.Duration) *client.ScheduleWorkflowAction
}

// Why we paused a schedule.
const (
	reconcilerOff = "REELKEEPER_RECONCILE_EVERY is off"
	canaryOff     = "REELKEEPER_CANARY_EVERY is off"
)

// reconciling returns the plan of the reconciler's schedule, with the mark of our project.
func reconciling(mark string) plan {
	return plan{egress.ReconcileSchedule, reconcilerOff, mark, func(every time.Duration) *client.ScheduleWorkflowAction {
		return &client.ScheduleWorkflowAction{
			ID:            egress.ReconcileSchedule,
			Workflow:      egress.ReconcileType,
			Args:          []any{egress.Reconciliation{Every: egress.Duration(every), Mark: mark}},
			TaskQueue:     egress.TaskQueue,
			StaticSummary: "compare LiveKit's egresses with ours",
			// More than its attempts can take: an abandoned round must not hold up all that follow.
			WorkflowRunTimeout: 2 * time.Hour,
		}
	}}
}

// probing returns the plan of the canary's schedule.
func probing() plan {
	return plan{egress.CanarySchedule, canaryOff, "", func(time.Duration) *client.ScheduleWorkflowAction {
		return &client.ScheduleWorkflowAction{
			ID:            egress.CanarySchedule,
			Workflow:      egress.CanaryType,
			TaskQueue:     egress.TaskQueue,
			StaticSummary: "see whether LiveKit's webhooks can arrive",

			WorkflowRunTimeout: 10 * time.Minute, // as above
		}
	}}
}

// memoMade is the schedule's memo that says when it was created. The server's own time is when it
// processed the creation, which may be seconds later.
const memoMade = "made"

// memoSince is the schedule's memo that says since when ends are announced, if a person created the
// schedule to say so: a time in JSON, as docs/backup.md has it. Workers never write it.
const memoSince = "announce_since"

// EnsureReconcile creates the schedule of the reconciler, or sets its interval. Zero pauses it.
// Calling it twice is harmless, even concurrently from two workers. The schedule carries a mark of
// the namespace's workers, a digest: if none of our secrets made it, the error has reason Invalid,
// since the recordings here may belong to another LiveKit project.
func (c *Client) EnsureReconcile(ctx context.Context, every time.Duration) error {
	mark := c.cfg.Sealer.Token("", 0).MAC // for no request
	return c.ensure(ctx, reconciling(mark), every)
}

// EnsureCanary does the same for the schedule of the canary, which carries no mark.
func (c *Client) EnsureCanary(ctx context.Context, every time.Duration) error {
	return c.ensure(ctx, probing(), every)
}

// clearly decodes what is encrypted, and encodes in the clear.
type clearly struct{ converter.PayloadCodec }

// Encode leaves payloads unchanged.
func (clearly) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return payloads, nil
}

// schedules returns a client for our schedules. Their content is in the clear, whatever else is
// encrypted: it is not secret, and schedules outlive every key.
func (c *Client) schedules(ctx context.Context) (schedules client.ScheduleClient, done func(), err error) {
	data := c.data
	if c.cfg.Codec != nil {
		data = converterWith(clearly{c.cfg.Codec})
	}
	plain, err := client.NewClientFromExistingWithContext(ctx, c.cfg.Temporal, client.Options{Namespace: c.cfg.Namespace, DataConverter: data})
	if err != nil {
		return nil, nil, errorOf(ctx, "ask for schedules", err)
	}
	return plain.ScheduleClient(), plain.Close, nil
}

func (c *Client) ensure(ctx context.Context, p plan, every time.Duration) error {
	schedules, done, err := c.schedules(ctx)
	if err != nil {
		return err
	}
	defer done()
	h := schedules.GetHandle(ctx, p.id)
	d, err := h.Describe(ctx)
	none := is[*serviceerror.NotFound](err)
	switch {
	case none && every == 0:
		return nil
	case none:
		err = makeSchedule(ctx, schedules, p, every)
		if errors.Is(err, temporal.ErrScheduleAlreadyRunning) { // another worker, of whatever project, was faster
			return c.ensure(ctx, p, every)
		}
		return errorOf(ctx, "make schedule "+p.id, err)
	case err != nil:
		return errorOf(ctx, "describe schedule "+p.id, err)
	case c.foreign(&d.Schedule):
		return c.notOurs()
	case c.stands(&d.Schedule, p, every):
		return nil
	}
	err = h.Update(ctx, client.ScheduleUpdateOptions{DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
		s := in.Description.Schedule
		if c.foreign(&s) { // since just now
			return nil, c.notOurs()
		}
		c.change(&s, p, every)
		return &client.ScheduleUpdate{Schedule: &s}, nil
	}})
	return errorOf(ctx, "change schedule "+p.id, err)
}

// foreign reports whether a schedule carries a mark that none of our secrets made.
func (c *Client) foreign(s *client.Schedule) bool {
	mark := c.argumentOf(s).Mark
	return mark != "" && c.cfg.Sealer != nil && !c.cfg.Sealer.Verify(egress.Token{MAC: mark})
}

// argumentOf returns the argument that a schedule passes to each round, zero if none.
func (c *Client) argumentOf(s *client.Schedule) (r egress.Reconciliation) {
	if a, ok := s.Action.(*client.ScheduleWorkflowAction); ok && len(a.Args) > 0 {
		if p, ok := a.Args[0].(*commonpb.Payload); ok {
			decode(c.data, p, &r)
		}
	}
	return r
}

func (c *Client) notOurs() error {
	return egress.Invalidf("LIVEKIT_API_SECRET", "is not that of the workers of namespace %q, and neither are REELKEEPER_SEAL_KEY and REELKEEPER_PREVIOUS_SECRETS: their recordings may belong to another LiveKit project, and would be taken for lost. If the secret was changed, set REELKEEPER_PREVIOUS_SECRETS to the earlier one too (docs/keys.md, Rotating keys; where it must no longer be used, After a leak). If it is another project, give it a namespace of its own", c.cfg.Namespace)
}

// change sets a schedule's interval and our mark, which it keeps while it is paused.
func (c *Client) change(s *client.Schedule, p plan, every time.Duration) {
	if every == 0 {
		if !s.State.Paused {
			s.State.Paused, s.State.Note = true, p.offNote
		}
		s.Action = p.action(c.argumentOf(s).Every.D())
		return
	}
	if s.State.Note == p.offNote {
		s.State.Paused, s.State.Note = false, ""
	}
	spec := scheduleSpec(every)
	s.Spec, s.Action = &spec, p.action(every)
}

// stands reports whether there is nothing to change.
func (c *Client) stands(s *client.Schedule, p plan, every time.Duration) bool {
	switch {
	case c.argumentOf(s).Mark != p.mark:
		return false
	case every == 0:
		return s.State.Paused
	}
	return p.runsEvery(s, every)
}

// runsEvery reports whether a schedule has this interval, and was not paused by us.
func (p plan) runsEvery(s *client.Schedule, every time.Duration) bool {
	action, ok := s.Action.(*client.ScheduleWorkflowAction)
	return ok && action.WorkflowRunTimeout == p.action(every).WorkflowRunTimeout && // an earlier version did not set it
		(!s.State.Paused || s.State.Note != p.offNote) && s.Spec != nil &&
		slices.EqualFunc(s.Spec.Intervals, scheduleSpec(every).Intervals, func(a, b client.ScheduleIntervalSpec) bool { return a.Every == b.Every })
}

func makeSchedule(ctx context.Context, schedules client.ScheduleClient, p plan, every time.Duration) error {
	_, err := schedules.Create(ctx, client.ScheduleOptions{
		ID:      p.id,
		Spec:    scheduleSpec(every),
		Action:  p.action(every),
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		// A missed round is not made up for: the next one sees more.
		CatchupWindow: max(every, 10*time.Second),
		Memo:          map[string]any{memoMade: time.Now().UTC()},
	})
	return err
}

func scheduleSpec(every time.Duration) client.ScheduleSpec {
	return client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}}
}

// describeSchedule returns the description of a schedule, nil if there is none.
func (c *Client) describeSchedule(ctx context.Context, id string) (*client.ScheduleDescription, error) {
	schedules, done, err := c.schedules(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	d, err := schedules.GetHandle(ctx, id).Describe(ctx)
	if is[*serviceerror.NotFound](err) {
		return nil, nil
	}
	return d, errorOf(ctx, "describe schedule "+id, err)
}

// ReconcilingSince returns the time before which ends are not announced: when the schedule of the
// reconciler was created, or an earlier one that a person named. Without a schedule it returns now.
func (c *Client) ReconcilingSince(ctx context.Context) (time.Time, error) {
	d, err := c.describeSchedule(ctx, egress.ReconcileSchedule)
	if err != nil {
		return time.Time{}, err
	}
	if d == nil {
		return time.Now(), nil
	}
	since, _ := c.announcesSince(d)
	return since, nil
}

// announcesSince returns the time that a person named in the memo, else when the schedule was
// created. ignored says why the memo does not count, empty if it does or there is none.
func (c *Client) announcesSince(d *client.ScheduleDescription) (since time.Time, ignored string) {
	memo := d.Memo.GetFields()
	since = d.Info.CreatedAt
	var made, named time.Time
	if decode(c.data, memo[memoMade], &made) && made.Before(since) && since.Sub(made) < time.Minute { // else somebody else created it, or a worker whose clock was wrong
		since = made
	}
	switch p := memo[memoSince]; {
	case p == nil:
		return since, ""
	case !decode(c.data, p, &named):
		return since, "its memo " + memoSince + " is not a time such as \"2026-05-04T00:00:00Z\""
	case !named.Before(since):
		return since, "its memo " + memoSince + " is not before the schedule was created"
	}
	return named, ""
}
