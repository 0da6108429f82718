package recordings

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/reelkeeper/reelkeeper/egress"
)

// cloud is a server that lacks some search attributes and answers requests to create them with an
// error.
type cloud struct {
	client.Client
	operatorservice.OperatorServiceClient
	lacks  []string
	answer error
	count  error
}

func (c *cloud) OperatorService() operatorservice.OperatorServiceClient { return c }

func (c *cloud) CountWorkflow(_ context.Context, r *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	for _, name := range c.lacks {
		if strings.HasPrefix(r.GetQuery(), name+" ") {
			return nil, serviceerror.NewInvalidArgument("invalid query: no such search attribute")
		}
	}
	return &workflowservice.CountWorkflowExecutionsResponse{}, c.count
}

func (c *cloud) AddSearchAttributes(context.Context, *operatorservice.AddSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	if _, faster := errors.AsType[*serviceerror.AlreadyExists](c.answer); faster {
		c.lacks = nil
	}
	return &operatorservice.AddSearchAttributesResponse{}, c.answer
}

func TestWhereWeMayNotMakeSearchAttributesTheErrorIsTheCommand(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"Temporal Cloud": serviceerror.NewUnimplemented("unknown service"),
		"a narrow key":   serviceerror.NewPermissionDenied("no", ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := New(Config{Temporal: &cloud{lacks: []string{"EgressRoom", "EgressStuck"}, answer: answer}, Namespace: "prod"})
			missing, err := c.EnsureSearchAttributes(t.Context())
			wantReason(t, err, egress.Invalid)
			want := `TEMPORAL_NAMESPACE: "prod" lacks search attributes that we are not allowed to add; run: ` +
				`temporal operator search-attribute create --namespace prod --name EgressRoom --type Keyword --name EgressStuck --type Bool ` +
				`(in Temporal Cloud: tcld namespace search-attributes add --namespace prod --search-attribute EgressRoom=Keyword --search-attribute EgressStuck=Bool)`
			if err.Error() != want || len(missing) != 2 {
				t.Errorf("got %v and\n%s\nwant\n%s", missing, err, want)
			}
		})
	}
}

func TestAnotherWorkerMayBeFasterToMakeThem(t *testing.T) {
	t.Parallel()
	c := New(Config{Temporal: &cloud{lacks: []string{"EgressRoom"}, answer: serviceerror.NewAlreadyExists("there")}})
	missing, err := c.EnsureSearchAttributes(t.Context())
	must(t, err)
	if len(missing) != 1 {
		t.Errorf("got %v", missing)
	}
}

func TestSearchAttributesThatNeverAppearAreAnError(t *testing.T) {
	t.Parallel()
	c := New(Config{Temporal: &cloud{lacks: []string{"EgressRoom"}}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.EnsureSearchAttributes(ctx)
	wantReason(t, err, egress.Ambiguous)
}

// The server skips an attribute whose name exists, and says nothing.
func TestASearchAttributeOfAnotherTypeIsAnError(t *testing.T) {
	t.Parallel()
	c := New(Config{Temporal: &cloud{lacks: []string{"EgressStatus"}}, Namespace: "prod", AskEvery: time.Millisecond, AttributesFor: 10 * time.Millisecond})
	_, err := c.EnsureSearchAttributes(t.Context())
	wantReason(t, err, egress.Invalid)
	want := `TEMPORAL_NAMESPACE: "prod" does not know the search attribute EgressStatus as Keyword, 10ms after it was added: check whether it has another type there`
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

func TestAServerThatDoesNotAnswerIsNoMissingAttribute(t *testing.T) {
	t.Parallel()
	c := New(Config{Temporal: &cloud{count: serviceerror.NewUnavailable("down")}})
	missing, err := c.EnsureSearchAttributes(t.Context())
	wantReason(t, err, egress.Unavailable)
	if missing != nil {
		t.Errorf("got %v", missing)
	}
}
