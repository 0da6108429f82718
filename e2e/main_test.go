package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/devtemporal"
)

// worlds is how many tests of this package can have a namespace of their own.
const worlds = 180

var (
	server   *devtemporal.Server
	given    atomic.Int64
	record   = flag.String("record", "", "folder into which the histories of TestRecordHistories are written")
	released = flag.String("worker", "", "released `worker` that writes those histories; default: the code under test")
)

func TestMain(m *testing.M) {
	if queue := os.Getenv(envStepWorker); queue != "" {
		os.Exit(stepWorkerMain(queue))
	}
	os.Exit(run(m))
}

// run starts one Temporal server for all tests. Each test has a namespace of its own, so that each
// has its own workers.
func run(m *testing.M) int {
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute) // a first build of the server takes minutes
	defer cancel()
	// Search attributes are cached, as in production. The development server reads them from its
	// database at each use, for those created while it runs; here all exist from the start.
	args := []string{"--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=false"}
	for n := range worlds {
		args = append(args, "--namespace", namespace(int64(n)))
	}
	var err error
	server, err = devtemporal.Start(ctx, devtemporal.Options{
		Headless: true, SearchAttributes: egress.Attributes(), Args: args, Progress: os.Stderr,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	code := m.Run()
	_ = os.RemoveAll(builds)
	if err := server.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	server.Kill() // it holds nothing worth an orderly end
	return code
}

func namespace(n int64) string { return "e2e-" + strconv.FormatInt(n, 10) }

// place returns a test's Temporal: its address, and a namespace of the test's own.
func place(t *testing.T) (address, namespace string) {
	t.Helper()
	if strings.HasPrefix(t.Name(), onPostgres) {
		return production.Address, production.next(t)
	}
	return server.Address, nextNamespace(t)
}

func nextNamespace(t *testing.T) string {
	t.Helper()
	n := given.Add(1) - 1
	if n >= worlds {
		t.Fatalf("more than %d tests want a namespace", worlds)
	}
	return namespace(n)
}
