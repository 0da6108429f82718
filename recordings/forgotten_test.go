package recordings

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/seal"
)

// forgetful is a Temporal that answers the first start too late, and then has lost it.
type forgetful struct {
	client.Client
	inputs []egress.Input
}

func (f *forgetful) NewWithStartWorkflowOperation(_ client.StartWorkflowOptions, _ any, args ...any) client.WithStartWorkflowOperation {
	in, _ := args[0].(egress.Input)
	f.inputs = append(f.inputs, in)
	return nil
}

func (f *forgetful) UpdateWithStartWorkflow(context.Context, client.UpdateWithStartWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	if len(f.inputs) == 1 {
		return nil, serviceerror.NewDeadlineExceeded("no worker in time")
	}
	return forgotten{}, nil
}

// LiveKit may have been asked by the one that is lost.
func TestAStartThatIsSentAgainLooksBeforeItStarts(t *testing.T) {
	t.Parallel()
	keys, err := seal.New(seal.Config{Secret: "a secret of LiveKit's"})
	must(t, err)
	temporal := &forgetful{}
	c := New(Config{Temporal: temporal, Sealer: keys, AskEvery: time.Millisecond})
	p, err := c.Begin(t.Context(), egress.StartOptions{Request: roomRequest("daily")})
	must(t, err)
	if in := temporal.inputs; len(in) != 2 || in[0].Again || !in[1].Again {
		t.Errorf("sent %+v", in)
	}
	if p.ask.input.Again {
		t.Error("it counts as a repetition of the caller's")
	}
}

// forgotten is an accepted start that Temporal has lost.
type forgotten struct{ client.WorkflowUpdateHandle }

func (forgotten) RunID() string { return "run" }

func (forgotten) Get(context.Context, any) error {
	return serviceerror.NewNotFound("update not found")
}

// LiveKit may have been asked, and not_found would be its word for a room that does not exist.
func TestAStartThatTemporalHasLostIsNoRefusal(t *testing.T) {
	t.Parallel()
	for name, named := range map[string]bool{"named": true, "without an ID": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := New(Config{Temporal: &silenced{off: true}})
			p := &Pending{client: c, ask: ask{requestID: "call-7", named: named}, handle: forgotten{}}
			_, err := p.Started(t.Context())
			wantReason(t, err, egress.Ambiguous)
			if !strings.Contains(err.Error(), `ask again with the ID "call-7"`) {
				t.Errorf("got %v", err)
			}
		})
	}
}
