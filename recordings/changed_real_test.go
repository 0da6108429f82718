package recordings

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/reelkeeper/reelkeeper/egress"
)

// show starts a workflow that nobody works on, so that visibility has a row with these attributes.
func show(t *testing.T, ctx context.Context, c *Client, requestID string, attributes ...temporal.SearchAttributeUpdate) {
	t.Helper()
	_, err := c.cfg.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: egress.WorkflowID(requestID), TaskQueue: fresh("nobody"), TypedSearchAttributes: temporal.NewSearchAttributes(attributes...),
	}, egress.WorkflowType)
	must(t, err)
	t.Cleanup(func() {
		_ = c.cfg.Temporal.TerminateWorkflow(context.WithoutCancel(ctx), egress.WorkflowID(requestID), "", "the test is over") // some have ended
	})
}

// changedOf returns the rows of a test, and whether each has closed.
func changedOf(t *testing.T, ctx context.Context, c *Client, test string, since time.Time) map[string]bool {
	t.Helper()
	rows, err := c.Changed(ctx, since)
	must(t, err)
	closed := map[string]bool{}
	for _, o := range rows {
		if of, ok := strings.CutPrefix(o.RequestID, test+"/"); ok {
			closed[of] = o.Closed()
		}
	}
	return closed
}

func TestChangedLeavesOutWhatRunsAsItDid(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	test := fresh("changed")
	bound := temporal.NewSearchAttributeKeyKeyword(egress.AttributeID).ValueSet("EG_" + test)
	over := temporal.NewSearchAttributeKeyKeyword(egress.AttributeEndedBy).ValueSet(string(egress.FromTimeout))
	show(t, ctx, c, test+"/waits", bound)
	show(t, ctx, c, test+"/ends", bound)
	show(t, ctx, c, test+"/unbound")
	show(t, ctx, c, test+"/over", bound, over)
	<-time.After(time.Millisecond) // visibility's times are by this machine's clock
	since := time.Now()
	show(t, ctx, c, test+"/begins", bound)
	must(t, c.cfg.Temporal.TerminateWorkflow(ctx, egress.WorkflowID(test+"/ends"), "", "it ends"))

	want := map[string]bool{"ends": true, "unbound": false, "over": false, "begins": false}
	var got map[string]bool
	for !maps.Equal(got, want) { // visibility lags
		if got = changedOf(t, ctx, c, test, since); !maps.Equal(got, want) && !c.pause(ctx) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	all := slices.Sorted(maps.Keys(changedOf(t, ctx, c, test, since.Add(-time.Hour))))
	if want := []string{"begins", "ends", "over", "unbound", "waits"}; !slices.Equal(all, want) {
		t.Errorf("since an hour: got %v, want %v", all, want)
	}
}
