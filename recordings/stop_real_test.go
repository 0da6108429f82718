package recordings

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/reelkeeper/reelkeeper/egress"
)

// A refused start leaves a failed workflow, and the front door may have recorded past it under the
// same token.
func TestAStopIsNotAnsweredByAWorkflowThatFailed(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("refused")
	_, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id)})
	wantReason(t, err, egress.NotFound)

	_, err = c.Stop(ctx, id)
	wantReason(t, err, egress.AlreadyOver)
	_, err = c.StopEgress(ctx, id, "EG_past_temporal", "", nil)
	wantReason(t, err, egress.NotFound)
}

func TestAStopIsNotAnsweredByTheEndOfAnotherEgressOrOneThatIsLost(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	v := over(t, ctx, c, w, "lost") // as the stand-in ends all of them

	for _, egressID := range []string{v.EgressID, "EG_another"} {
		_, err := c.StopEgress(ctx, v.RequestID, egressID, "", nil)
		wantReason(t, err, egress.NotFound)
	}
}

// Somebody has asked for another room with its key, past Temporal.
func TestAStopOfAnotherRoomsEgressStopsNothing(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("stays")
	begin(t, ctx, c, w, id, id)

	_, err := c.StopEgress(ctx, id, "EG_another", "another-room", nil)
	wantReason(t, err, egress.NotFound)
	if v, err := c.State(ctx, id); err != nil || v.ClosedAt != nil || v.EndedBy != "" || v.Phase != egress.Watching {
		t.Errorf("got %+v: %v", v, err)
	}
	_, err = c.StopEgress(ctx, id, "EG_another", id, nil)
	must(t, err)
	_, err = c.Wait(ctx, id)
	must(t, err)
}

// Its request ID is an egress ID, like one that a user may type: but here its owner is known.
func TestAStopOfAnAdoptedEgressReachesItsWorkflowThoughVisibilityIsAway(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("EG_stray")
	w.open(id)
	e := runningAs(t, id, id)
	_, err := c.AdoptListed(ctx, id, egress.Extras{}, e)
	must(t, err)
	blind := New(Config{Temporal: through(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if strings.HasSuffix(method, "/ListWorkflowExecutions") {
			return errors.New("visibility is away")
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}), Namespace: namespace})

	_, err = blind.StopEgress(ctx, id, id, id, nil)

	must(t, err)
	_, err = c.Wait(ctx, egress.WorkflowID(id))
	must(t, err)
	_, err = blind.StopEgress(ctx, "EG_nobody", "EG_nobody", "", nil)
	if want := `no recording has the ID "EG_nobody"; to find an earlier part of one, or one that has just begun, use its request ID`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The next worker may still carry it out, however the caller's wait ended.
func TestAStopWithoutAnAnswerMayStillBeCarriedOut(t *testing.T) {
	t.Parallel()
	for want, limit := range map[string]time.Duration{"no answer in time": time.Second, "interrupted": patience} {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		c := New(Config{Temporal: through(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if !strings.HasSuffix(method, "/UpdateWorkflowExecution") {
				return invoke(ctx, method, req, reply, cc, opts...)
			}
			if want == "interrupted" {
				cancel()
			}
			<-ctx.Done()
			return status.FromContextError(ctx.Err()).Err()
		}), Namespace: namespace})

		_, err := c.Stop(ctx, egress.WorkflowID("any"))
		cancel()
		if !errors.Is(err, ErrUnanswered) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// As after a failover of Temporal.
func TestWhatTemporalHasLostOfARecordingThatRunsIsAskedForAgain(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := fresh("goes-on")
	begin(t, ctx, c, w, id, id)
	forgetful := New(Config{Temporal: through(t, func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if strings.HasSuffix(method, "/UpdateWorkflowExecution") {
			return serviceerror.NewNotFound("update not found")
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}), Namespace: namespace})

	_, err := forgetful.Stop(ctx, id)

	wantReason(t, err, egress.Unavailable)
	if want := id + " still runs, but Temporal has lost the update egress.stop: ask again"; err.Error() != want || !errors.Is(err, egress.ErrTemporal) {
		t.Errorf("got %q, want %q of Temporal", err, want)
	}
	wantReason(t, forgetful.Retry(ctx, id, "index"), egress.Unavailable)
	_, err = c.Stop(ctx, id)
	must(t, err)
	_, err = c.Wait(ctx, id)
	must(t, err)
}

func TestAnEndIsKnownOfThatEgressAloneAndOnceItIsTheLastWord(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	for name, tc := range map[string]struct {
		status egress.Status
		id     string
		closed *time.Time
		want   bool
	}{
		"complete":                        {"EGRESS_COMPLETE", "EG_1", &at, true},
		"complete, and being told":        {"EGRESS_LIMIT_REACHED", "EG_1", nil, true},
		"failed":                          {"EGRESS_FAILED", "EG_1", &at, false},
		"failed, and it may be corrected": {"EGRESS_FAILED", "EG_1", nil, false},
		"lost":                            {egress.Lost, "EG_1", &at, false},
		"another":                         {"EGRESS_COMPLETE", "EG_2", &at, false},
	} {
		v := View{Row: Row{ClosedAt: tc.closed}, Verdict: &egress.Verdict{EgressID: tc.id, Status: tc.status}}
		if v.ended("EG_1") != tc.want {
			t.Errorf("%s: want %v", name, tc.want)
		}
	}
	if (View{Row: Row{EgressID: "EG_1", ClosedAt: &at}, Problem: "it failed"}).ended("EG_1") {
		t.Error("a workflow that failed knows of no end")
	}
}
