package e2e

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// An alert on the increase of a series sees nothing when the series appears with
// its first increase.
func TestWhatIsCountedHasBeenThereFromTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.startWorker()
	before := w.series()
	w.room("room", fakelivekit.RoomScript{Call: time.Second, Faults: []fakelivekit.Fault{fakelivekit.NoEcho}})
	w.start("room")
	w.verdict("room")

	after := w.series()

	counted := 0
	for name, value := range after {
		was, there := before[name]
		require.True(t, there, "%s appeared", name)
		if value != was {
			counted++
		}
	}
	require.Equal(t, 2, counted, "one verdict, one reply without echo")
}

// series are our own worker's metrics, by name and labels.
func (w *world) series() map[string]string {
	w.t.Helper()
	rec := httptest.NewRecorder()
	admin, err := w.worker.Admin(func() bool { return true })
	require.NoError(w.t, err)
	admin.ServeHTTP(rec, httptest.NewRequestWithContext(w.ctx(), "GET", "/metrics", nil))
	series := map[string]string{}
	for line := range strings.Lines(rec.Body.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if strings.HasPrefix(name, "reelkeeper_egress_detection_lag_") { // a histogram, of which no increase is alerted on
			continue
		}
		if strings.HasPrefix(name, "reelkeeper_egress_") || strings.HasPrefix(name, "reelkeeper_start_") {
			series[name] = value
		}
	}
	require.NotEmpty(w.t, series)
	return series
}
