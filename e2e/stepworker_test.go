package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// Variables of a user's own worker in a process: this test binary, run again.
const (
	envStepWorker = "E2E_STEP_WORKER" // its task queue
	envStepMarks  = "E2E_STEP_MARKS"  // folder in which each attempt leaves its idempotency key
)

// stepWorkerMain runs a worker whose activity Slow never ends in its first attempt.
func stepWorkerMain(queue string) int {
	c, err := client.Dial(client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS"), Namespace: os.Getenv("TEMPORAL_NAMESPACE")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w := worker.New(c, queue, worker.Options{})
	w.RegisterActivityWithOptions(slow, activity.RegisterOptions{Name: "Slow"})
	if err := w.Run(worker.InterruptCh()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func slow(ctx context.Context, in egress.StepInput) (map[string]any, error) {
	attempt := activity.GetInfo(ctx).Attempt
	mark := filepath.Join(os.Getenv(envStepMarks), strconv.Itoa(int(attempt)))
	if err := os.WriteFile(mark, []byte(in.IdempotencyKey), 0o600); err != nil {
		return nil, err
	}
	for tick := time.NewTicker(100 * time.Millisecond); attempt == 1; {
		select {
		case <-tick.C:
			activity.RecordHeartbeat(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return map[string]any{"attempt": attempt, "pid": os.Getpid()}, nil
}

// stepProcess runs stepWorkerMain in a process that can be killed.
func (w *world) stepProcess(queue, marks string) *process {
	w.t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0]), done: make(chan struct{})}
	p.Env = append(os.Environ(), envStepWorker+"="+queue, envStepMarks+"="+marks,
		"TEMPORAL_ADDRESS="+server.Address, "TEMPORAL_NAMESPACE="+w.environ["TEMPORAL_NAMESPACE"])
	p.Stdout, p.Stderr = w.log, w.log
	p.start(w.t)
	return p
}

// A step's worker is killed in the middle of it: another worker does it, under the same idempotency
// key.
func TestAStepWhoseWorkerIsKilledGoesOnElsewhereUnderTheSameKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPipeline(t, `
default: slow
pipelines:
  slow:
    steps:
      - {name: slow, activity: Slow, task_queue: slow, heartbeat: 10s, backoff: {first: 100ms}}
`))
	w.startWorker()
	marks := t.TempDir()
	key := func(attempt string) string {
		b, _ := os.ReadFile(filepath.Join(marks, attempt)) // it may not exist yet
		return string(b)
	}
	w.room("room", fakelivekit.RoomScript{Call: time.Second})
	w.start("room")
	w.want("the wait for a worker is shown", func() bool {
		return strings.Contains(w.starter("", "show", "r-room").out, "Slow, attempt 1, waits for a worker of task queue slow")
	})
	first := w.stepProcess("slow", marks)
	w.want("a first attempt", func() bool { return key("1") != "" })

	first.kill()
	second := w.stepProcess("slow", marks)
	v := w.verdict("room")

	require.Equal(t, key("1"), key("2"))
	require.Equal(t, v.StepKey("slow"), key("2"), "it follows from the verdict")
	require.JSONEq(t, fmt.Sprintf(`{"attempt":2,"pid":%d}`, second.Process.Pid), string(v.Results["slow"]))
	require.Contains(t, v.Delivered, "slow")
}
