package recordings

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/reelkeeper/reelkeeper/egress"
)

func TestASpanIsAQueryOfThoseWithAVerdict(t *testing.T) {
	t.Parallel()
	whole := Span{Since: hour(1), Until: hour(2), Where: "EgressRoom = 'a' OR EgressRoom = 'b'"}
	for name, tc := range map[string]struct{ got, want string }{
		"all that closed":         {Span{}.closed(), "WorkflowType = 'Egress' AND ExecutionStatus = 'Completed'"},
		"all that is open":        {Span{}.open(), "WorkflowType = 'Egress' AND ExecutionStatus IN ('Running', 'Paused') AND EgressEndedBy IS NOT NULL"},
		"a span, and a condition": {whole.closed(), "WorkflowType = 'Egress' AND ExecutionStatus = 'Completed' AND CloseTime >= '2026-03-04T00:00:00Z' AND CloseTime < '2026-03-04T01:00:00Z' AND (EgressRoom = 'a' OR EgressRoom = 'b')"},
		"the same of the open":    {whole.open(), "WorkflowType = 'Egress' AND ExecutionStatus IN ('Running', 'Paused') AND EgressEndedBy IS NOT NULL AND (EgressRoom = 'a' OR EgressRoom = 'b')"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, tc.got, tc.want)
		}
	}
}

func TestWhatIsOpenIsInTheSpanOfItsEnd(t *testing.T) {
	t.Parallel()
	ended := func(h int) Row { return Row{Memo: &egress.Memo{EndedAt: hour(h)}} }
	closed := func(h int) Row { at := hour(h); return Row{ClosedAt: &at, Memo: &egress.Memo{EndedAt: hour(3)}} }
	for name, tc := range map[string]struct {
		span Span
		row  Row
		want bool
	}{
		"before":              {Span{Since: hour(2), Until: hour(4)}, ended(1), false},
		"as it begins":        {Span{Since: hour(2), Until: hour(4)}, ended(2), true},
		"in it":               {Span{Since: hour(2), Until: hour(4)}, ended(3), true},
		"as it ends":          {Span{Since: hour(2), Until: hour(4)}, ended(4), false},
		"without an end":      {Span{Since: hour(2)}, ended(9), true},
		"without a beginning": {Span{Until: hour(4)}, ended(1), true},
		"not delivered yet":   {Span{}, Row{}, false},
		"closed after it":     {Span{Since: hour(2), Until: hour(4)}, closed(5), false}, // as found by a condition that breaks out of its parentheses
		"closed in it":        {Span{Since: hour(2), Until: hour(4)}, closed(3), true},
	} {
		if got := tc.span.holds(tc.row); got != tc.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// closedInOrder makes n recordings of a room of their own that close one after the other.
func closedInOrder(t *testing.T, ctx context.Context, c *Client, w *standIn, n int) (ids []string, where string) {
	t.Helper()
	room := fresh("span")
	w.open(room)
	for range n {
		id := fresh("span")
		_, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(room)})
		must(t, err)
		_, err = c.Stop(ctx, id)
		must(t, err)
		_, err = c.Wait(ctx, id)
		must(t, err)
		ids = append(ids, id)
	}
	where = fmt.Sprintf("EgressRoom = '%s'", room)
	for closed := 0; closed < n && ctx.Err() == nil; {
		closed = 0
		for _, err := range c.Closed(ctx, Span{Where: where}) {
			must(t, err)
			closed++
		}
	}
	return ids, where
}

func verdictsOf(t *testing.T, ctx context.Context, c *Client, s Span) (ids []string) {
	t.Helper()
	for v, err := range c.Verdicts(ctx, s) {
		must(t, err)
		ids = append(ids, v.RequestID)
	}
	return ids
}

func TestVerdictsComeInOneOrderTheLastThatClosedFirst(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	began := time.Now()
	ids, where := closedInOrder(t, ctx, c, w, readAhead+3)
	slices.Reverse(ids)

	for range 2 {
		if got := verdictsOf(t, ctx, c, Span{Where: where}); !slices.Equal(got, ids) {
			t.Errorf("got %v, want %v", got, ids)
		}
	}
	if got := verdictsOf(t, ctx, c, Span{Since: began, Until: time.Now(), Where: where}); len(got) != len(ids) {
		t.Errorf("got %v", got)
	}
	if got := verdictsOf(t, ctx, c, Span{Until: began, Where: where}); len(got) > 0 {
		t.Errorf("before they were: %v", got)
	}
	var second time.Time
	for row, err := range c.Closed(ctx, Span{Where: where}) {
		must(t, err)
		if row.RequestID == ids[1] {
			second = *row.ClosedAt
		}
	}
	if got := verdictsOf(t, ctx, c, Span{Until: second, Where: where}); !slices.Equal(got, ids[2:]) {
		t.Errorf("who goes on from there gets %v, want %v", got, ids[2:])
	}
	for v, err := range c.Verdicts(ctx, Span{Where: where}) { // a reader that has enough stops
		must(t, err)
		if v.RequestID != ids[0] || v.Status != egress.Lost || v.EgressID == "" {
			t.Errorf("got %+v", v)
		}
		break
	}
}

// Temporal may delete a workflow between listing it and reading its result.
func TestAVerdictThatIsDeletedMeanwhileKeepsNoneOfTheOthersBack(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	ids, where := closedInOrder(t, ctx, c, w, 3)
	deleted := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if r, ok := req.(*workflowservice.GetWorkflowExecutionHistoryRequest); ok && r.GetExecution().GetWorkflowId() == egress.WorkflowID(ids[1]) {
			return serviceerror.NewNotFound("workflow not found")
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	c = New(Config{Temporal: through(t, deleted), Namespace: namespace})
	var got []string
	for v, err := range c.Verdicts(ctx, Span{Where: where}) {
		if err != nil {
			wantReason(t, err, egress.NotFound)
		}
		got = append(got, v.RequestID)
	}
	if want := []string{ids[2], "", ids[0]}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	row := Row{}
	for row = range c.Closed(ctx, Span{Where: where}) {
		break
	}
	ended, err := c.Ended(ctx, "", row.Room)
	must(t, err)
	if len(ended) != 2 {
		t.Errorf("a room's list has %d that have ended, want 2", len(ended))
	}
}

func TestVerdictsThatBreakOffSayThatTheyDo(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	_, where := closedInOrder(t, ctx, c, w, 2)
	reading, stop := context.WithCancel(ctx)
	var failed error
	for _, err := range c.Verdicts(reading, Span{Where: where}) {
		stop()
		failed = err
	}
	stop()
	if failed == nil {
		t.Error("a part passes for the whole")
	}
}

func TestAConditionThatTemporalDoesNotUnderstandIsTheCallersMistake(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	for _, where := range []string{"EgressRoom =", "Nonsense = 1", "EgressRoom = 'a'; DROP"} {
		for _, err := range c.Settled(ctxOf(t, patience), Span{Where: where}) {
			e, _ := err.(*egress.Error) //nolint:errorlint // the very one that is returned
			if e == nil || e.Reason != egress.Invalid || e.Field != "where" {
				t.Errorf("%s: got %v", where, err)
			}
		}
	}
}

func TestWhatIsNoRecordingIsLeftOutOfASpan(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a Temporal server")
	}
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, id := range []string{egress.WorkflowID("a"), egress.RedeliveryID("a", 1), "theirs"} {
		page.Executions = append(page.Executions, &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: id}, CloseTime: timestamppb.New(hour(1)),
		})
	}
	listed := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if out, ok := reply.(*workflowservice.ListWorkflowExecutionsResponse); ok {
			proto.Merge(out, page)
			return nil
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	c := New(Config{Temporal: through(t, listed), Namespace: namespace})
	var got []string
	for row, err := range c.Closed(ctxOf(t, patience), Span{}) {
		must(t, err)
		got = append(got, row.WorkflowID)
	}
	if want := []string{egress.WorkflowID("a")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
