package recordings

import (
	"context"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// cutShort reports whether a workflow closed without a verdict, although its start was not refused.
func (r Row) cutShort() bool {
	switch r.Workflow {
	case workflowRunning, workflowPaused, workflowFailed, workflowContinued:
		return false
	}
	return r.EndedBy == ""
}

// runs are when the last runs of recordings began, by request ID and by egress ID, but for refused
// ones. An egress whose workflow broke off is taken up under the one or the other.
type runs map[string]time.Time

func lastRuns(rows []Row) runs {
	last := runs{}
	for _, row := range rows {
		if row.Workflow == workflowFailed {
			continue
		}
		for _, id := range []string{row.RequestID, row.EgressID} {
			if row.StartedAt.After(last[id]) {
				last[id] = row.StartedAt
			}
		}
	}
	return last
}

// after reports whether a recording has a later run than this one.
func (l runs) after(r Row) bool {
	return l[r.RequestID].After(r.StartedAt) || r.EgressID != "" && l[r.EgressID].After(r.StartedAt)
}

// verdicts are when the last runs of recordings began that have a verdict, or will have one, by
// request ID and egress ID.
type verdicts map[[2]string]time.Time

func lastVerdicts(rows []Row) verdicts {
	last := verdicts{}
	for _, row := range rows {
		key := [2]string{row.RequestID, row.EgressID}
		if row.Workflow != workflowFailed && !row.cutShort() && row.StartedAt.After(last[key]) {
			last[key] = row.StartedAt
		}
	}
	return last
}

// replace reports whether a later run has the verdict of a run that has one, too: Temporal, or a
// person, has reset it after it had closed.
func (l verdicts) replace(r Row) bool {
	return r.EndedBy != "" && r.EgressID != "" && l[[2]string{r.RequestID, r.EgressID}].After(r.StartedAt)
}

// takenUp reports whether another run goes on with the recording of a workflow that closed.
func (c *Client) takenUp(ctx context.Context, r Row) (bool, error) {
	if r.ClosedAt == nil {
		return false, nil
	}
	for _, id := range []string{r.WorkflowID, egress.WorkflowID(r.EgressID)} {
		last, err := c.row(ctx, id)
		switch {
		case egress.ReasonOf(err) == egress.NotFound:
		case err != nil:
			return false, err
		case last.Workflow != workflowFailed && last.RunID != r.RunID && last.StartedAt.After(r.StartedAt):
			return true, nil
		}
	}
	return false, nil
}

// brokenOff says how a workflow closed without a result, and who continues; it is empty for any
// other workflow, and for a failed one, whose error says more.
func (r Row) brokenOff(now time.Time) string {
	var how string
	goesOn := "its next webhook, or a round, picks up what LiveKit has of it"
	if r.forgotten(now) {
		goesOn = "that was over a day ago: unless LiveKit still runs it, nothing picks it up any more; look for its media in its storage, and tell its consumers by hand"
	}
	switch r.Workflow {
	case workflowTerminated:
		how = "was terminated"
	case workflowTimedOut:
		how = "timed out"
	case workflowCanceled:
		how = "was cancelled"
	default:
		return ""
	}
	if _, again := egress.RedeliveryOf(r.WorkflowID); again {
		goesOn = "redeliver it again"
	}
	return "its workflow " + how + "; " + goesOn
}

// forgotten reports whether LiveKit no longer lists any egress that had ended when the workflow
// closed.
func (r Row) forgotten(now time.Time) bool {
	return r.ClosedAt != nil && now.Sub(*r.ClosedAt) > egress.Remembered
}

// ways returns what a person can do about a workflow that has closed without a result.
func (r Row) ways(now time.Time) []egress.Way {
	_, ours := egress.RequestID(r.WorkflowID)
	switch {
	case !ours || r.Workflow != workflowTerminated:
		return nil
	case r.forgotten(now) && r.EgressID == "":
		return nil
	case r.forgotten(now):
		return []egress.Way{{Command: "lk egress list --id " + r.EgressID, For: "see whether LiveKit still runs it"}}
	}
	return []egress.Way{{Command: egress.DeepRoundCommand, For: "pick it up now, by a round that lists all"}}
}

// nobodyTells returns an error if a workflow closed without a result, so that nobody goes on with
// its task; nil for any other workflow.
func (c *Client) nobodyTells(ctx context.Context, id, workflowID string) error {
	row, err := c.row(ctx, workflowID)
	if err != nil {
		return notFoundAs(id, err)
	}
	if row.Workflow == workflowFailed { // its own error says more
		_, err = c.verdict(ctx, row)
		return err
	}
	if why := row.brokenOff(time.Now()); why != "" {
		return &egress.Error{Reason: egress.Conflict, Code: "failed_precondition", Message: id + " is not told: " + why}
	}
	return nil
}
