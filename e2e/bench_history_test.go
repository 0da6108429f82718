package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
	"github.com/reelkeeper/reelkeeper/recordings"
)

// looksOf4h is the number of looks at an active egress in four hours, one every five minutes.
const looksOf4h = 48

// BenchmarkHistory counts what a life leaves in Temporal: history events, their size, and the
// actions that Temporal Cloud bills. Four hours pass in seconds, since the wait between looks is
// scaled; the number of looks is that of four hours.
func BenchmarkHistory(b *testing.B) {
	for _, bb := range []struct {
		name     string
		webhooks bool
		looks    int // after which everybody leaves the room
		settings map[string]string
	}{
		{"10s/webhooks=all", true, 0, nil},
		{"10s/webhooks=none", false, 1, map[string]string{"REELKEEPER_LOOK_STARTING": "500ms", "REELKEEPER_LOOK_ACTIVE": "1s"}},
		{"4h/webhooks=all", true, looksOf4h - 1, map[string]string{"REELKEEPER_LOOK_ACTIVE": "200ms"}},
		{"4h/webhooks=none", false, looksOf4h, map[string]string{"REELKEEPER_LOOK_STARTING": "500ms", "REELKEEPER_LOOK_ACTIVE": "200ms"}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				s := newStage(b, func(fake *fakelivekit.Config, environ map[string]string) {
					fake.Timings = atOnce()
					fake.Timings.ActiveTemplate, fake.Timings.DepartureTimeout = 50*time.Millisecond, 50*time.Millisecond
					fake.WebhookURLs = []string{environ["REELKEEPER_PUBLIC_URL"] + egress.WebhookPath}
					if bb.webhooks {
						fake.Faults = nil
					}
					environ["REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE"] = "60000"
					maps.Copy(environ, bb.settings)
				})
				s.startWorker()
				s.lifeOf(bb.looks).addTo(&s.figures, s)
				s.figures.report(b)
			}
		})
	}
}

// lifeOf returns the history of a recording whose room everybody leaves once it is active and
// LiveKit has been asked that many times.
func (s *stage) lifeOf(looks int) history {
	s.b.Helper()
	r, err := s.start("", 0)
	require.NoError(s.b, err)
	require.Eventually(s.b, func() bool {
		v, err := s.client.State(s.ctx, workflowOf(r))
		return s.fake.Calls()["ListEgress"] >= looks && err == nil && v.Info.StatusName() == "EGRESS_ACTIVE"
	}, limit, 20*time.Millisecond)
	require.NoError(s.b, s.fake.EndCall("room-0"))
	v, err := s.client.Wait(s.ctx, workflowOf(r))
	require.NoError(s.b, err)
	require.Equal(s.b, egress.Status("EGRESS_COMPLETE"), v.Status)
	return s.historyOf(r)
}

// history holds all events of a workflow.
type history []*historypb.HistoryEvent

func (s *stage) historyOf(r recordings.Started) history {
	s.b.Helper()
	var h history
	it := s.temporal().GetWorkflowHistory(s.ctx, r.WorkflowID, r.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		e, err := it.Next()
		require.NoError(s.b, err)
		h = append(h, e)
	}
	return h
}

// actionOf names the billed action behind an event, by https://docs.temporal.io/cloud/actions.
// Activities are counted by their attempts, of which the history shows only the last. The second
// action of a child is the start in its own history. A memo is not an action.
var actionOf = map[enumspb.EventType]string{
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:               "starts",
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:       "updates",
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:              "signals",
	enumspb.EVENT_TYPE_TIMER_STARTED:                            "timers",
	enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:        "upserts",
	enumspb.EVENT_TYPE_MARKER_RECORDED:                          "markers",
	enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: "children",
}

func (h history) addTo(f *figures, s *stage) {
	size, actions := 0, map[string]int{"attempts": s.attempts()}
	for _, e := range h {
		size += proto.Size(e)
		if name, ok := actionOf[e.GetEventType()]; ok {
			actions[name]++
		}
	}
	all := 0
	for _, n := range actions {
		all += n
	}
	f.add("events", float64(len(h)))
	f.add("kB", float64(size)/1000)
	f.add("looks", float64(s.fake.Calls()["ListEgress"]))
	f.add("actions", float64(all))
	for _, name := range []string{"starts", "updates", "attempts", "signals", "timers", "upserts"} {
		f.add(name, float64(actions[name]))
	}
	if testing.Verbose() {
		for _, e := range h {
			fmt.Printf("%4d %-45s %6d B\n", e.GetEventId(), e.GetEventType(), proto.Size(e))
		}
	}
}

var attemptsLine = regexp.MustCompile(`(?m)^temporal_activity_execution_latency\w*_count\{[^}]*\} (\d+)$`)

// attempts returns how many activity attempts the worker has made, by its own metrics.
func (s *stage) attempts() int {
	s.b.Helper()
	answer := httptest.NewRecorder()
	admin, err := s.worker.Admin(func() bool { return true })
	require.NoError(s.b, err)
	admin.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	total := 0
	for _, m := range attemptsLine.FindAllStringSubmatch(answer.Body.String(), -1) {
		n, err := strconv.Atoi(m[1])
		require.NoError(s.b, err)
		total += n
	}
	require.Positive(s.b, total, "the worker's metrics count no attempts:\n%s", answer.Body)
	return total
}
