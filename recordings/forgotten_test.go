package recordings

import (
	"context"
	"strings"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
)

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
