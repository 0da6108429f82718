package recordings

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/reelkeeper/reelkeeper/egress"
)

// View is all that is known of a recording.
type View struct {
	Row
	Phase    egress.Phase  `json:"phase,omitempty"`
	NewsAt   *time.Time    `json:"news_at,omitempty"`
	NewsBy   egress.Source `json:"news_by,omitempty"`
	NextLook *time.Time    `json:"next_look,omitempty"` // when LiveKit is asked if no webhook comes
	Because  string        `json:"because,omitempty"`   // why it is stuck
	Done     []string      `json:"done,omitempty"`      // delivery steps that are done or skipped
	Skipped  []string      `json:"skipped,omitempty"`   // the skipped ones of them
	Twins    []string      `json:"twins,omitempty"`     // other egress IDs of this request, which we stopped
	Storage  string        `json:"storage,omitempty"`   // storage profile for its media
	Pending  []Activity    `json:"pending,omitempty"`   // what is being done right now
	Story    []egress.Beat `json:"story,omitempty"`     // what happened, oldest first
	Ways     []egress.Way  `json:"ways,omitempty"`      // what a person can do now
	Info     egress.Info   `json:"info,omitzero"`
	// Media is what has been found of the media so far; once delivered, the verdict has it.
	Media   *egress.MediaReport `json:"media,omitempty"`
	Verdict *egress.Verdict     `json:"verdict,omitempty"`
	Problem string              `json:"problem,omitempty"` // why the workflow failed, or could not say more
	// Redeliveries are the workflows that redelivered or corrected its verdict, newest first.
	Redeliveries []Row `json:"redeliveries,omitempty"`
}

// Activity is an activity that is running or waits for its next attempt.
type Activity struct {
	Type        string     `json:"type"`
	Attempt     int32      `json:"attempt"`
	LastFailure string     `json:"last_failure,omitempty"`
	StartedAt   *time.Time `json:"started_at,omitempty"` // when a worker took this attempt; nil: no worker has it now
	NextAttempt *time.Time `json:"next_attempt,omitempty"`
	// AwaitsWorker is the task queue from which no worker has taken it yet.
	AwaitsWorker string `json:"awaits_worker,omitempty"`
}

// State returns all that is known of a recording, named by any of its IDs. While it runs, a worker
// is asked for the details; without a worker, Problem says so and the rest is what Temporal knows.
func (c *Client) State(ctx context.Context, id string) (View, error) {
	workflowID, err := c.Find(ctx, id)
	if err != nil {
		return View{}, err
	}
	d, err := c.describe(ctx, workflowID, "")
	if err != nil {
		return View{}, notFoundAs(id, err)
	}
	v := View{Row: c.rowOf(d.GetWorkflowExecutionInfo()), Pending: c.pendingOf(d.GetPendingActivities())}
	if v.Redeliveries, err = c.others(ctx, v.Row); err != nil {
		return View{}, err
	}
	if v.ClosedAt == nil {
		c.askState(ctx, &v)
		if v.Phase == egress.Delivered {
			if v.Verdict, err = c.verdict(ctx, v.Row); err != nil {
				v.Problem = err.Error() // the state is returned all the same
			}
		}
		return v, nil
	}
	if v.Verdict, err = c.verdict(ctx, v.Row); err != nil {
		now := time.Now()
		v.Problem, v.Ways = cmp.Or(v.brokenOff(now), err.Error()), v.ways(now)
		return v, nil // the rest is returned all the same
	}
	v.Info, v.Twins, v.Phase = v.Verdict.Info, v.Verdict.Twins, egress.Delivered
	err = c.lateVerdict(ctx, &v)
	return v, err
}

// describe asks Temporal itself, not visibility. For an unknown workflow the error has reason
// NotFound.
func (c *Client) describe(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	d, err := c.cfg.Temporal.DescribeWorkflowExecution(ctx, workflowID, runID)
	return d, errorOf(ctx, "describe "+workflowID, err)
}

// row returns what Temporal itself knows of a workflow.
func (c *Client) row(ctx context.Context, workflowID string) (Row, error) {
	d, err := c.describe(ctx, workflowID, "")
	if err != nil {
		return Row{}, err
	}
	return c.rowOf(d.GetWorkflowExecutionInfo()), nil
}

func (c *Client) askState(ctx context.Context, v *View) {
	s, err := c.queryState(ctx, v.Row, c.cfg.QueryFor)
	if err != nil {
		v.Problem = "no worker answered: " + err.Error()
		return
	}
	v.shows(s)
}

// shows copies what a workflow knows into the view.
func (v *View) shows(s egress.State) {
	switch {
	case s.Status != "":
		v.Status = s.Status // LiveKit may call a lost egress active forever
	case s.Latest.Known():
		v.Status = s.Latest.StatusName() // newer than the search attribute
	}
	v.Phase, v.NewsBy, v.Because, v.Info = s.Phase, s.NewsBy, s.Stuck, s.Latest
	v.Done, v.Skipped, v.Twins, v.Story = s.Done, s.Skipped, s.Twins, s.Story
	v.Media, v.Storage = s.Media, s.Storage
	v.Ways = s.Ways(v.RequestID)
	if v.EgressID == "" {
		v.EgressID = s.ID
	}
	if !s.NewsAt.IsZero() {
		v.NewsAt = &s.NewsAt
	}
	if next := s.NextLook(); s.Phase == egress.Watching && !next.IsZero() {
		v.NextLook = v.nextLook(next)
	}
}

// nextLook returns when the running poll asks next, nil while it is asking; without a poll, when
// news is overdue.
func (v *View) nextLook(overdue time.Time) *time.Time {
	for _, a := range v.Pending {
		if a.Type == egress.ActivityPoll {
			return a.NextAttempt
		}
	}
	return &overdue
}

// queryState asks a workflow what it knows, even if it has closed: a worker then replays it.
func (c *Client) queryState(ctx context.Context, row Row, patience time.Duration) (s egress.State, err error) {
	err = c.query(ctx, row, patience, egress.QueryState, &s)
	return s, err
}

// query queries a workflow. Temporal answers for none that is paused.
func (c *Client) query(ctx context.Context, row Row, patience time.Duration, name string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	value, err := c.cfg.Temporal.QueryWorkflow(ctx, row.WorkflowID, row.RunID, name)
	if err != nil {
		return err
	}
	return value.Get(answer)
}

// needState is queryState for callers that can do nothing without an answer.
func (c *Client) needState(ctx context.Context, row Row) (egress.State, error) {
	s, err := c.queryState(ctx, row, c.cfg.AnswerFor)
	if err != nil {
		err = &egress.Error{Reason: egress.Unavailable, Message: "no worker answered for " + row.WorkflowID + ": " + err.Error(), Err: fmt.Errorf("%w: %w", egress.ErrTemporal, err)}
	}
	return s, err
}

func (c *Client) pendingOf(list []*workflowpb.PendingActivityInfo) []Activity {
	var out []Activity
	for _, p := range list {
		converter.DecodeCommonFailureAttributes(c.data, p.GetLastFailure())
		a := Activity{Type: p.GetActivityType().GetName(), Attempt: p.GetAttempt(), LastFailure: p.GetLastFailure().GetMessage()}
		switch {
		case p.GetNextAttemptScheduleTime() != nil:
			next := p.GetNextAttemptScheduleTime().AsTime()
			a.NextAttempt = &next
		case p.GetLastStartedTime() != nil && p.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED:
			started := p.GetLastStartedTime().AsTime()
			a.StartedAt = &started
		case p.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED:
			a.AwaitsWorker = p.GetActivityOptions().GetTaskQueue().GetName()
		}
		out = append(out, a)
	}
	return out
}

// notFoundAs names the ID that the caller used, if it is Temporal that knows no such workflow. A
// room that LiveKit does not know is another matter.
func notFoundAs(id string, err error) error {
	if egress.ReasonOf(err) == egress.NotFound && errors.Is(err, egress.ErrTemporal) {
		return unknown(id)
	}
	return err
}
