package workflows_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// quarter is the beginning of a quarter of an hour.
var quarter = time.Date(2026, 5, 4, 12, 15, 0, 0, time.UTC)

// reconcile runs one round that the schedule has for a moment, after one that is known of.
func reconcile(t *testing.T, at time.Time, last *egress.Round, in egress.Reconciliation, do func(activities.RoundRequest) (egress.Round, error), change ...func(*testsuite.TestWorkflowEnvironment)) (egress.Round, error) {
	t.Helper()
	env := newEnv(egress.ReconcileSchedule)
	require.NoError(t, env.SetTypedSearchAttributesOnStart(temporal.NewSearchAttributes(
		temporal.NewSearchAttributeKeyTime("TemporalScheduledStartTime").ValueSet(at))))
	if last != nil {
		env.SetLastCompletionResult(last)
	}
	env.RegisterWorkflowWithOptions((&workflows.Workflows{}).Reconcile, workflow.RegisterOptions{Name: egress.ReconcileType})
	env.RegisterActivityWithOptions(func(_ context.Context, r activities.RoundRequest) (egress.Round, error) { return do(r) },
		activity.RegisterOptions{Name: "Reconcile"})
	for _, f := range change {
		f(env)
	}
	env.ExecuteWorkflow(egress.ReconcileType, in)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return egress.Round{}, err
	}
	var r egress.Round
	return r, env.GetWorkflowResult(&r)
}

func TestTheScheduledMomentDecidesHowDeepARoundIs(t *testing.T) {
	t.Parallel()
	every := egress.Reconciliation{Every: egress.Duration(time.Minute)}
	for name, tc := range map[string]struct {
		at   time.Time
		last *egress.Round
		in   egress.Reconciliation
		deep bool
	}{
		"at the quarter":              {quarter, nil, every, true},
		"later":                       {quarter.Add(7 * time.Minute), nil, every, false},
		"a deep one is known":         {quarter.Add(14 * time.Minute), &egress.Round{At: quarter.Add(13 * time.Minute), DeepAt: quarter}, every, false},
		"recorders were looked for":   {quarter.Add(14 * time.Minute), &egress.Round{DeepAt: quarter, SoughtAt: quarter.Add(time.Minute)}, every, false},
		"nobody runs a version":       {quarter.Add(14 * time.Minute), &egress.Round{DeepAt: quarter, Stranded: map[string]time.Time{"r:v1": quarter}}, every, false},
		"the deep one is long ago":    {quarter.Add(17 * time.Minute), &egress.Round{DeepAt: quarter}, every, true},
		"it is asked for by a person": {quarter.Add(time.Minute), &egress.Round{DeepAt: quarter}, egress.Reconciliation{Deep: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked activities.RoundRequest
			r, err := reconcile(t, tc.at, tc.last, tc.in, func(r activities.RoundRequest) (egress.Round, error) {
				asked = r
				round := egress.Round{At: r.At, Seen: 3}
				if r.Deep {
					round.DeepAt = r.At
				}
				return round, nil
			})
			require.NoError(t, err)
			want := activities.RoundRequest{At: tc.at, Deep: tc.deep, Anew: tc.at}
			if tc.last != nil {
				want.Anew, want.SoughtAt, want.Stranded = tc.in.Anew(tc.at, *tc.last), tc.last.SoughtAt, tc.last.Stranded
			}
			require.Equal(t, want, asked)
			require.Equal(t, 3, r.Seen)
			if !tc.deep && tc.last != nil {
				require.Equal(t, tc.last.DeepAt, r.DeepAt, "the next round must know")
			}
		})
	}
}

func TestARoundThatKeepsFailingFailsAndLeavesItToTheNext(t *testing.T) {
	t.Parallel()
	attempts := 0
	_, err := reconcile(t, quarter, nil, egress.Reconciliation{}, func(activities.RoundRequest) (egress.Round, error) {
		attempts++
		return egress.Round{}, errors.New("LiveKit is down")
	})
	require.ErrorContains(t, err, "LiveKit is down")
	require.Equal(t, 3, attempts)
}

// keyless is a worker's converter that lacks the key of the first round's result that it is to read.
type keyless struct {
	converter.DataConverter
	once *sync.Once
}

func (k keyless) FromPayloads(ps *commonpb.Payloads, into ...any) error {
	if _, round := into[0].(*egress.Round); round {
		k.once.Do(func() { panic("the key is gone") })
	}
	return k.DataConverter.FromPayloads(ps, into...)
}

// It would be given to every round after it, and none would ever run.
func TestARoundRunsThoughTheLastOnesResultCannotBeDecoded(t *testing.T) {
	t.Parallel()
	var asked activities.RoundRequest
	r, err := reconcile(t, quarter.Add(time.Minute), &egress.Round{DeepAt: quarter, SoughtAt: quarter}, egress.Reconciliation{Every: egress.Duration(time.Minute)},
		func(in activities.RoundRequest) (egress.Round, error) {
			asked = in
			return egress.Round{Seen: 3}, nil
		}, func(env *testsuite.TestWorkflowEnvironment) {
			env.SetDataConverter(keyless{payload.Converter(), new(sync.Once)})
		})
	require.NoError(t, err)
	require.Equal(t, 3, r.Seen)
	require.Zero(t, asked.SoughtAt, "it goes without")
}
