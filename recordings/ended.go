package recordings

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reelkeeper/reelkeeper/egress"
)

// maxEnded bounds Ended, which reads each egress separately.
const maxEnded = 100

// Ended returns egresses that have ended as others are told of them, newest first and at most 100:
// by egress ID if one is given, else of a room, as ByRoom finds it. Those named as known are left
// out, and cost no read.
func (c *Client) Ended(ctx context.Context, egressID, room string, known ...string) ([]egress.Info, error) {
	query := Filter{Room: room}.query() + fmt.Sprintf(" AND (%s OR %s AND %s IS NOT NULL)",
		equal("ExecutionStatus", "Completed"), open, egress.AttributeEndedBy)
	switch {
	case egressID != "" && !egress.IsEgressID(egressID):
		return nil, nil
	case egressID != "":
		query += " AND " + equal(egress.AttributeID, egressID)
	}
	var infos []egress.Info
	for row, err := range firstPage(c.rows(ctx, query)) {
		if err != nil {
			return nil, err
		}
		if !(Filter{Room: room}).letsThrough(row) || slices.Contains(known, row.EgressID) {
			continue
		}
		v, err := c.verdict(ctx, row)
		switch {
		case egress.ReasonOf(err) == egress.NotFound: // Temporal has just deleted it
			continue
		case err != nil:
			return nil, err
		case v == nil: // its consumer has not been told yet
			continue
		}
		info, err := v.Told()
		if err != nil {
			return nil, errorOf(ctx, "result of "+row.WorkflowID, err)
		}
		if infos = append(infos, info); len(infos) == maxEnded {
			break
		}
	}
	return infos, nil
}

// verdict returns a recording's own verdict, even if it may still be corrected.
func (c *Client) verdict(ctx context.Context, row Row) (*egress.Verdict, error) {
	if row.ClosedAt == nil {
		return c.askVerdict(ctx, row)
	}
	v := &egress.Verdict{}
	if err := c.cfg.Temporal.GetWorkflow(ctx, row.WorkflowID, row.RunID).Get(ctx, v); err != nil {
		return nil, errorOf(ctx, "result of "+row.WorkflowID, err)
	}
	return v, nil
}

// lostAtOnce is for how many egresses Lost queries at once: SQLite takes 50 ms for as many, and
// the caller's list waits for them all.
const lostAtOnce = 1000

// Lost returns those of some egresses that are settled as lost, with the evidence. On error it
// returns those that it is sure of.
func (c *Client) Lost(ctx context.Context, egressIDs []string) (map[string]string, error) {
	lost := map[string]string{}
	for some := range slices.Chunk(egressIDs, lostAtOnce) {
		settled, err := c.settledAsLost(ctx, some)
		if err == nil && len(settled) > 0 {
			err = c.exceptWatched(ctx, settled)
		}
		if err != nil {
			return lost, err
		}
		maps.Copy(lost, settled)
	}
	return lost, nil
}

func (c *Client) settledAsLost(ctx context.Context, egressIDs []string) (map[string]string, error) {
	lost := map[string]string{}
	for row, err := range c.rows(ctx, Filter{Status: egress.Lost}.query()+" AND "+among(egressIDs)) {
		if err != nil {
			return nil, err
		}
		lost[row.EgressID] = "nothing more is heard of it"
		if row.Memo != nil {
			lost[row.EgressID] = cmp.Or(row.Memo.Lost, lost[row.EgressID])
		}
	}
	return lost, nil
}

// exceptWatched takes out those that another run watches again, after the one that settled them was
// terminated or reset.
func (c *Client) exceptWatched(ctx context.Context, lost map[string]string) error {
	for row, err := range c.rows(ctx, Filter{Active: true}.query()+" AND "+among(slices.Sorted(maps.Keys(lost)))) {
		if err != nil {
			return err
		}
		if row.Status != egress.Lost {
			delete(lost, row.EgressID)
		}
	}
	return nil
}

// among matches the workflows of some egresses.
func among(egressIDs []string) string {
	quoted := make([]string, len(egressIDs))
	for i, id := range egressIDs {
		quoted[i] = quote(id)
	}
	return fmt.Sprintf("%s IN (%s)", egress.AttributeID, strings.Join(quoted, ", "))
}
