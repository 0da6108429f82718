package activities_test

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/payload"
)

type labels = map[string]string

// metrics collects what activities count.
type metrics struct {
	mu  sync.Mutex
	all []count
}

type count struct {
	name string
	by   labels // Temporal's own are among them
	n    int64
}

// sum returns what was counted under a name and labels, whatever other labels it has.
func (m *metrics) sum(name string, by labels) (sum int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.all {
		if c.name == name && !slices.ContainsFunc(slices.Collect(maps.Keys(by)), func(l string) bool { return c.by[l] != by[l] }) {
			sum += c.n
		}
	}
	return sum
}

// env returns Temporal's environment for one attempt of an activity, which counts into m.
func (m *metrics) env() *testsuite.TestActivityEnvironment {
	var s testsuite.WorkflowTestSuite
	s.SetLogger(quiet{})
	s.SetMetricsHandler(labelled{MetricsHandler: client.MetricsNopHandler, into: m})
	env := s.NewTestActivityEnvironment()
	env.SetDataConverter(payload.Converter())
	return env
}

// labelled counts into metrics under labels.
type labelled struct {
	client.MetricsHandler
	into *metrics
	name string
	by   labels
}

func (c labelled) WithTags(tags map[string]string) client.MetricsHandler {
	by := labels{}
	maps.Copy(by, c.by)
	maps.Copy(by, tags)
	c.by = by
	return c
}

func (c labelled) Counter(name string) client.MetricsCounter { c.name = name; return c }

func (c labelled) Inc(n int64) {
	c.into.mu.Lock()
	defer c.into.mu.Unlock()
	c.into.all = append(c.into.all, count{c.name, c.by, n})
}

// Alerts depend on the rounds and steps that failed.
func TestARoundIsCountedByItsDepthAndWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		deep   bool
		b      *both
		round  labels
		undone int64
		deeds  map[egress.Deed]int64
	}{
		"all is well":             {false, &both{}, labels{"depth": "active", "outcome": "done"}, 0, nil},
		"LiveKit does not answer": {false, &both{listErr: because(egress.Unreachable)}, labels{"depth": "active", "outcome": "failed"}, 0, nil},
		"a step fails": {true, &both{
			items: []*lk.EgressInfo{running("EG_1"), running("EG_2"), {Status: lk.EgressStatus_EGRESS_FAILED, RoomName: room}}, failing: "EG_1",
		}, labels{"depth": "all", "outcome": "done"}, 1, map[egress.Deed]int64{egress.DeedAdopt: 1, egress.DeedQuarantine: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m metrics
			_, _ = attempt(t, m.env(), tc.b, tc.deep, egress.Expectation{}) // one fails
			require.Equal(t, int64(1), m.sum(activities.MetricRounds, tc.round))
			require.Equal(t, int64(1), m.sum(activities.MetricRounds, nil))
			require.Equal(t, int64(1), m.sum(activities.MetricCalls, nil))
			require.Equal(t, tc.undone, m.sum(activities.MetricUndone, labels{"depth": tc.round["depth"]}))
			require.Equal(t, tc.undone, m.sum(activities.MetricUndone, nil))
			for _, deed := range egress.Deeds() {
				require.Equal(t, tc.deeds[deed], m.sum(activities.MetricStrays, labels{"action": string(deed)}), deed)
			}
		})
	}
}

func TestEachTryOfAStoreIsCountedByWhatWasFound(t *testing.T) {
	t.Parallel()
	finds := func(found egress.Probed) func() *storeProber {
		return func() *storeProber { return &storeProber{found: map[string]egress.Probed{"b": found}} }
	}
	hangs := func() *storeProber { return &storeProber{hang: make(chan struct{})} }
	for name, tc := range map[string]struct {
		prober func() *storeProber
		starts int
		want   map[egress.Probed]int64
	}{
		"it is good, and known to be": {finds(""), 3, map[egress.Probed]int64{egress.ProbeGood: 1, egress.ProbeKnown: 2}},
		"nobody may delete":           {finds(egress.ProbeUndeleted), 1, map[egress.Probed]int64{egress.ProbeUndeleted: 1}},
		"it says no":                  {finds(egress.ProbeRefused), 1, map[egress.Probed]int64{egress.ProbeRefused: 1}},
		"it cannot be reached":        {finds(egress.ProbeUnreachable), 1, map[egress.Probed]int64{egress.ProbeUnreachable: 1}},
		"nobody can try it":           {finds(egress.ProbeUnchecked), 1, map[egress.Probed]int64{egress.ProbeUnchecked: 1}},
		"it hangs":                    {hangs, 1, map[egress.Probed]int64{egress.ProbeSlow: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				var m metrics
				change := trying(activities.PreflightConfig{Prober: tc.prober()})
				for range tc.starts {
					_, _ = startIn(t, m.env(), &api{onStart: accepts}, plain(to("b")), change) // one is refused
				}
				pass(time.Minute) // a hanging probe has been given up by then
				for _, outcome := range egress.Probes() {
					require.Equal(t, tc.want[outcome], m.sum(activities.MetricPreflight, labels{"outcome": string(outcome)}), outcome)
				}
			})
		})
	}
}
