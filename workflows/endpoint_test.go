package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/workflows"
)

// memory is the workflow that remembers how the endpoint was, on Temporal's
// time-skipping test environment.
type memory struct {
	*testsuite.TestWorkflowEnvironment
	t     *testing.T
	began time.Time
}

func newMemory(t *testing.T) *memory {
	t.Helper()
	m := &memory{t: t, TestWorkflowEnvironment: newEnv(egress.EndpointID)}
	m.RegisterWorkflowWithOptions((&workflows.Workflows{}).Endpoint, workflow.RegisterOptions{Name: egress.EndpointType})
	m.began = m.Now().UTC().Truncate(time.Minute)
	return m
}

// reports lets an instance report that many minutes, as they pass.
func (m *memory) reports(instance string, n int) {
	from := m.began
	var next func()
	next = func() {
		m.SignalWorkflow(egress.SignalMinute, egress.Minute{
			From: from, Until: from.Add(time.Minute), Every: egress.Duration(time.Minute), Instance: instance, Accepted: 1,
		})
		if from = from.Add(time.Minute); from.Before(m.began.Add(time.Duration(n) * time.Minute)) {
			m.RegisterDelayedCallback(next, time.Minute)
		}
	}
	m.RegisterDelayedCallback(next, time.Minute)
}

func (m *memory) ask(from, to time.Duration) egress.Reported {
	m.t.Helper()
	v, err := m.QueryWorkflow(egress.QueryMinutes, m.began.Add(from), m.began.Add(to))
	require.NoError(m.t, err)
	var r egress.Reported
	require.NoError(m.t, v.Get(&r))
	return r
}

func TestTheEndpointsMinutesAreRememberedForADay(t *testing.T) {
	t.Parallel()
	m := newMemory(t)
	m.reports("a", 120)
	m.reports("b", 120)
	m.RegisterDelayedCallback(func() {
		old := m.ask(10*time.Minute, 12*time.Minute)
		require.Len(t, old.Minutes, 2)
		require.Equal(t, 2, old.Minutes[0].Accepted, "of both instances")
		require.Equal(t, m.began, old.First)
		require.Equal(t, m.began.Add(2*time.Hour), old.Last)
		require.Len(t, m.ask(119*time.Minute, 121*time.Minute).Minutes, 2, "one of each instance, for now")
		require.Empty(t, m.ask(-time.Hour, 0).Minutes)
		m.CancelWorkflow()
	}, 3*time.Hour)

	m.ExecuteWorkflow(egress.EndpointType, egress.Ring{})

	require.ErrorContains(t, m.GetWorkflowError(), "canceled")
}

func TestAReportOfAClockThatIsFarAheadDoesNotMakeAllOthersForgotten(t *testing.T) {
	t.Parallel()
	m := newMemory(t)
	m.reports("a", 60)
	m.RegisterDelayedCallback(func() {
		ahead := m.began.AddDate(1, 0, 0)
		m.SignalWorkflow(egress.SignalMinute, egress.Minute{From: ahead, Until: ahead.Add(time.Minute), Every: egress.Duration(time.Minute), Instance: "b"})
	}, 30*time.Minute)
	m.RegisterDelayedCallback(func() {
		require.Len(t, m.ask(0, time.Hour).Minutes, 60)
		require.Equal(t, m.began.Add(time.Hour), m.ask(0, time.Hour).Last)
		m.CancelWorkflow()
	}, 2*time.Hour)

	m.ExecuteWorkflow(egress.EndpointType, egress.Ring{})

	require.ErrorContains(t, m.GetWorkflowError(), "canceled")
}

func TestTheEndpointsMinutesAreCarriedIntoTheNextRun(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		suggest bool
		reports int
	}{
		"after so many reports":       {false, 1000},
		"when the server suggests it": {true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t)
			m.SetContinueAsNewSuggested(tc.suggest)
			m.reports("a", tc.reports)

			m.ExecuteWorkflow(egress.EndpointType, egress.Ring{})

			var next *workflow.ContinueAsNewError
			require.ErrorAs(t, m.GetWorkflowError(), &next)
			require.Equal(t, egress.EndpointType, next.WorkflowType.Name)
			var carried egress.Ring
			require.NoError(t, payloads().FromPayloads(next.Input, &carried))
			require.Len(t, carried.Minutes, tc.reports)
		})
	}
}
