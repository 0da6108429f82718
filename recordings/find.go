package recordings

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Find returns the workflow ID for an egress ID (`EG_…`), a request ID, or a workflow ID
// (`egress/…`, or `egress-redelivery/…` for a redelivery). It looks up only egress IDs, for as
// long as FindFor, since visibility lags; the others need no look-up. An egress that is not active
// yet is found by asking its workflow. Find reports that there is none only if Temporal, and each
// workflow that it shows as just begun, has said so: one that it does not show yet is not found.
func (c *Client) Find(ctx context.Context, id string) (string, error) {
	if _, ok := egress.RequestID(id); ok {
		return id, nil
	}
	if _, ok := egress.RedeliveryOf(id); ok {
		return id, nil
	}
	if !strings.HasPrefix(id, egress.EgressIDPrefix) {
		if egress.ValidateRequestID(id) != nil {
			return "", egress.Invalidf("ID", "want an egress ID (EG_…), a request ID or a workflow ID (egress/…), got %q", id)
		}
		return egress.WorkflowID(id), nil
	}
	lookup, cancel := context.WithTimeout(ctx, c.cfg.FindFor)
	defer cancel()
	doubt, wait := "", c.cfg.AskEvery
	for answered := false; ; {
		workflowID, now, err := c.look(lookup, id)
		if err == nil && (lookup.Err() == nil || !answered) { // a look that was cut off says less than the one before
			doubt = now
		}
		answered = answered || err == nil
		switch {
		case err == nil && workflowID != "":
			return workflowID, nil
		case err != nil && (!answered || ctx.Err() != nil || !timedOut(err)):
			return "", err
		case err == nil && pauseFor(lookup, wait):
			wait = min(2*wait, 500*time.Millisecond) // Temporal limits such look-ups, and the webhooks of rooms need some
			continue
		case ctx.Err() != nil:
			return "", errorOf(ctx, "find "+id, ctx.Err())
		case doubt != "":
			return "", &egress.Error{Reason: egress.Unavailable, Message: fmt.Sprintf("cannot tell whether a recording has the ID %q: %s; ask again, or use its request ID", id, doubt)}
		default:
			return "", unknown(id)
		}
	}
}

// look searches once for an egress ID, also among what has just begun. doubt is as beginning says.
func (c *Client) look(ctx context.Context, egressID string) (workflowID, doubt string, err error) {
	workflowID, found, err := c.ByEgressID(ctx, egressID)
	if err != nil || found {
		return workflowID, "", err
	}
	return c.beginning(ctx, egressID)
}

// unknown returns the error for an unknown ID. An earlier part of a recording is not found by its
// egress ID, nor is a recording that visibility does not show yet.
func unknown(id string) error {
	message := fmt.Sprintf("no recording has the ID %q", id)
	if strings.HasPrefix(id, egress.EgressIDPrefix) {
		message += "; to find an earlier part of one, or one that has just begun, use its request ID"
	}
	return &egress.Error{Reason: egress.NotFound, Message: message}
}

// ByEgressID returns the workflow that an egress ID belongs to, as visibility knows it now: false
// does not mean that there is none. An adopted egress has its egress ID as request ID. Temporal is
// not asked for what cannot be an egress ID, such as an identity that a participant chose: on
// PostgreSQL some of those make the query fail.
func (c *Client) ByEgressID(ctx context.Context, egressID string) (string, bool, error) {
	if !egress.IsEgressID(egressID) {
		return "", false, nil
	}
	query := fmt.Sprintf("%s AND (%s OR %s)", equal("WorkflowType", egress.WorkflowType),
		equal(egress.AttributeID, egressID), equal("WorkflowId", egress.WorkflowID(egressID)))
	for row, err := range c.rows(ctx, query) {
		return row.WorkflowID, err == nil, err
	}
	return "", false, nil
}

// maxBeginning bounds how many workflows are asked for their egress ID.
const maxBeginning = 50

// beginning searches the newest workflows that have just begun for an egress ID: visibility learns
// it only once the egress has had time to become active. doubt is why it may be one of them
// although it was not found; empty if each of them has answered.
func (c *Client) beginning(ctx context.Context, egressID string) (workflowID, doubt string, err error) {
	query := Filter{Active: true}.query() + " AND " + egress.AttributeID + " IS NULL"
	asked := 0
	for row, err := range c.rows(ctx, query) {
		switch {
		case err != nil:
			return "", "", err
		case asked == maxBeginning:
			return "", cmp.Or(doubt, fmt.Sprintf("more than %d have just begun", maxBeginning)), nil
		}
		asked++
		switch s, err := c.queryState(ctx, row, c.cfg.QueryFor); {
		case err != nil:
			doubt = fmt.Sprintf("%s has just begun, and no worker answered: %s", row.WorkflowID, err)
		case s.ID == egressID:
			return row.WorkflowID, "", nil
		}
	}
	return "", doubt, nil
}

// ByRoom returns the workflows that are recording a room, as visibility knows them now. If the
// room's name cannot be queried, it returns those among the newest 1,000 candidates.
func (c *Client) ByRoom(ctx context.Context, room string) ([]string, error) {
	var ids []string
	f := Filter{Room: room, Active: true}
	for row, err := range firstPage(c.rows(ctx, f.query())) {
		switch {
		case err != nil:
			return nil, err
		case f.letsThrough(row):
			ids = append(ids, row.WorkflowID)
		}
	}
	return ids, nil
}
