package recordings

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
)

// Only the caller that begins the run may ask LiveKit, not even a later caller with its key.
func TestAStartIsHandedBackToTheCallThatBeganItAlone(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	for name, made := range map[string]bool{"named": false, "made": true} {
		id := "late-" + fresh(name)
		w.open(id)
		o := egress.StartOptions{RequestID: id, Made: made, Request: roomRequest(id), StartBy: time.Now().Add(time.Hour)}
		p, err := c.Begin(ctx, o)
		must(t, err)
		_, err = p.Started(ctx)
		wantReason(t, err, egress.HandedBack)
		o.Made = false
		for range 2 {
			p, err = c.Begin(ctx, o)
			must(t, err)
			s, err := p.Started(ctx)
			must(t, err)
			if s.Info.Proto().GetRoomName() != id {
				t.Errorf("got %+v", s)
			}
		}
		_, err = c.Stop(ctx, id)
		must(t, err)
		_, err = c.Wait(ctx, id)
		must(t, err)
		p, err = c.Begin(ctx, o)
		must(t, err)
		s, err := p.Started(ctx)
		must(t, err)
		if s.Info.Proto().GetRoomName() != id || w.started(id) != 1 {
			t.Errorf("got %+v after %d starts", s, w.started(id))
		}
	}
}

// The search found nothing, so the key is free.
func TestAStartThatWasHandedBackAndNotFoundIsAskedForAnewByItsKey(t *testing.T) {
	t.Parallel()
	c, w := real(t)
	ctx := ctxOf(t, patience)
	id := "late-" + fresh("refused")
	o := egress.StartOptions{RequestID: id, Request: roomRequest(id), StartBy: time.Now().Add(time.Hour)}
	ask := func() error {
		p, err := c.Begin(ctx, o)
		must(t, err)
		_, err = p.Started(ctx)
		return err
	}
	wantReason(t, ask(), egress.HandedBack)
	if _, err := c.Wait(ctx, id); egress.ReasonOf(err) != egress.NotFound {
		t.Fatalf("got %v, want it refused", err)
	}
	wantReason(t, ask(), egress.HandedBack)
	_, _ = c.Wait(ctx, id)
	if w.started(id) != 2 {
		t.Errorf("LiveKit was asked %d times", w.started(id))
	}
}

// Of all callers that retry after a search that found nothing, one begins the run, whether they
// came during the search or after it.
func TestAStartThatIsHandedBackAfterASearchIsOneCallsAlone(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	ctx := ctxOf(t, patience)
	id := "late-gated-" + fresh("two")
	o := egress.StartOptions{RequestID: id, Request: roomRequest(id), StartBy: time.Now().Add(time.Hour)}
	begin := func() *Pending {
		p, err := c.Begin(ctx, o)
		must(t, err)
		return p
	}
	_, err := begin().Started(ctx)
	wantReason(t, err, egress.HandedBack)
	joined := []*Pending{begin(), begin()}
	searched := func() { _ = c.cfg.Temporal.SignalWorkflow(ctx, egress.WorkflowID(id), "", "searched", nil) }
	late := []*Pending{begin(), begin()}
	answers := make(chan error, 4)
	ask := func(some []*Pending) {
		for _, p := range some {
			go func() {
				_, err := p.Started(ctx)
				answers <- err
			}()
		}
	}
	ask(joined)
	searched()
	if c.cfg.Temporal.GetWorkflow(ctx, egress.WorkflowID(id), joined[0].handle.RunID()).Get(ctx, nil) == nil {
		t.Fatal("its search found something")
	}
	ask(late)
	back := 0
	for n := 0; n < 4; {
		select {
		case err := <-answers:
			n++
			if egress.ReasonOf(err) == egress.HandedBack {
				back++
			}
		case <-time.After(100 * time.Millisecond):
			if back == 1 { // the others wait for the result of its search
				searched()
			}
		}
	}
	if back != 1 {
		t.Errorf("%d calls were to ask LiveKit", back)
	}
}

// silenced is a Temporal that no longer describes workflows.
type silenced struct {
	client.Client
	off bool
}

func (s *silenced) DescribeWorkflowExecution(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if s.off {
		return nil, serviceerror.NewUnavailable("away")
	}
	return s.Client.DescribeWorkflowExecution(ctx, id, runID)
}

// Otherwise nobody would ask LiveKit, while the caller waits.
func TestWhoseStartItIsNeedsNotBeAskedAgainOnceItIsHandedBack(t *testing.T) {
	t.Parallel()
	c, _ := real(t)
	temporal := &silenced{Client: c.cfg.Temporal}
	c.cfg.Temporal = temporal
	ctx := ctxOf(t, patience)
	id := "late-gated-" + fresh("mute")
	p, err := c.Begin(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id), StartBy: time.Now().Add(time.Hour)})
	must(t, err)
	temporal.off = true
	_, err = p.Started(ctx)
	wantReason(t, err, egress.HandedBack)
}

// unreadable is an answer to a start that we lack the secret to read.
type unreadable struct{ client.WorkflowUpdateHandle }

func (unreadable) RunID() string { return "run" }

func (unreadable) Get(context.Context, any) error {
	return fmt.Errorf("decode: %w", &egress.Error{Reason: egress.Sealed, Message: "the secret is lacking"})
}

// It may record: nothing was begun only if a worker lacks the request's secret.
func TestAnAnswerThatCannotBeReadIsNoRefusal(t *testing.T) {
	t.Parallel()
	p := &Pending{client: New(Config{}), ask: ask{requestID: "call-7"}, handle: unreadable{}}
	_, err := p.Started(t.Context())
	wantReason(t, err, egress.Ambiguous)
	if err == nil || !strings.Contains(err.Error(), "the secret is lacking") {
		t.Errorf("got %v", err)
	}
}
