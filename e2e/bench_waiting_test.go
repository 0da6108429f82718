package e2e

import (
	"flag"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

var asleep = flag.Duration("asleep", 8*time.Minute, "how long BenchmarkWaiting waits once all are adopted: by the default, "+
	"the first look, due after five minutes, has woken each of them, and the second ones come, spread over six hours")

// BenchmarkWaiting measures the cost of ten thousand recordings that wait for news and get none: in
// the worker, a process of its own, and in the server. The server's idle cost is measured before,
// without a worker and with one. The server has one namespace: that of the tests has 180, and its
// own workers for each take 5 % of a core. The settings are those that ship, except that looks are
// not limited to 500 calls a minute: for ten thousand recordings that begin together, as only here,
// the first looks would take 40 minutes.
func BenchmarkWaiting(b *testing.B) {
	const (
		waiting = 10_000
		window  = time.Minute // includes one round
	)
	needsProc(b)
	own, err := devtemporal.Start(within(b), devtemporal.Options{Headless: true, SearchAttributes: egress.Attributes()})
	require.NoError(b, err)
	b.Cleanup(own.Kill)
	s := newStage(b, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["TEMPORAL_ADDRESS"], environ["TEMPORAL_NAMESPACE"] = own.Address, "default"
		delete(environ, "REELKEEPER_RECONCILE_EVERY")
		environ["REELKEEPER_RECONCILE_GRACE"] = "1ms" // all are started without us, and adopted
		environ["REELKEEPER_LIVEKIT_REQUESTS_PER_MINUTE"] = "20000"
		environ["REELKEEPER_ADMIN_LISTEN"] = "127.0.0.1:0"
	})
	temporal := serverPID(own.Address)
	idle := func(name string) {
		served := processCPU(temporal)
		<-time.After(window)
		s.figures.add(name, percent(processCPU(temporal)-served, window))
	}
	idle("idle-server-cpu-%")
	worker := spawn(b, &logBuffer{}, "worker", maps.Clone(s.environ)).Process.Pid
	<-time.After(window)
	for range 3 {
		idle("idle-server-with-worker-cpu-%")
	}
	s.startPast(waiting)
	require.Eventually(b, func() bool {
		ours, err := s.client.Running(s.ctx)
		return err == nil && len(ours) == waiting
	}, benchLimit, 10*time.Second)
	<-time.After(*asleep)
	for b.Loop() {
		calls, used, served := s.calls(), processCPU(worker), processCPU(temporal)
		<-time.After(window)
		s.figures.add("worker-cpu-%", percent(processCPU(worker)-used, window))
		s.figures.add("server-cpu-%", percent(processCPU(temporal)-served, window))
		s.figures.add("worker-MB", resident(b, worker)/1e6)
		s.figures.add("server-MB", resident(b, temporal)/1e6)
		s.figures.add("livekit-calls", float64(s.calls()-calls))
	}
	s.figures.report(b)
}

func percent(part, whole time.Duration) float64 { return 100 * part.Seconds() / whole.Seconds() }

// calls returns how often LiveKit was called.
func (s *stage) calls() (n int) {
	for _, of := range s.fake.Calls() {
		n += of
	}
	return n
}
