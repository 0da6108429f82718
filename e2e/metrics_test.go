package e2e

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// An alert on the increase of a series misses the increase with which the series appears.
func TestWhatIsCountedHasBeenThereFromTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	before := w.series()
	w.room("room", fakelivekit.RoomScript{Call: time.Second, Faults: []fakelivekit.Fault{fakelivekit.NoEcho}})
	w.start("room")
	w.verdict("room")

	require.Subset(t, grown(t, before, w.series()), []string{
		"reelkeeper_egress_ended_total", "reelkeeper_start_without_echo_total", "reelkeeper_announce_attempts_total",
	}, "one verdict, one reply without echo, one announcement")
}

// counted are the prefixes of our workers' metrics.
var counted = []string{"reelkeeper_egress_", "reelkeeper_start_", "reelkeeper_reconcile_", "reelkeeper_strays_", "reelkeeper_unrecorded_", "reelkeeper_stranded_", "reelkeeper_announce_attempts_"}

func TestWhatARoundCountsHasBeenThereFromTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(fake *fakelivekit.Config, environ map[string]string) {
		reconciled(fake, environ)
		environ["REELKEEPER_EXPECT"], environ["REELKEEPER_EXPECT_AFTER"] = "unrecorded", "1ms"
	})
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{})
	w.room("unrecorded", fakelivekit.RoomScript{})
	w.stray("room", "")
	before := w.series()
	w.want("a round that finds both", func() bool { return len(w.round(true).Unrecorded) == 1 })

	require.Subset(t, grown(t, before, w.series()), []string{
		"reelkeeper_reconcile_rounds_total", "reelkeeper_reconcile_livekit_calls_total", "reelkeeper_strays_total", "reelkeeper_unrecorded_rooms_total",
	}, "a round, its calls, an adoption, a room")
}

// grown returns the names of the metrics of which a series has changed. No series may be new.
func grown(t *testing.T, before, after map[string]string) (names []string) {
	t.Helper()
	for series, value := range after {
		was, there := before[series]
		require.True(t, there, "%s appeared", series)
		if name, _, _ := strings.Cut(series, "{"); value != was && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// series returns our own worker's metrics, by name and labels.
func (w *world) series() map[string]string {
	w.t.Helper()
	rec := httptest.NewRecorder()
	admin, err := w.worker.Admin(func() bool { return true })
	require.NoError(w.t, err)
	admin.ServeHTTP(rec, httptest.NewRequestWithContext(w.ctx(), "GET", "/metrics", nil))
	series := map[string]string{}
	for line := range strings.Lines(rec.Body.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if strings.HasPrefix(name, "reelkeeper_egress_detection_lag_") { // a histogram, on whose increase nothing alerts
			continue
		}
		if slices.ContainsFunc(counted, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			series[name] = value
		}
	}
	require.NotEmpty(w.t, series)
	return series
}

// A test in deploy checks that our own metrics exist; the SDK decides the names of Temporal's, and
// a newer one may change them.
func TestWhatAlertsAndDashboardAskOfTemporalsSDKIsThere(t *testing.T) {
	t.Parallel()
	hook := newChat(t, 1)
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) { environ["REELKEEPER_NOTIFY_URL"] = hook.URL })
	w.startWorker()
	w.room("room", fakelivekit.RoomScript{Call: time.Second, Faults: []fakelivekit.Fault{fakelivekit.WebhookLost}})
	w.start("room")
	w.verdict("room")
	w.want("the hook has failed once and then taken it", func() bool { return len(hook.said()) > 0 })
	_, err := w.temporal().ExecuteWorkflow(w.ctx(), client.StartWorkflowOptions{TaskQueue: egress.TaskQueue}, "OfAnotherVersion")
	require.NoError(t, err)
	failed := regexp.MustCompile(`temporal_workflow_task_execution_failed_total{[^}]*failure_reason="WorkflowError"[^}]*task_queue="egress"[^}]*workflow_type="OfAnotherVersion"`)
	w.want("its task fails, with the labels that an alert names", func() bool { return failed.MatchString(w.metrics()) })
	require.Regexp(t, `temporal_activity_execution_failed_total{activity_type="Notify"[^}]*task_queue="egress"`, w.metrics())

	shown := w.metrics()
	for _, file := range []string{"prometheus/alerts.yml", "grafana/reelkeeper.json"} {
		b, err := os.ReadFile(filepath.Join("..", "deploy", file))
		require.NoError(t, err)
		names := regexp.MustCompile(`\btemporal_[a-z_]+`).FindAllString(string(b), -1)
		for _, name := range slices.DeleteFunc(names, func(n string) bool { return n == "temporal_failed" || n == "temporal_slow" }) { // our own reasons
			require.Contains(t, shown, "\n"+name+"{", file)
		}
	}
}
