package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// BenchmarkHour measures the cost of watching for an hour in which nothing happens: calls of
// LiveKit's API, as they arrive there, and actions that Temporal Cloud bills. The default waits are
// shortened by the factor speed, so that the hour takes one to three minutes. It begins once every
// egress has been seen active.
func BenchmarkHour(b *testing.B) {
	for _, bb := range []struct {
		egresses, speed int
	}{{100, 60}, {1_000, 20}} {
		for _, reconcile := range []bool{false, true} {
			b.Run(fmt.Sprintf("egresses=%d/reconciler=%t", bb.egresses, reconcile), func(b *testing.B) {
				s := newStage(b, func(_ *fakelivekit.Config, environ map[string]string) {
					scaled := func(d time.Duration) string { return (d / time.Duration(bb.speed)).String() }
					p := egress.DefaultPolicy()
					environ["REELKEEPER_LOOK_ACTIVE"] = scaled(p.LookActive.D())
					environ["REELKEEPER_LOOK_STARTING"] = "2s" // the time before the hour is not measured
					environ["REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE"] = "600000"
					if reconcile {
						environ["REELKEEPER_RECONCILE_EVERY"], environ["REELKEEPER_RECONCILE_GRACE"] = scaled(time.Minute), "1ms"
					}
				})
				s.startWorker()
				s.running(bb.egresses)
				require.Eventually(b, func() bool { return s.active() == bb.egresses }, benchLimit, time.Second)
				for b.Loop() {
					s.hour(bb.egresses, time.Hour/time.Duration(bb.speed))
				}
				s.figures.report(b)
			})
		}
	}
}

// active returns how many egresses visibility shows as active.
func (s *stage) active() int {
	n, err := s.temporal().CountWorkflow(s.ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: s.environ["TEMPORAL_NAMESPACE"], Query: "WorkflowType = 'Egress' AND EgressStatus = 'EGRESS_ACTIVE'",
	})
	require.NoError(s.b, err)
	return int(n.GetCount())
}

// hour lets a compressed hour pass, and counts what it cost.
func (s *stage) hour(egresses int, lasts time.Duration) {
	s.b.Helper()
	before, from := s.spent(), time.Now()
	<-time.After(lasts)
	after, to := s.spent(), time.Now()
	events := s.billed(from, to)
	s.figures.add("hour-s", to.Sub(from).Seconds())
	for _, name := range []string{"livekit-calls", "attempts", "heartbeats", "scheduled"} {
		n := after[name] - before[name]
		s.figures.add(name, float64(n))
		if name != "livekit-calls" {
			events += n
		}
	}
	s.figures.add("actions", float64(events))
	s.figures.add("calls/egress-hour", float64(after["livekit-calls"]-before["livekit-calls"])/float64(egresses))
	s.figures.add("actions/egress-hour", float64(events)/float64(egresses))
}

var (
	attempted = regexp.MustCompile(`(?m)^temporal_activity_execution_latency\w*_count\{[^}]*\} (\d+)$`)
	heartbeat = regexp.MustCompile(`(?m)^temporal_request_total\{[^}]*operation="RecordActivityTaskHeartbeat"[^}]*\} (\d+)$`)
)

// spent returns what no history shows of the actions so far: activity attempts, of which a history
// has only the last, heartbeats, and two for each act of the schedule, beside the start of its
// workflow.
func (s *stage) spent() map[string]int {
	s.b.Helper()
	answer := httptest.NewRecorder()
	admin, err := s.worker.Admin(func() bool { return true })
	require.NoError(s.b, err)
	admin.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	spent := map[string]int{}
	for name, line := range map[string]*regexp.Regexp{"attempts": attempted, "heartbeats": heartbeat} {
		for _, m := range line.FindAllStringSubmatch(answer.Body.String(), -1) {
			n, err := strconv.Atoi(m[1])
			require.NoError(s.b, err)
			spent[name] += n
		}
	}
	spent["livekit-calls"] = s.calls()
	if d, err := s.temporal().ScheduleClient().GetHandle(s.ctx, egress.ReconcileSchedule).Describe(s.ctx); err == nil {
		spent["scheduled"] = 2 * d.Info.NumActions
	}
	return spent
}

// billed returns the billed events of all histories of the namespace in a period.
func (s *stage) billed(from, to time.Time) int {
	s.b.Helper()
	c := s.temporal()
	var (
		g     errgroup.Group
		found = make(chan int, 100)
		total = make(chan int)
	)
	go func() {
		sum := 0
		for n := range found {
			sum += n
		}
		total <- sum
	}()
	g.SetLimit(8)
	req := &workflowservice.ListWorkflowExecutionsRequest{Namespace: s.environ["TEMPORAL_NAMESPACE"], PageSize: 200}
	for {
		page, err := c.ListWorkflow(s.ctx, req)
		require.NoError(s.b, err)
		for _, e := range page.GetExecutions() {
			g.Go(func() error {
				n, err := s.billedOf(c, e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), from, to)
				found <- n
				return err
			})
		}
		if req.NextPageToken = page.GetNextPageToken(); len(req.NextPageToken) == 0 {
			break
		}
	}
	require.NoError(s.b, g.Wait())
	close(found)
	return <-total
}

func (s *stage) billedOf(c client.Client, workflowID, runID string, from, to time.Time) (n int, err error) {
	it := c.GetWorkflowHistory(s.ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return n, err
		}
		at := e.GetEventTime().AsTime()
		if _, billed := actionOf[e.GetEventType()]; billed && !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n, nil
}
